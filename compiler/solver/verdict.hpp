#pragma once
#include <string>
#include <utility>
#include <variant>

namespace agp::solver {

/// The statement holds for every input. `by` says how it was decided: "Z3", "evaluation".
struct Proved {
  std::string by;
};
/// The statement is false, and here is why.
template <class W>
struct Refuted {
  W witness;
};
/// Nothing is known: a limit was reached, the solver is missing, the artifact could not be read.
struct Unknown {
  std::string reason;
};

/// A three-valued answer. There is no conversion to bool and no `!refuted()`: a caller names all three cases in
/// `match`, or asks the one question whose other answer is always "not good".
template <class W>
class Verdict {
 public:
  Verdict(Proved p) : value_(std::move(p)) {}
  Verdict(Refuted<W> r) : value_(std::move(r)) {}
  Verdict(Unknown u) : value_(std::move(u)) {}

  /// Calls exactly one of the three; all must return the same type.
  template <class OnProved, class OnRefuted, class OnUnknown>
  decltype(auto) match(OnProved&& proved, OnRefuted&& refuted, OnUnknown&& unknown) const {
    if (const auto* p = std::get_if<Proved>(&value_)) return proved(*p);
    if (const auto* r = std::get_if<Refuted<W>>(&value_)) return refuted(r->witness);
    return unknown(std::get<Unknown>(value_));
  }
  [[nodiscard]] bool proved() const { return std::holds_alternative<Proved>(value_); }
  /// "proved", "refuted", "unknown": the words of reports and manifests.
  std::string word() const {
    return match([](const Proved&) { return "proved"; }, [](const W&) { return "refuted"; },
                 [](const Unknown&) { return "unknown"; });
  }

 private:
  std::variant<Unknown, Proved, Refuted<W>> value_;
};

}  // namespace agp::solver
