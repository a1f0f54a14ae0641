// System calls -> cells: call by call; for each argument that some pattern tests, the cells of its values; then their
// product, where a pattern drops out as soon as one of its conditions fails. Each architecture has cells of its own.
// Where the limits permit it, a call with more cells than is worth it gets the telling ones alone (telling.hpp).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>
#include <map>
#include <tuple>

#include "compiler/analysis/space.hpp"
#include "compiler/analysis/telling.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/model/argument_cells.hpp"

namespace agp::analysis {

using namespace model;

class CallCutter {
 public:
  explicit CallCutter(Space& space) : space_(space) {}

  void run() {
    std::map<std::string, std::vector<Use>> by_call;
    for (std::uint32_t p = 0; p < space_.patterns_.size(); ++p) {
      const PatternRef& ref = space_.patterns_[p];
      const Rule& rule = *space_.rules_[ref.rule];
      const auto* body = std::get_if<SyscallBody>(&rule.body);
      if (!body || rule.expired) continue;
      const auto& [pattern, span, text] = (ref.except ? body->except : body->patterns)[ref.pattern];
      // a grant that a policy spells out is one more effect: some findings are about no other
      const bool spelled = rule.effect != Effect::Deny && rule.module.empty() && !text.starts_with('@');
      by_call[pattern.name].push_back(
          {p, &pattern, (rule.effect != Effect::Allow) != ref.except,
           !body->except.empty() || ref.rule >= space_.questions_,
           static_cast<std::uint8_t>(1u << static_cast<unsigned>(rule.effect) | (spelled ? 8u : 0u))});
    }
    for (const auto& [name, uses] : by_call)
      for (const linux::Arch arch : space_.limits_.archs) {
        describe(name, arch);
        std::vector<std::uint32_t> everyone;
        for (const Use& use : uses)
          if (use.what->archs.has(arch)) {
            everyone.push_back(static_cast<std::uint32_t>(all_.size()));
            all_.push_back(&use);
            tests_.emplace_back();
            for (const ArgTest& test : use.what->tests) tests_.back()[static_cast<std::size_t>(test.index)] = true;
          }
        if (!call_) continue;
        begin_ = space_.mark();
        whole_ = true;
        bool done = cut(0, everyone, Count(1));
        if (!done && too_many_) {
          space_.back_to(begin_);
          whole_ = false;
          done = cut(0, everyone, Count(1));
        }
        if (!done) {
          space_.give_up(Sort::Syscall, fmt::format("the conditions on `{}` need too many cells", name));
          return;
        }
      }
  }

 private:
  struct Use {
    std::uint32_t pattern;
    const SyscallPattern* what;
    bool refuses;
    bool fixed;            ///< see telling.hpp
    std::uint8_t effects;  ///< bits, no two effects alike
  };

  void describe(const std::string& name, linux::Arch arch) {
    call_ = linux::find_syscall(arch, name);
    name_ = name;
    arch_ = arch;
    arguments_ = {};
    all_.clear();
    tests_.clear();
    cells_.clear();
    telling_.clear();
    too_many_ = false;
  }
  std::uint64_t mask(int i) const { return call_->arguments[static_cast<std::size_t>(i)].effective_mask; }
  unsigned bits(int i) const { return static_cast<unsigned>(std::popcount(mask(i))); }

  /// Conditions on one argument say nothing about another: their cells are made once for each set of uses that states
  /// some, whatever the uses without any.
  const std::vector<ArgumentCell>* cells_of(int index, const std::vector<std::uint32_t>& testing) {
    const auto [known, fresh] = cells_.try_emplace({index, testing});
    if (!fresh) return &known->second;
    std::vector<ArgumentUse> tests;
    for (const std::uint32_t u : testing) {
      ArgumentUse one{{}, all_[u]->refuses};
      for (const ArgTest& test : all_[u]->what->tests)
        if (test.index == index) one.tests.push_back(&test);
      tests.push_back(std::move(one));
    }
    auto cells = argument_cells(tests, mask(index), call_->arguments[static_cast<std::size_t>(index)].classified);
    if (!cells) return nullptr;
    return &(known->second = std::move(*cells));
  }

