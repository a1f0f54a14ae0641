// System calls -> cells: call by call; for each argument that some pattern tests, the cells of its values; then their
// product, where a pattern drops out as soon as one of its conditions fails. Each architecture has cells of its own.
#include <fmt/format.h>

#include <bit>
#include <map>

#include "compiler/analysis/space.hpp"
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
      const SyscallPattern& pattern = (ref.except ? body->except : body->patterns)[ref.pattern].pattern;
      by_call[pattern.name].push_back({p, &pattern, (rule.effect != Effect::Allow) != ref.except});
    }
    for (const auto& [name, uses] : by_call)
      for (const linux::Arch arch : space_.limits_.archs) {
        describe(name, arch);
        std::vector<const Use*> all;
        for (const Use& use : uses)
          if (use.what->archs.has(arch)) all.push_back(&use);
        if (call_ && !cut(0, all)) {
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
  };

  void describe(const std::string& name, linux::Arch arch) {
    call_ = linux::find_syscall(arch, name);
    name_ = name;
    arch_ = arch;
    arguments_ = {};
  }
  std::uint64_t mask(int i) const { return call_->arguments[static_cast<std::size_t>(i)].effective_mask; }
  unsigned bits(int i) const { return static_cast<unsigned>(std::popcount(mask(i))); }

  bool cut(int index, const std::vector<const Use*>& uses) {
    if (uses.empty()) return true;
    if (index == 6) return emit(uses);
    std::vector<ArgumentUse> tests;
    bool tested = false;
    for (const Use* use : uses) {
      ArgumentUse one{{}, use->refuses};
      for (const ArgTest& test : use->what->tests)
        if (test.index == index) one.tests.push_back(&test);
      tested = tested || !one.tests.empty();
      tests.push_back(std::move(one));
    }
    if (!tested) return cut(index + 1, uses);
    const auto at = static_cast<std::size_t>(index);
    const auto cells = argument_cells(tests, mask(index), call_->arguments[at].classified);
    if (!cells) return false;
    for (const ArgumentCell& cell : *cells) {
      std::vector<const Use*> here;
      for (const std::uint32_t u : cell.uses) here.push_back(uses[u]);
      arguments_[at] = cell.witness;
      share_[at] = Count::of(cell.size);
      if (!cut(index + 1, here)) return false;
    }
    arguments_[at] = 0;
    share_[at].reset();
    return true;
  }

  bool emit(const std::vector<const Use*>& uses) {
    Count size(1);
    for (int i = 0; i < 6; ++i) {
      const auto& share = share_[static_cast<std::size_t>(i)];
      size = size * (share ? *share : Count::power_of_two(bits(i)));
    }
    std::vector<std::uint32_t> owners;
    for (const Use* use : uses) owners.push_back(use->pattern);
    space_.calls_.push_back({name_, arch_, arguments_, std::move(size)});
    return space_.add(Sort::Syscall, 0, 0, static_cast<std::uint32_t>(space_.calls_.size() - 1), owners);
  }

  Space& space_;
  const linux::Syscall* call_ = nullptr;
  std::string name_;
  linux::Arch arch_ = linux::Arch::x86_64;
  std::array<std::uint64_t, 6> arguments_{};
  std::array<std::optional<Count>, 6> share_;
};

void Space::cut_calls() { CallCutter(*this).run(); }

}  // namespace agp::analysis
