#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "compiler/model/count.hpp"
#include "compiler/model/interval_cells.hpp"
#include "compiler/model/path_cells.hpp"
#include "compiler/model/policy.hpp"

/// The actions that some rules speak about, cut into cells: on a cell, every pattern of every rule given is constant.
/// Conflicts, dead rules, invariants, difference and counts are all questions about cells and the patterns over them.
namespace agp::analysis {

/// Net: connections and listeners by address. Name: connections by a name of the policy's resolver, where some rule
/// states that name; there an address rule takes part where it can refuse, or where a name is refused.
enum class Sort : std::uint8_t { File, Net, Name, Unix, Syscall, Capability, Env, Tool };
inline constexpr std::size_t sorts = 8;
std::string_view to_string(Sort sort);       ///< "file", "net", "names", …
std::string verb_words(model::Verbs verbs);  ///< as the language writes them: `read`, `read, write`, `modify`

/// One pattern of one rule, or one of its exceptions. `@abstract` is the pattern behind the last path.
struct PatternRef {
  std::uint32_t rule = 0, pattern = 0;
  bool except = false;
};

struct SpaceLimits {
  std::size_t work = 60'000'000;  ///< places where a pattern lies over a cell: 4 bytes each
  std::size_t states = 2'000'000;
  /// Of the work, that for the cells of one system call; beyond it the call has its telling cells (telling.hpp).
  /// Without a limit every call has all its cells.
  std::size_t call_work = ~std::size_t{0};
  std::vector<linux::Arch> archs = {linux::Arch::x86_64};  ///< whose system calls are looked at: the target's
  std::set<std::string> whole_names;  ///< names whose cells all address rules take part in, not only what can refuse
};

class Space {
 public:
  /// Rules of one policy, of two policies, of a policy and an invariant: whose they are is the caller's business.
  /// Expired rules are left out. The rules must outlive the space. Those from `questions` on are no rules of a policy
  /// but sets asked about: a name in them is about connections to whatever address, and no rule on names escapes them.
  explicit Space(std::vector<const model::Rule*> rules, SpaceLimits limits = {},
                 std::size_t questions = ~std::size_t{0});

  explicit Space(const model::Policy& policy, SpaceLimits limits = {});

  const model::Rule& rule(std::size_t index) const { return *rules_[index]; }
  std::size_t rule_count() const { return rules_.size(); }
  const std::vector<PatternRef>& patterns() const { return patterns_; }
  /// Patterns of a rule are neighbours: its own first, then its exceptions.
  std::uint32_t first_pattern(std::size_t rule) const { return first_pattern_[rule]; }

  std::size_t size() const { return begin_.size() - 1; }
  std::span<const std::uint32_t> over(std::size_t cell) const {  ///< patterns, ascending
    return {owners_.data() + begin_[cell], owners_.data() + begin_[cell + 1]};
  }
  Sort sort(std::size_t cell) const { return shapes_[cell].sort; }
  /// Cells of one plane differ in nothing that a rule names by a word of its own (verb, protocol, direction).
  std::uint32_t plane(std::size_t cell) const { return shapes_[cell].plane; }

  /// Calls `visit(rule, matches)` for each rule with a pattern over the cell: `matches` is false where an exception
  /// takes the cell away from it.
  template <class Visit>
  void each_rule(std::size_t cell, const Visit& visit) const {
    const auto list = over(cell);
    for (std::size_t i = 0; i < list.size();) {
      const std::uint32_t rule = patterns_[list[i]].rule;
      bool in = false, out = false;
      for (; i < list.size() && patterns_[list[i]].rule == rule; ++i) (patterns_[list[i]].except ? out : in) = true;
      if (in) visit(rule, !out);
    }
  }

  /// One action of the cell, and it as text: `write "/a/x"`, `connect tcp 10.0.0.1:443`.
  model::Action witness(std::size_t cell) const;
  std::string witness_text(std::size_t cell) const;
  /// How many actions the cell has: addresses × ports, arguments. Nothing for paths and globs, which are without
  /// number.
  std::optional<model::Count> count(std::size_t cell) const;
  model::Verbs verbs(std::size_t cell) const;  ///< of a File cell
  const model::PathCells& files() const { return files_; }
  std::uint32_t path_cell(std::size_t cell) const { return shapes_[cell].index; }

  /// Why some sort was not cut: a limit. Its rules are in no cell, and nothing is known about them.
  const std::vector<std::pair<Sort, std::string>>& undecided() const { return undecided_; }
  bool decided(Sort sort) const;

  struct NetShape {
    model::Direction direction = model::Direction::Connect;
    model::Protocol protocol = model::Protocol::Tcp;
    model::Numbers addresses, ports, peers;  ///< ports are {0} for icmp; no peers: any
    std::string name;                        ///< of a Name cell
  };
  const NetShape* net(std::size_t cell) const;
  /// False: of a call that has telling cells alone. Their counts add up by decision, and none says how large it is.
  bool whole(std::size_t cell) const;

 private:
  struct Shape {
    Sort sort;
    std::uint8_t detail;  ///< File: verbs. Unix: direction
    std::uint16_t plane;
    std::uint32_t index;  ///< into the sort's own list
  };
  struct CallShape {
    std::string name;
    linux::Arch arch = linux::Arch::x86_64;
    std::array<std::uint64_t, 6> arguments{};
    model::Count size;
    bool whole = true;
  };
  struct Mark {
    std::size_t shapes = 0, owners = 0, calls = 0;
  };
  friend class NetCutter;
  friend class CallCutter;

  void number_rules();
  void cut_files();
  void cut_unix();
  void cut_net();
  void cut_calls();
  void cut_words();
  void cut_texts(model::TextBody::Sort which, Sort sort);
  bool add(Sort sort, std::uint8_t detail, std::uint16_t plane, std::uint32_t index,
           std::span<const std::uint32_t> owners);
  void give_up(Sort sort, std::string why);
  Mark mark() const { return {shapes_.size(), owners_.size(), calls_.size()}; }
  void back_to(const Mark& mark);

  std::vector<const model::Rule*> rules_;
  SpaceLimits limits_;
  std::size_t questions_;
  std::vector<PatternRef> patterns_;
  std::vector<std::uint32_t> first_pattern_;
  std::vector<std::size_t> begin_{0};
  std::vector<std::uint32_t> owners_;
  std::vector<Shape> shapes_;
  model::PathCells files_, unix_;
  std::vector<NetShape> nets_;
  std::vector<CallShape> calls_;
  std::vector<std::string> words_;  ///< capabilities, variables, tools
  std::vector<std::pair<Sort, std::string>> undecided_;
};

}  // namespace agp::analysis
