#include "backends/kubernetes/decode/quantity.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

// <number><suffix> of apimachinery's resource.Quantity: decimal digits with at most one dot; then a power of 1024, a
// power of 1000, or `e` and a decimal exponent. `E` alone is 10^18, and with digits behind it an exponent.
namespace agp::backends::kubernetes {
namespace {

__extension__ typedef unsigned __int128 Wide;
constexpr Wide most = (Wide{1} << 63) - 1;

struct Scale {
  int tens = 0, twos = 0;
};

constexpr std::array<std::pair<std::string_view, Scale>, 16> suffixes{{{"", {}},
                                                                       {"n", {-9, 0}},
                                                                       {"u", {-6, 0}},
                                                                       {"m", {-3, 0}},
                                                                       {"k", {3, 0}},
                                                                       {"M", {6, 0}},
                                                                       {"G", {9, 0}},
                                                                       {"T", {12, 0}},
                                                                       {"P", {15, 0}},
                                                                       {"E", {18, 0}},
                                                                       {"Ki", {0, 10}},
                                                                       {"Mi", {0, 20}},
                                                                       {"Gi", {0, 30}},
                                                                       {"Ti", {0, 40}},
                                                                       {"Pi", {0, 50}},
                                                                       {"Ei", {0, 60}}}};

Scale scale(const Section& quantity, std::string_view suffix) {
  for (const auto& [text, known] : suffixes)
    if (suffix == text) return known;
  if (suffix.front() == 'e' || suffix.front() == 'E') {
    suffix.remove_prefix(1);
    if (!suffix.empty() && suffix.front() == '+') suffix.remove_prefix(1);
    int tens = 0;
    const auto [end, error] = std::from_chars(suffix.data(), suffix.data() + suffix.size(), tens);
    if (!suffix.empty() && error == std::errc{} && end == suffix.data() + suffix.size() && tens >= -30 && tens <= 30)
      return {tens, 0};
  }
  quantity.refuse("is no quantity: its suffix is unknown");
}

}  // namespace

std::uint64_t thousandths(const Section& quantity) {
  const std::string text = quantity.number_text();
  std::string_view rest = text;
  if (rest.starts_with('+')) rest.remove_prefix(1);
  if (rest.starts_with('-')) quantity.refuse("is negative");
  Wide value = 0;
  int behind = 0;
  std::size_t digits = 0;
  bool dot = false;
  for (; !rest.empty(); rest.remove_prefix(1)) {
    if (rest.front() == '.' && !dot) {
      dot = true;
      continue;
    }
    if (rest.front() < '0' || rest.front() > '9') break;
    if (++digits > 30) quantity.refuse("has more than 30 digits");
    value = value * 10 + static_cast<unsigned>(rest.front() - '0');
    behind += dot ? 1 : 0;
  }
  if (digits == 0) quantity.refuse("is no quantity");
  auto [tens, twos] = scale(quantity, rest);
  tens += 3 - behind;
  if (value == 0) return 0;
  for (; twos > 0; --twos) {  // before the division: 0.5Ki is 512
    if (value > (~Wide{0} >> 1)) quantity.refuse("is too large");
    value *= 2;
  }
  for (; tens < 0; ++tens) {
    if (value % 10 != 0) quantity.refuse("is finer than a thousandth, and would be rounded up");
    value /= 10;
  }
  for (; tens > 0; --tens) {
    if (value > most) quantity.refuse("is too large");
    value *= 10;
  }
  if (value > most) quantity.refuse("is too large");
  return static_cast<std::uint64_t>(value);
}

std::uint64_t whole(const Section& quantity) {
  const std::uint64_t parts = thousandths(quantity);
  if (parts % 1000 != 0) quantity.refuse("is no whole number of bytes");
  return parts / 1000;
}

}  // namespace agp::backends::kubernetes
