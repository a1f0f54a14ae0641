#include "backends/seccomp/emit/program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "backends/seccomp/emit/dispatch.hpp"
#include "backends/seccomp/format.hpp"

// Comes in: a decision for each call. Goes out: instructions. The program reads, in order: architecture and number; a
// tree over maximal ranges of numbers with one outcome; for each call that depends on arguments its decision diagram,
// word by word; returns. Written from the end (assembler.hpp).
namespace agp::backends::seccomp {
namespace {

using Ref = Diagram::Ref;
using Label = Assembler::Label;

/// The word of seccomp_data that the accumulator holds, whole, when a block is entered; after `and` it holds none.
struct Accumulator {
  bool known = false;
  unsigned argument = 0;
  bool low = false;
  bool serves(const View& v) const { return known && argument == v.argument && low == v.low; }
};

class Builder {
 public:
  explicit Builder(const Decisions& decisions) : in_(decisions) {}

  Program run() {
    ranges();
    owners();
    for (const Ref r : roots_) find_loads(r, {});
    for (const Ref r : roots_) block(r);
    const Label tree = dispatch();
    require_next(tree);
    const Label number = asm_.plain(format::ld_abs, format::offset_nr, note("system-call number", {}));
    const Label wrong = asm_.result(format::ret_kill_process, note("killed", {}));
    asm_.branch(format::jeq_k, format::arch_x86_64, number, wrong, note("architecture", {}));
    asm_.plain(format::ld_abs, format::offset_arch, note("architecture", {}));
    out_.instructions = asm_.program();
    return std::move(out_);
  }

 private:
  /// Calls in order of number, neighbours with one outcome joined, the gaps and everything from the x32 bit on ENOSYS:
  /// what a kernel answers that has no such call.
  void ranges() {
    const Ref none = Diagram::leaf(format::ret_errno | format::enosys);
    std::uint64_t next = 0;
    const auto add = [&](std::uint32_t first, std::uint32_t last, Ref to, std::optional<std::size_t> call) {
      if (ranges_.empty() || ranges_.back().to != to) ranges_.push_back({first, last, to, 0, {}});
      ranges_.back().last = last;
      if (call) {
        ranges_.back().calls.push_back(*call);
        ++ranges_.back().weight;
      }
    };
    for (std::size_t i = 0; i < in_.calls.size(); ++i) {
      const std::uint32_t number = in_.calls[i].call->number;
      if (number > next) add(static_cast<std::uint32_t>(next), number - 1, none, std::nullopt);
      add(number, number, in_.calls[i].root, i);
      next = std::uint64_t{number} + 1;
    }
    add(static_cast<std::uint32_t>(next), 0xffffffff, none, std::nullopt);
  }

  /// Which calls share a diagram node, for the listing.
  void owners() {
    for (std::size_t i = 0; i < in_.calls.size(); ++i) {
      const Ref root = in_.calls[i].root;
      if (Diagram::is_leaf(root)) continue;
      if (std::find(roots_.begin(), roots_.end(), root) == roots_.end()) roots_.push_back(root);
      std::vector<Ref> open{root};
      std::set<Ref> seen{root};
      while (!open.empty()) {
        const Ref r = open.back();
        open.pop_back();
        owners_[r].push_back(i);
        for (const auto& e : in_.diagram.node(r).edges)
          if (!Diagram::is_leaf(e.to) && seen.insert(e.to).second) open.push_back(e.to);
      }
    }
  }

  /// `w & mask` compared with zero needs no masking: the word itself is tested with jset.
  bool by_set(Ref r) const {
    const auto& n = in_.diagram.node(r);
    return n.view.mask != 0xffffffff && n.edges.size() == 2 && n.edges[0].last == 0;
  }
  Accumulator after(Ref r) const {
    const View& v = in_.diagram.node(r).view;
    return {by_set(r) || v.mask == 0xffffffff, v.argument, v.low};
  }

  /// Marks the nodes that some predecessor enters without their word in the accumulator.
  void find_loads(Ref r, const Accumulator& before) {
    if (Diagram::is_leaf(r)) return;
    if (!before.serves(in_.diagram.node(r).view)) loads_.insert(r);
    if (!visited_.insert(r).second) return;
    for (const auto& e : in_.diagram.node(r).edges) find_loads(e.to, after(r));
  }

  struct Block {
    Label loading = 0, loaded = 0;  ///< entries: with the load, and behind it
  };

  Label target(Ref r, const Accumulator& now) {
    if (Diagram::is_leaf(r)) return asm_.result(Diagram::word(r), note(outcome(Diagram::word(r)), {}));
    const Block& b = blocks_.at(r);
    return now.serves(in_.diagram.node(r).view) ? b.loaded : b.loading;
  }

  /// Writes the code of a node after that of everything it leads to.
  void block(Ref r) {
    if (Diagram::is_leaf(r) || blocks_.count(r)) return;
    const auto& node = in_.diagram.node(r);
    for (const auto& e : node.edges) block(e.to);
    const std::uint32_t about = node_note(r);
    Block b;
    Label entry;
    if (by_set(r)) {
      const Label yes = target(node.edges[1].to, after(r)), no = target(node.edges[0].to, after(r));
      entry = asm_.branch(format::jset_k, node.view.mask, yes, no, about);
    } else {
      entry = compare(r, 0, node.edges.size() - 1, about);
      require_next(entry);
      if (needs_mask(r)) entry = asm_.plain(format::and_k, node.view.mask, about);
    }
    b.loaded = entry;
    b.loading = entry;
    if (loads_.count(r)) {
      require_next(entry);
      const unsigned argument = node.view.argument;
      b.loading = asm_.plain(format::ld_abs,
                             node.view.low ? format::offset_low(argument) : format::offset_high(argument), about);
    }
    blocks_[r] = b;
  }
  bool needs_mask(Ref r) const { return in_.diagram.node(r).view.mask != 0xffffffff; }

