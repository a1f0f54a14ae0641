#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/model/address.hpp"

namespace agp::model {

/// A natural number without a bound: how many actions a set has. 2^128 addresses times 2^16 ports, or six arguments of
/// 64 bits, are counted and not rounded.
class Count {
 public:
  Count(std::uint64_t value = 0);
  static Count of(Bits128 value);
  static Count power_of_two(unsigned exponent);

  Count& operator+=(const Count& other);
  /// Precondition: other <= *this.
  Count& operator-=(const Count& other);
  friend Count operator*(const Count& a, const Count& b);
  friend Count operator+(Count a, const Count& b) { return a += b; }
  friend Count operator-(Count a, const Count& b) { return a -= b; }
  friend bool operator==(const Count&, const Count&) = default;
  friend std::strong_ordering operator<=>(const Count& a, const Count& b);
  bool zero() const { return words_.empty(); }

  std::string decimal() const;
  static Count parse(const std::string& decimal);  ///< precondition: decimal digits
  /// For people: exact up to seven digits, then as a power of two: `65536`, `2^32`, `2^33.4`.
  std::string text() const;

 private:
  void trim();
  std::vector<std::uint32_t> words_;  ///< least first; no leading zero
};

}  // namespace agp::model
