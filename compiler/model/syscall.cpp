#include "compiler/model/syscall.hpp"

#include <algorithm>

// What a comparison on an argument means. Everything that compiles, decides or proves a condition is compared with
// this.
namespace agp::model {

bool holds(const ArgTest& test, std::uint64_t argument, std::uint64_t effective_mask) {
  const std::uint64_t x = argument & effective_mask;
  if (test.op == ArgTest::Op::In) return std::find(test.values.begin(), test.values.end(), x) != test.values.end();
  if (test.values.empty()) return false;
  const std::uint64_t v = test.values.front();
  switch (test.op) {
    case ArgTest::Op::Eq:
      return x == v;
    case ArgTest::Op::Ne:
      return x != v;
    case ArgTest::Op::Lt:
      return x < v;
    case ArgTest::Op::Le:
      return x <= v;
    case ArgTest::Op::Gt:
      return x > v;
    case ArgTest::Op::Ge:
      return x >= v;
    case ArgTest::Op::Masked:
      return (x & test.mask) == v;
    case ArgTest::Op::In:
      break;
  }
  return false;
}

bool holds(const ArgTest& test, std::uint64_t argument, std::uint64_t effective_mask, bool classified, bool refuses) {
  const bool all = holds(test, argument, effective_mask);
  if (classified) return all;
  const bool low = holds(test, argument, effective_mask & 0xffffffff);
  return refuses ? all || low : all && low;
}

}  // namespace agp::model