  /// A tree over the edges i..j of a node; returns its first test, which is the instruction written last.
  Label compare(Ref r, std::size_t i, std::size_t j, std::uint32_t about) {
    const auto& edges = in_.diagram.node(r).edges;
    if (i == j) return target(edges[i].to, after(r));
    if (const auto chain = single_values(edges, i, j)) {
      Label next = target(chain->otherwise, after(r));
      for (auto k = chain->singles.rbegin(); k != chain->singles.rend(); ++k) {
        const Label hit = target(edges[*k].to, after(r));
        next = asm_.branch(format::jeq_k, edges[*k].last, hit, next, about);
      }
      return next;
    }
    const std::size_t k = i + (j - i) / 2;
    const Label yes = compare(r, k + 1, j, about);
    const Label no = compare(r, i, k, about);
    return asm_.branch(format::jge_k, edges[k].last + 1, yes, no, about);
  }

  /// At most three single values and one continuation for all others: a chain of equalities is shorter than a tree.
  struct Chain {
    std::vector<std::size_t> singles;
    Ref otherwise;
  };
  static std::optional<Chain> single_values(const std::vector<Diagram::Edge>& edges, std::size_t i, std::size_t j) {
    for (const std::size_t candidate : {i, i + 1}) {
      Chain chain{{}, edges[candidate].to};
      bool fits = true;
      for (std::size_t k = i; k <= j && fits; ++k) {
        if (edges[k].to == chain.otherwise) continue;
        const std::uint32_t first = k == 0 ? 0 : edges[k - 1].last + 1;
        fits = edges[k].last == first && chain.singles.size() < 3;
        chain.singles.push_back(k);
      }
      if (fits) return chain;
    }
    return std::nullopt;
  }

  Label dispatch() {
    tree_ = number_tree(ranges_);
    return number(tree_.root);
  }
  Label number(int at) {
    if (at < 0) return target(ranges_[static_cast<std::size_t>(~at)].to, {});
    const NumberTest& t = tree_.tests[static_cast<std::size_t>(at)];
    const Label yes = number(t.yes), no = number(t.no);
    return asm_.branch(t.equal ? format::jeq_k : format::jge_k, t.k, yes, no, range_note(t));
  }

  /// Code falls through to what was written last.
  void require_next(Label label) {
    if (label + 1 != asm_.size())
      asm_.plain(format::ja, static_cast<std::uint32_t>(asm_.size() - label - 1), note("", {}));
  }

  std::uint32_t note(std::string text, std::vector<std::size_t> rules) {
    const auto [it, fresh] = known_notes_.try_emplace({text, rules}, static_cast<std::uint32_t>(out_.notes.size()));
    if (fresh) out_.notes.push_back({std::move(text), std::move(rules)});
    return it->second;
  }

  std::uint32_t node_note(Ref r) {
    const View& v = in_.diagram.node(r).view;
    std::string text;
    std::set<std::size_t> rules;
    for (const std::size_t i : owners_[r]) {
      const CallDecision& c = in_.calls[i];
      const std::string_view argument = c.call->arguments[v.argument].name;
      if (!text.empty()) text += ", ";
      text += fmt::format("{} {}", c.call->name,
                          argument.empty() ? fmt::format("arg{}", v.argument) : std::string(argument));
      rules.insert(c.rules.begin(), c.rules.end());
    }
    text += v.low ? " (low word)" : " (high word)";
    return note(std::move(text), {rules.begin(), rules.end()});
  }

  /// The calls that a test of the number tree decides: those of ranges it leads to directly.
  std::uint32_t range_note(const NumberTest& t) {
    std::string text;
    std::set<std::size_t> rules;
    for (const int side : {t.no, t.yes}) {
      if (side >= 0) continue;
      const NumberRange& range = ranges_[static_cast<std::size_t>(~side)];
      for (const std::size_t i : range.calls) rules.insert(in_.calls[i].rules.begin(), in_.calls[i].rules.end());
      if (!text.empty()) text += "; ";
      if (range.calls.empty())
        text += "no such call";
      else if (range.calls.size() == 1)
        text += in_.calls[range.calls.front()].call->name;
      else
        text += fmt::format("{} .. {}", in_.calls[range.calls.front()].call->name,
                            in_.calls[range.calls.back()].call->name);
    }
    return note(std::move(text), {rules.begin(), rules.end()});
  }

  static std::string outcome(std::uint32_t word) {
    if (word == format::ret_allow) return "allowed";
    if (word == format::ret_kill_process) return "killed";
    if (word == format::ret_trap) return "SIGSYS";
    const auto name = linux::errno_name(static_cast<int>(word & format::ret_data));
    return name ? std::string(*name) : fmt::format("errno {}", word & format::ret_data);
  }

  const Decisions& in_;
  Assembler asm_;
  Program out_;
  std::vector<NumberRange> ranges_;
  NumberTree tree_;
  std::vector<Ref> roots_;
  std::map<Ref, std::vector<std::size_t>> owners_;
  std::map<Ref, Block> blocks_;
  std::set<Ref> loads_, visited_;
  std::map<std::pair<std::string, std::vector<std::size_t>>, std::uint32_t> known_notes_;
};

}  // namespace

Program assemble(const Decisions& decisions) { return Builder(decisions).run(); }

}  // namespace agp::backends::seccomp
