#include "compiler/model/count.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace agp::model {

Count::Count(std::uint64_t value) {
  for (; value != 0; value >>= 32) words_.push_back(static_cast<std::uint32_t>(value));
}

Count Count::of(Bits128 value) {
  Count out;
  for (; value != 0; value >>= 32) out.words_.push_back(static_cast<std::uint32_t>(value));
  return out;
}

Count Count::power_of_two(unsigned exponent) {
  Count out;
  out.words_.resize(exponent / 32 + 1);
  out.words_.back() = 1u << (exponent % 32);
  return out;
}

void Count::trim() {
  while (!words_.empty() && words_.back() == 0) words_.pop_back();
}

Count& Count::operator+=(const Count& other) {
  words_.resize(std::max(words_.size(), other.words_.size()) + 1);
  std::uint64_t carry = 0;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    carry += words_[i];
    if (i < other.words_.size()) carry += other.words_[i];
    words_[i] = static_cast<std::uint32_t>(carry);
    carry >>= 32;
  }
  trim();
  return *this;
}

Count& Count::operator-=(const Count& other) {
  std::int64_t borrow = 0;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    borrow += words_[i];
    if (i < other.words_.size()) borrow -= other.words_[i];
    words_[i] = static_cast<std::uint32_t>(borrow);
    borrow >>= 32;
  }
  trim();
  return *this;
}

Count operator*(const Count& a, const Count& b) {
  Count out;
  out.words_.resize(a.words_.size() + b.words_.size());
  for (std::size_t i = 0; i < a.words_.size(); ++i) {
    std::uint64_t carry = 0;
    for (std::size_t j = 0; j < b.words_.size() || carry != 0; ++j) {
      carry += out.words_[i + j];
      if (j < b.words_.size()) carry += static_cast<std::uint64_t>(a.words_[i]) * b.words_[j];
      out.words_[i + j] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
  }
  out.trim();
  return out;
}

std::strong_ordering operator<=>(const Count& a, const Count& b) {
  if (a.words_.size() != b.words_.size()) return a.words_.size() <=> b.words_.size();
  for (std::size_t i = a.words_.size(); i-- > 0;)
    if (a.words_[i] != b.words_[i]) return a.words_[i] <=> b.words_[i];
  return std::strong_ordering::equal;
}

std::string Count::decimal() const {
  if (zero()) return "0";
  std::string out;
  std::vector<std::uint32_t> left = words_;
  while (!left.empty()) {
    std::uint64_t rest = 0;
    for (std::size_t i = left.size(); i-- > 0;) {
      rest = rest << 32 | left[i];
      left[i] = static_cast<std::uint32_t>(rest / 10);
      rest %= 10;
    }
    out += static_cast<char>('0' + rest);
    while (!left.empty() && left.back() == 0) left.pop_back();
  }
  std::reverse(out.begin(), out.end());
  return out;
}

Count Count::parse(const std::string& decimal) {
  Count out;
  for (const char digit : decimal) out = out * Count(10) + Count(static_cast<std::uint64_t>(digit - '0'));
  return out;
}

std::string Count::text() const {
  if (*this < Count(10'000'000)) return decimal();
  const std::size_t n = words_.size();
  double top = 0;
  for (std::size_t i = n; i-- > (n > 3 ? n - 3 : 0);) top = top * 4294967296.0 + words_[i];
  const double bits = std::log2(top) + 32.0 * static_cast<double>(n > 3 ? n - 3 : 0);
  const double whole = std::round(bits);
  if (*this == power_of_two(static_cast<unsigned>(whole))) return fmt::format("2^{:.0f}", whole);
  return fmt::format("2^{:.1f}", bits);
}

}  // namespace agp::model
