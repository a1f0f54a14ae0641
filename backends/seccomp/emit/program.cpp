#include "backends/seccomp/emit/program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "backends/seccomp/emit/dispatch.hpp"
#include "backends/seccomp/emit/sharing.hpp"
#include "backends/seccomp/emit/words.hpp"
#include "backends/seccomp/format.hpp"

// Comes in: a decision for each call. Goes out: instructions. The program reads, in order: architecture and number; a
// tree over maximal ranges of numbers with one outcome; for each call that depends on arguments its decision diagram,
// word by word; returns. Written from the end (assembler.hpp); tests of numbers that one mask can ask are one
// (sharing.hpp), across architectures too.
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

/// Where the code of argument tests goes.
enum class Layout {
  Apart,  ///< behind the trees over numbers
  Inline  ///< beside the test that leads to it
};

class Builder {
 public:
  Builder(const Decisions& decisions, std::vector<Section> sections) : in_(decisions), sections_(std::move(sections)) {
    for (const Section& s : sections_) ends_.emplace_back(s);
  }

  Program run() {
    owners();
    for (const Ref r : roots_) find_loads(r, {});
    lay(Layout::Apart);
    out_.instructions = asm_.program();
    out_.jumps = asm_.jumps();
    if (out_.jumps > 0) {
      lay(Layout::Inline);
      if (std::pair(asm_.jumps(), asm_.size()) < std::pair(out_.jumps, out_.instructions.size())) {
        out_.instructions = asm_.program();
        out_.jumps = asm_.jumps();
      }
    }
    return std::move(out_);
  }

 private:
  /// The numbers that each side of each test of a tree sends to a range, or on to a gate.
  struct Ends {
    std::vector<std::uint32_t> first;  ///< of a side, in `runs`; and the end of the last one
    std::vector<Run> runs;
    static std::size_t side(int test, bool yes) { return 2 * static_cast<std::size_t>(test) + (yes ? 1 : 0); }
    std::span<const Run> of(std::size_t side) const {
      return std::span(runs).subspan(first[side], first[side + 1] - first[side]);
    }

    explicit Ends(const Section& s) : first(2 * std::max<std::size_t>(s.tree.tests.size(), 1) + 1, 0) {
      struct Reached {
        std::size_t side;
        Run run;
      };
      std::vector<Reached> reached;
      reached.reserve(2 * s.ranges.size());
      for (const NumberRange& r : s.ranges)
        for (std::uint64_t next = r.first; next <= r.last;) {  // numbers that go the same way
          const std::size_t begin = reached.size();
          Run run{static_cast<std::uint32_t>(next), r.last};
          if (s.tree.root < 0) reached.push_back({0, run});
          for (int at = s.tree.root; at >= 0;) {
            const Test& t = s.tree.tests[static_cast<std::size_t>(at)];
            run.last = alike_until(t, run);
            const bool yes = holds(t, run.first);
            const int to = yes ? t.yes : t.no;
            if (to < 0 || s.tree.is_gate(to)) reached.push_back({side(at, yes), run});
            at = to;
          }
          for (std::size_t i = begin; i < reached.size(); ++i) reached[i].run.last = run.last;
          next = std::uint64_t{run.last} + 1;
        }
      for (const Reached& r : reached) ++first[r.side + 1];
      for (std::size_t i = 1; i < first.size(); ++i) first[i] += first[i - 1];
      runs.resize(reached.size());
      std::vector<std::uint32_t> next(first);
      for (const Reached& r : reached) runs[next[r.side]++] = r.run;
    }
    /// The last value of a run up to which the test holds as for the first one, or does not.
    static std::uint32_t alike_until(const Test& t, const Run& r) {
      if (t.kind == Test::Kind::Masked) {
        std::uint32_t v = r.first;
        while (v < r.last && holds(t, v + 1) == holds(t, r.first)) ++v;
        return v;
      }
      if (t.kind == Test::Kind::Set)
        return static_cast<std::uint32_t>(std::min<std::uint64_t>(next_other(t.k, r.first) - 1, r.last));
      if (t.kind == Test::Kind::Eq && t.k == r.first) return r.first;
      return r.first < t.k && t.k <= r.last ? t.k - 1 : r.last;
    }
  };

  void lay(Layout layout) {
    asm_ = {};
    sharing_ = {};
    runs_.clear();
    asked_.clear();
    for (auto& [r, node] : nodes_) node.written = false;
    if (layout == Layout::Apart)
      for (const Ref r : roots_) block(r);
    const std::uint32_t foreign = in_.audit ? format::ret_log : format::ret_kill_process;
    Label next = result(foreign);
    std::size_t runs = 0;
    for (const Ends& e : ends_) runs += e.runs.size();
    runs_.reserve(runs);  // each of them once; Values stay where they are
    for (std::size_t i = sections_.size(); i-- > 0;) next = section(sections_[i], ends_[i], next);
    require_next(next);
    asm_.plain(format::ld_abs, format::offset_arch, note("architecture"));
  }

