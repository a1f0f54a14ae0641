#include "compiler/model/smt_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <unordered_set>

namespace agp::smt {
namespace {

std::string sort(unsigned width) { return width == 0 ? "Bool" : fmt::format("(_ BitVec {})", width); }

/// `and` and `or`: `neutral` parts are left out, `decisive` ones are the whole.
Formula join(const char* word, const std::vector<Formula>& parts, std::string_view neutral, std::string_view decisive) {
  std::vector<std::string_view> kept;
  std::unordered_set<std::string_view> seen;
  for (const Formula& p : parts) {
    if (p == decisive) return p;
    if (p != neutral && seen.insert(p).second) kept.push_back(p);
  }
  if (kept.empty()) return Formula(neutral);
  return kept.size() == 1 ? Formula(kept.front()) : fmt::format("({} {})", word, fmt::join(kept, " "));
}

}  // namespace

Formula bits(model::Bits128 value, unsigned width) {
  const unsigned step = width % 4 == 0 ? 4 : 1;
  std::string out = step == 4 ? "#x" : "#b";
  for (unsigned left = width; left > 0; left -= step)
    out += "0123456789abcdef"[static_cast<unsigned>(value >> (left - step)) & ((1u << step) - 1)];
  return out;
}

Formula negate(const Formula& a) {
  if (a == "true") return "false";
  if (a == "false") return "true";
  return fmt::format("(not {})", a);
}
Formula all(const std::vector<Formula>& parts) { return join("and", parts, "true", "false"); }
Formula any(const std::vector<Formula>& parts) { return join("or", parts, "false", "true"); }

Formula choose(const Formula& condition, const Formula& yes, const Formula& no) {
  if (condition == "true" || yes == no) return yes;
  if (condition == "false") return no;
  if (yes == "true" && no == "false") return condition;
  if (yes == "false" && no == "true") return negate(condition);
  return fmt::format("(ite {} {} {})", condition, yes, no);
}

Formula equal(const Formula& a, const Formula& b) { return a == b ? "true" : fmt::format("(= {} {})", a, b); }

Formula between(const Formula& value, model::Bits128 first, model::Bits128 last, unsigned width) {
  const model::Bits128 most = width == 128 ? ~model::Bits128{0} : (model::Bits128{1} << width) - 1;
  if (first > last) return "false";
  if (first == last) return equal(value, bits(first, width));
  return all({first == 0 ? "true" : fmt::format("(bvule {} {})", bits(first, width), value),
              last >= most ? "true" : fmt::format("(bvule {} {})", value, bits(last, width))});
}

void Script::remark(std::string_view text) {
  text_ += "; ";
  for (const char c : text) text_ += c == '\n' ? std::string("\n; ") : std::string(1, c < ' ' || c > '~' ? '?' : c);
  text_ += '\n';
}

void Script::declare(std::string_view name, unsigned width) {
  text_ += fmt::format("(declare-const {} {})\n", name, sort(width));
}

Formula Script::define(std::string_view name, unsigned width, const Formula& formula) {
  if (formula.find(' ') == Formula::npos) return formula;
  text_ += fmt::format("(define-fun {} () {} {})\n", name, sort(width), formula);
  return Formula(name);
}

void Script::state(std::string_view name, const Formula& formula) {
  text_ += fmt::format("(define-fun {} () Bool {})\n", name, formula);
}

std::string Script::violation(std::string_view inside, std::string_view outside) && {
  return "(set-logic QF_BV)\n" + text_ + fmt::format("(assert (and {} (not {})))\n(check-sat)\n", inside, outside);
}

}  // namespace agp::smt
