#include "backends/seccomp/emit/shorten.hpp"

#include <algorithm>
#include <vector>

namespace agp::backends::seccomp {
namespace {

/// The way to the deepest leaf with the outcome: tests from the root on.
std::vector<int> longest_way(const Tree& tree, std::span<const Piece> pieces, std::uint32_t outcome) {
  std::vector<int> depth(tree.tests.size(), 0), parent(tree.tests.size(), -1);
  int last = -1, longest = -1;
  for (std::size_t i = tree.tests.size(); i-- > 0;)  // the root is the last
    for (const int next : {tree.tests[i].yes, tree.tests[i].no}) {
      if (next >= 0) {
        depth[static_cast<std::size_t>(next)] = depth[i] + 1;
        parent[static_cast<std::size_t>(next)] = static_cast<int>(i);
      } else if (pieces[static_cast<std::size_t>(~next)].outcome == outcome && depth[i] > longest) {
        longest = depth[i];
        last = static_cast<int>(i);
      }
    }
  std::vector<int> way;
  for (; last >= 0; last = parent[static_cast<std::size_t>(last)]) way.push_back(last);
  std::reverse(way.begin(), way.end());
  return way;
}

/// A subtree made anew, and the pieces that its leaves stand for.
struct Part {
  std::vector<Piece> pieces;
  std::vector<std::size_t> stands_for;
  Tree tree;
};

/// By piece: how many tests of a way it passes.
std::vector<std::size_t> passed(const Tree& tree, const std::vector<int>& way, std::span<const Piece> pieces) {
  std::vector<std::size_t> out(pieces.size(), 1);
  for (std::size_t p = 0; p < pieces.size(); ++p)
    for (; out[p] < way.size(); ++out[p]) {
      const Test& t = tree.tests[static_cast<std::size_t>(way[out[p] - 1])];
      if ((holds(t, pieces[p].first) ? t.yes : t.no) != way[out[p]]) break;
    }
  return out;
}

/// The pieces that pass a test after `above` others, as a list without holes: what tests before it have taken out may
/// go to either side.
Part part_of(std::span<const Piece> pieces, const std::vector<std::size_t>& pass, std::size_t above) {
  Part out;
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    if (pass[p] <= above) continue;
    if (!out.pieces.empty() && out.pieces.back().outcome == pieces[p].outcome) {
      out.pieces.back().last = pieces[p].last;
      out.pieces.back().weight += pieces[p].weight;
      continue;
    }
    out.pieces.push_back(pieces[p]);
    out.stands_for.push_back(p);
    if (out.pieces.size() < 2) continue;
    Piece& before = out.pieces[out.pieces.size() - 2];
    if (before.first == before.last)
      out.pieces.back().first = before.last + 1;  // a single value stays one: an equality may ask for it
    else
      before.last = pieces[p].first - 1;
  }
  return out;
}

/// Plans the part within `room` tests: with its weights, but none of them less than a share, else with equal ones.
/// The fuller the room, the larger the shares have to be.
bool planned(Part& part, std::uint32_t outcome, std::size_t room) {
  const std::size_t n = part.pieces.size(), most = std::size_t{1} << std::min<std::size_t>(room, 20);
  if (n > most - most / 12) return false;
  std::uint64_t total = 1;
  for (const Piece& p : part.pieces) total += p.weight;
  for (const std::size_t share : {room, room / 2, std::size_t{0}}) {
    if (share > 0 && n > (share == room ? most / 4 : most / 4 * 3)) continue;
    for (Piece& p : part.pieces) p.weight = std::max(p.weight, (total >> share) + 1);
    part.tree = two_way_tree(part.pieces);
    if (longest_way(part.tree, part.pieces, outcome).size() <= room) return true;
  }
  return false;
}

/// A copy of `from` behind what `to` has, with a part in the place of one test.
class Splice {
 public:
  Splice(const Tree& from, int replaced, const Part& part) : from_(from), replaced_(replaced), part_(part) {}
  Tree run() {
    out_.tests.reserve(from_.tests.size() + part_.tree.tests.size());
    out_.root = copy(from_.root);
    return std::move(out_);
  }

 private:
  int copy(int at) {
    if (at < 0) return at;
    if (at == replaced_) return copy_part(part_.tree.root);
    const Test& t = from_.tests[static_cast<std::size_t>(at)];
    const int no = copy(t.no), yes = copy(t.yes);
    return push({t.kind, t.k, yes, no});
  }
  int copy_part(int at) {
    if (at < 0) return ~static_cast<int>(part_.stands_for[static_cast<std::size_t>(~at)]);
    const Test& t = part_.tree.tests[static_cast<std::size_t>(at)];
    const int no = copy_part(t.no), yes = copy_part(t.yes);
    return push({t.kind, t.k, yes, no});
  }
  int push(const Test& t) {
    out_.tests.push_back(t);
    return static_cast<int>(out_.tests.size() - 1);
  }

  const Tree& from_;
  int replaced_;
  const Part& part_;
  Tree out_;
};

}  // namespace

Tree shortened(Tree tree, std::span<const Piece> pieces, std::uint32_t outcome, std::size_t most) {
  for (std::size_t round = 0; round < pieces.size(); ++round) {
    const std::vector<int> way = longest_way(tree, pieces, outcome);
    if (way.size() <= most) break;
    const std::vector<std::size_t> pass = passed(tree, way, pieces);
    bool better = false;
    for (std::size_t above = most; !better && above-- > 0;) {
      const std::size_t room = most - above;
      const auto count = std::count_if(pass.begin(), pass.end(), [above](std::size_t n) { return n > above; });
      if (room < 20 && static_cast<std::size_t>(count) > std::size_t{1} << room) continue;
      Part part = part_of(pieces, pass, above);
      better = planned(part, outcome, room);
      if (better) tree = Splice(tree, way[above], part).run();
    }
    if (!better) break;
  }
  return tree;
}

}  // namespace agp::backends::seccomp