  /// One architecture: its compare, the number, the tree; `otherwise` is the next architecture's compare.
  Label section(const Section& s, const Ends& ends, Label otherwise) {
    gates_.clear();
    for (std::size_t g = 0; g < s.tree.gates; ++g) gates_.push_back(test(s, ends, static_cast<int>(g)).at);
    const Label tree = s.tree.is_gate(s.tree.root) ? gates_.back() : number(s, ends, s.tree.root, 0).at;
    require_next(tree);
    const Label load = asm_.plain(format::ld_abs, format::offset_nr, note("system-call number"));
    return asm_.branch(format::jeq_k, s.audit_arch, load, otherwise,
                       note(fmt::format("architecture {}", linux::to_string(s.arch))));
  }

  /// Which calls share a diagram node, for the listing.
  void owners() {
    for (const Section& section : sections_)
      for (const NumberRange& range : section.ranges) {
        if (Diagram::is_leaf(range.to)) continue;
        if (Node& node = nodes_[range.to]; !node.root) {
          node.root = true;
          roots_.push_back(range.to);
        }
        std::vector<Ref> open{range.to}, seen{range.to};
        while (!open.empty()) {
          const Ref r = open.back();
          open.pop_back();
          auto& owners = nodes_[r].owners;
          owners.insert(owners.end(), range.calls.begin(), range.calls.end());
          for (const auto& e : in_.diagram.node(r).edges)
            if (!Diagram::is_leaf(e.to)) {
              const auto at = std::lower_bound(seen.begin(), seen.end(), e.to);
              if (at != seen.end() && *at == e.to) continue;
              seen.insert(at, e.to);
              open.push_back(e.to);
            }
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
    Node& node = nodes_[r];
    node.loads |= !before.serves(in_.diagram.node(r).view);
    if (std::exchange(node.visited, true)) return;
    for (const auto& e : in_.diagram.node(r).edges) find_loads(e.to, after(r));
  }

  /// What is known of a diagram's node, and where its code is.
  struct Node {
    std::vector<const CallDecision*> owners;  ///< calls that share it
    std::optional<std::uint32_t> note;
    std::optional<Tree> tree;  ///< of its word
    bool root = false, visited = false;
    bool loads = false;  ///< some predecessor enters it without its word in the accumulator
    bool written = false;
    Label loading = 0, loaded = 0;  ///< entries: with the load, and behind it
  };

  Label result(std::uint32_t word) {
    const auto [it, fresh] = answers_.try_emplace(word, 0);
    if (fresh) it->second = note(outcome(word));
    return asm_.result(word, it->second);
  }

  Label target(Ref r, const Accumulator& now) {
    if (Diagram::is_leaf(r)) return result(Diagram::word(r));
    const Node& b = nodes_.at(r);
    return now.serves(in_.diagram.node(r).view) ? b.loaded : b.loading;
  }

  /// Writes the code of a node after that of everything it leads to.
  void block(Ref r) {
    if (Diagram::is_leaf(r)) return;
    Node& out = nodes_.at(r);
    if (std::exchange(out.written, true)) return;
    const auto& node = in_.diagram.node(r);
    for (const auto& e : node.edges) block(e.to);
    if (!out.note) out.note = node_note(r, out.owners);
    const std::uint32_t about = *out.note;
    Label entry;
    if (by_set(r)) {
      const Label yes = target(node.edges[1].to, after(r)), no = target(node.edges[0].to, after(r));
      entry = asm_.branch(format::jset_k, node.view.mask, yes, no, about);
    } else {
      if (!out.tree) out.tree = word_tree(node);
      entry = word(r, *out.tree, out.tree->root, about);
      require_next(entry);
      if (needs_mask(r)) entry = asm_.plain(format::and_k, node.view.mask, about);
    }
    out.loaded = entry;
    out.loading = entry;
    if (out.loads) {
      require_next(entry);
      const unsigned argument = node.view.argument;
      out.loading = asm_.plain(format::ld_abs,
                               node.view.low ? format::offset_low(argument) : format::offset_high(argument), about);
    }
  }
  bool needs_mask(Ref r) const { return in_.diagram.node(r).view.mask != 0xffffffff; }

  /// The tests of a word, from the one at `at` on; the one asked first is written last.
  Label word(Ref r, const Tree& tree, int at, std::uint32_t about) {
    if (at < 0) return target(in_.diagram.node(r).edges[static_cast<std::size_t>(~at)].to, after(r));
    const Test& t = tree.tests[static_cast<std::size_t>(at)];
    const Label yes = word(r, tree, t.yes, about), no = word(r, tree, t.no, about);
    return asm_.branch(code_of(t), t.k, yes, no, test_note(r, t, about));
  }

  /// The note of one test of a word: of the rules that the node is `about` those whose values it parts.
  std::uint32_t test_note(Ref r, const Test& t, std::uint32_t about) {
    if (t.kind == Test::Kind::Set || out_.notes[about].rules.size() < 2) return about;
    const View& v = in_.diagram.node(r).view;
    Note own{out_.notes[about].text, {}};
    for (const CallDecision* c : nodes_.at(r).owners) {
      if (c->words.empty()) return about;  // one rule alone is about this call, or a loader's need
      const auto first = std::lower_bound(c->words.begin(), c->words.end(), ComparedWord{v.argument, v.low, 0, 0});
      for (auto w = first; w != c->words.end() && w->argument == v.argument && w->low == v.low; ++w) {
        const std::uint32_t word = w->word & v.mask;
        if (word == t.k || (t.kind == Test::Kind::Ge && word + 1 == t.k)) own.rules.push_back(w->rule);
      }
    }
    return own.rules.empty() ? about : add(std::move(own));
  }

  /// A part of a tree over numbers, and the numbers that reach it: those of runs_ from the first to the latest.
  struct Part {
    Label at = 0;
    std::size_t first_run = 0;
    std::uint32_t bits = 0;
    Values values(const std::vector<Run>& runs, std::size_t until) const {
      return {std::span(runs).subspan(first_run, until - first_run), bits};
    }
  };

  /// `side`: where the part is reached from.
  Part number(const Section& s, const Ends& ends, int at, std::size_t side) {
    if (at >= 0 && !s.tree.is_gate(at)) return test(s, ends, at);
    const std::size_t first_run = runs_.size();
    std::uint32_t bits = 0;
    for (const Run& r : ends.of(side)) {
      runs_.push_back(r);
      bits |= bits_of(r);
    }
    if (at >= 0) return {gates_[static_cast<std::size_t>(at)], first_run, bits};
    const Ref to = s.ranges[static_cast<std::size_t>(~at)].to;
    block(to);
    return {target(to, {}), first_run, bits};
  }
  Part test(const Section& s, const Ends& ends, int at) {
    const std::size_t first_run = runs_.size();
    const Test& t = s.tree.tests[static_cast<std::size_t>(at)];
    const Part yes = number(s, ends, t.yes, Ends::side(at, true)), no = number(s, ends, t.no, Ends::side(at, false));
    if (t.kind == Test::Kind::Masked) {
      asked_.push_back({not_shared, &s, &ends, at});
      const std::uint32_t about = range_note(not_shared, asked_.size() - 1);
      asm_.branch(format::jeq_k, t.k, yes.at, no.at, about);
      return {asm_.plain(format::and_k, t.mask, about), first_run, yes.bits | no.bits};
    }
    const Sharing::Test between{yes.at, no.at, yes.values(runs_, no.first_run), no.values(runs_, runs_.size())};
    const auto end = static_cast<Label>(asm_.size());
    if (at != s.tree.root)  // code falls through to it
      if (const auto joined = sharing_.join(between, end > near ? end - near : 0)) {
        asked_.push_back({joined->test, &s, &ends, at});
        asm_.ask_bits(joined->at, joined->mask, joined->turned, range_note(joined->test, 0));
        return {joined->at, first_run, yes.bits | no.bits};
      }
    const std::size_t here = sharing_.size();
    asked_.push_back({here, &s, &ends, at});
    const Label label = asm_.branch(code_of(t), t.k, yes.at, no.at, range_note(here, asked_.size() - 1));
    sharing_.add(label, between);
    return {label, first_run, yes.bits | no.bits};
  }
  static std::uint16_t code_of(const Test& t) {
    return t.kind == Test::Kind::Ge ? format::jge_k : t.kind == Test::Kind::Eq ? format::jeq_k : format::jset_k;
  }

  /// Code falls through to what was written last.
  void require_next(Label label) {
    if (label + 1 != asm_.size()) asm_.plain(format::ja, static_cast<std::uint32_t>(asm_.size() - label - 1), note(""));
  }

  /// A note without rules.
  std::uint32_t note(std::string_view text) {
    const auto it = std::find_if(plain_.begin(), plain_.end(), [&](auto n) { return out_.notes[n].text == text; });
    if (it != plain_.end()) return *it;
    plain_.push_back(add({std::string(text), {}}));
    return plain_.back();
  }

  std::uint32_t node_note(Ref r, const std::vector<const CallDecision*>& owners) {
    const View& v = in_.diagram.node(r).view;
    Note out;
    std::vector<std::string_view> named;  // a call of several architectures once
    for (const CallDecision* c : owners) {
      out.rules.insert(out.rules.end(), c->rules.begin(), c->rules.end());
      if (std::find(named.begin(), named.end(), c->call->name) != named.end()) continue;
      named.push_back(c->call->name);
      if (!out.text.empty()) out.text += ", ";
      out.text.append(c->call->name).append(" ").append(linux::argument_name(*c->call, static_cast<int>(v.argument)));
    }
    out.text += v.low ? " (low word)" : " (high word)";
    return add(std::move(out));
  }
  /// A note about rules, ascending from here on.
  std::uint32_t add(Note note) {
    std::sort(note.rules.begin(), note.rules.end());
    note.rules.erase(std::unique(note.rules.begin(), note.rules.end()), note.rules.end());
    out_.notes.push_back(std::move(note));
    return static_cast<std::uint32_t>(out_.notes.size() - 1);
  }

  /// What a written test stands for.
  static constexpr std::size_t not_shared = ~std::size_t{0};
  struct Asked {
    std::size_t written;  ///< as sharing_ numbers them; of one that no other joins, `not_shared`
    const Section* section;
    const Ends* ends;
    int test;  ///< of the section's tree
  };

  /// The calls that a test of numbers decides: those of ranges it leads to directly.
  /// `from`: in asked_, none of it is before.
  std::uint32_t range_note(std::size_t written, std::size_t from) {
    Note out;
    for (std::size_t i = from; i < asked_.size(); ++i) {
      if (asked_[i].written != written) continue;
      const Section& s = *asked_[i].section;
      const Test& t = s.tree.tests[static_cast<std::size_t>(asked_[i].test)];
      for (const bool yes : {false, true}) {
        const int to = yes ? t.yes : t.no;
        if (to >= 0) continue;
        if (!s.tree.is_gate(asked_[i].test)) {
          decides(s.ranges[static_cast<std::size_t>(~to)].calls, out);
          continue;
        }
        for (const Run& r : asked_[i].ends->of(Ends::side(asked_[i].test, yes))) {
          const auto first =
              std::lower_bound(s.calls.begin(), s.calls.end(), r.first,
                               [](const CallDecision* c, std::uint32_t n) { return c->call->number < n; });
          auto last = first;
          while (last != s.calls.end() && (*last)->call->number <= r.last) ++last;
          decides({first, last}, out);
        }
      }
    }
    return add(std::move(out));
  }
  /// Notes calls that stand beside each other.
  static void decides(std::span<const CallDecision* const> calls, Note& out) {
    std::size_t rules = out.rules.size();
    for (const CallDecision* c : calls) rules += c->rules.size();
    out.rules.reserve(rules);
    for (const CallDecision* c : calls) out.rules.insert(out.rules.end(), c->rules.begin(), c->rules.end());
    if (!out.text.empty()) out.text += "; ";
    if (calls.empty())
      out.text += "no such call";
    else
      out.text += calls.front()->call->name;
    if (calls.size() > 1) out.text.append(" .. ").append(calls.back()->call->name);
  }

  static std::string outcome(std::uint32_t word) {
    if (word == format::ret_allow) return "allowed";
    if (word == format::ret_kill_process) return "killed";
    if (word == format::ret_trap) return "SIGSYS";
    if (word == format::ret_log) return "reported, and runs";
    const auto name = linux::errno_name(static_cast<int>(word & format::ret_data));
    return name ? std::string(*name) : fmt::format("errno {}", word & format::ret_data);
  }

  /// How far behind a test may be to become another's: what is between that one and its own asker comes on top.
  static constexpr Label near = 160;

  const Decisions& in_;
  const std::vector<Section> sections_;
  std::vector<Ends> ends_;  ///< of each section's tree
  Assembler asm_;
  Program out_;
  std::vector<Ref> roots_;
  std::unordered_map<Ref, Node> nodes_;
  std::map<std::uint32_t, std::uint32_t> answers_;  ///< notes of returns, by word
  Sharing sharing_;
  std::vector<Run> runs_;     ///< of numbers, as the trees lead to them
  std::vector<Label> gates_;  ///< of the architecture that is being written
  std::vector<Asked> asked_;
  std::vector<std::uint32_t> plain_;  ///< notes without rules
};

}  // namespace

Program assemble(const Decisions& decisions, const model::Target& target) {
  return Builder(decisions, sections(decisions, Weights(target))).run();
}

}  // namespace agp::backends::seccomp