  bool tests_before(std::uint32_t use, std::size_t index) const {
    return std::any_of(tests_[use].begin(), tests_[use].begin() + static_cast<std::ptrdiff_t>(index),
                       [](bool b) { return b; });
  }
  bool tests_behind(std::uint32_t use, std::size_t index) const {
    return std::any_of(tests_[use].begin() + static_cast<std::ptrdiff_t>(index) + 1, tests_[use].end(),
                       [](bool b) { return b; });
  }

  /// The values to go on with: all, or those that tell. `everything`: those before speak for all others.
  const std::vector<TellingValue>& values(std::size_t index, const std::vector<ArgumentCell>& cells,
                                          const std::vector<std::uint32_t>& testing,
                                          const std::vector<std::uint32_t>& others, bool everything) {
    std::uint8_t effects = 0;
    for (const std::uint32_t u : others)
      if (!all_[u]->fixed && !tests_behind(u, index)) effects |= all_[u]->effects;
    const auto [known, fresh] = telling_.try_emplace({index, testing, effects, everything});
    if (!fresh) return known->second;
    std::vector<TellingUse> uses;
    for (const std::uint32_t u : testing)
      uses.push_back(
          {all_[u]->fixed || tests_behind(u, index), everything || tests_before(u, index), all_[u]->effects});
    return known->second = telling(cells, uses, effects);
  }

  /// `size`: how many values the arguments before `index` have together; 0 where others speak for them.
  bool cut(int index, const std::vector<std::uint32_t>& uses, const Count& size) {
    if (uses.empty()) return true;
    if (index == 6) return emit(uses, size);
    const auto at = static_cast<std::size_t>(index);
    std::vector<std::uint32_t> testing, others;
    for (const std::uint32_t u : uses) (tests_[u][at] ? testing : others).push_back(u);
    if (testing.empty()) {
      // arguments that no use tests are many: one product for all of them
      unsigned free = bits(index++);
      for (; index < 6 && std::none_of(uses.begin(), uses.end(),
                                       [&](std::uint32_t u) { return tests_[u][static_cast<std::size_t>(index)]; });
           ++index)
        free += bits(index);
      return cut(index, uses, size * Count::power_of_two(free));
    }
    const auto* cells = cells_of(index, testing);
    if (!cells) return false;
    const auto go_on = [&](const ArgumentCell& cell, const Count& here) {
      std::vector<std::uint32_t> holding, left;
      for (const std::uint32_t u : cell.uses) holding.push_back(testing[u]);
      std::merge(others.begin(), others.end(), holding.begin(), holding.end(), std::back_inserter(left));
      arguments_[at] = cell.witness;
      return cut(index + 1, left, here);
    };
    bool done = true;
    if (whole_) {
      for (const ArgumentCell& cell : *cells) done = done && go_on(cell, size * Count::of(cell.size));
    } else {
      for (const TellingValue& v : values(at, *cells, testing, others, !size.zero()))
        done = done && go_on((*cells)[v.cell], size * v.size);
    }
    arguments_[at] = 0;
    return done;
  }

  bool emit(const std::vector<std::uint32_t>& uses, const Count& size) {
    if (whole_ && space_.mark().owners - begin_.owners + uses.size() > space_.limits_.call_work) {
      too_many_ = true;
      return false;
    }
    owners_.clear();
    for (const std::uint32_t u : uses) owners_.push_back(all_[u]->pattern);
    space_.calls_.push_back({name_, arch_, arguments_, size, whole_});
    return space_.add(Sort::Syscall, 0, 0, static_cast<std::uint32_t>(space_.calls_.size() - 1), owners_);
  }

  Space& space_;
  std::vector<const Use*> all_;             ///< of the call on one architecture
  std::vector<std::array<bool, 6>> tests_;  ///< by use: which arguments it states conditions on
  std::map<std::pair<int, std::vector<std::uint32_t>>, std::vector<ArgumentCell>> cells_;
  std::map<std::tuple<std::size_t, std::vector<std::uint32_t>, std::uint8_t, bool>, std::vector<TellingValue>> telling_;
  bool whole_ = true, too_many_ = false;
  Space::Mark begin_;
  const linux::Syscall* call_ = nullptr;
  std::string name_;
  linux::Arch arch_ = linux::Arch::x86_64;
  std::array<std::uint64_t, 6> arguments_{};
  std::vector<std::uint32_t> owners_;
};

void Space::cut_calls() { CallCutter(*this).run(); }

}  // namespace agp::analysis
