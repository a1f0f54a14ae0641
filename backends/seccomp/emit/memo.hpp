#pragma once
#include <cstdint>
#include <vector>

namespace agp::backends::seccomp {

/// From keys to what was found for them: a table with open addressing in one piece of memory, which its owner keeps
/// from one search to the next.
template <class Value>
class Memo {
 public:
  void clear() {
    slots_.assign(1024, {});
    used_ = 0;
  }
  const Value* find(std::uint32_t key) const {
    const Slot& s = slots_[place(key)];
    return s.key == key + 1 ? &s.value : nullptr;
  }
  /// Precondition: the key is not in it.
  const Value& add(std::uint32_t key, const Value& value) {
    if (2 * ++used_ > slots_.size()) grow();
    Slot& s = slots_[place(key)];
    s = {key + 1, value};
    return s.value;
  }

 private:
  struct Slot {
    std::uint32_t key = 0;  ///< one more; 0 of an empty one
    Value value;
  };
  std::size_t place(std::uint32_t key) const {
    std::size_t at = (key * 0x9e3779b1u >> 8) & (slots_.size() - 1);
    while (slots_[at].key != 0 && slots_[at].key != key + 1) at = (at + 1) & (slots_.size() - 1);
    return at;
  }
  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (const Slot& s : old)
      if (s.key != 0) slots_[place(s.key - 1)] = s;
  }

  std::vector<Slot> slots_;
  std::size_t used_ = 0;
};

}  // namespace agp::backends::seccomp
