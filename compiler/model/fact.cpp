#include "compiler/model/fact.hpp"

#include <fmt/format.h>

namespace agp::model {
namespace {

class Collector {
 public:
  explicit Collector(const Policy& policy) : policy_(policy) {}

  std::vector<Fact> run() {
    for (std::size_t i = 0; i < policy_.rules.size(); ++i)
      if (!policy_.rules[i].expired) rule(i);
    const Limits& l = policy_.limits;
    const auto limit = [&](const auto& bound, const char* name) {
      if (bound) add({Fact::Kind::Limit, 0, 0, 0, name, fmt::format("limit {}", name), "limit", bound->span});
    };
    limit(l.cpu_milli, "cpu");
    limit(l.memory_bytes, "memory");
    limit(l.pids, "pids");
    limit(l.time_ms, "time");
    limit(l.files, "files");
    if (policy_.run.user) add({Fact::Kind::User, 0, 0, 0, "", "user", "run", policy_.run.user->span});
    for (std::size_t i = 0; i < policy_.run.mounts.size(); ++i) {
      const Mount& m = policy_.run.mounts[i];
      add({Fact::Kind::Mount, 0, 0, i, "", fmt::format("mount \"{}\"", m.target), "run", m.span});
    }
    for (const char* block : {"file", "net", "syscall"})
      if (policy_.audits(block))
        add({Fact::Kind::Mode, 0, 0, 0, block, fmt::format("mode {}", block), "mode", policy_.mode_span});
    return std::move(out_);
  }

 private:
  void add(Fact f) { out_.push_back(std::move(f)); }

  void rule(std::size_t i) {
    const std::string block = fact_block(policy_.rules[i].body);
    const auto each = [&](const auto& list) {
      for (std::size_t k = 0; k < list.size(); ++k)
        add({Fact::Kind::Pattern, i, k, 0, "", list[k].text, block, list[k].span});
    };
    struct Visit {
      const decltype(each)& all;
      Collector& self;
      std::size_t index;
      void operator()(const FileBody& b) const { all(b.patterns); }
      void operator()(const NetBody& b) const { all(b.endpoints); }
      void operator()(const UnixBody& b) const {
        all(b.paths);
        if (b.abstract)
          self.add({Fact::Kind::Pattern, index, b.paths.size(), 0, "",
                    b.direction == Direction::Connect ? "connect unix @abstract" : "listen unix @abstract", "net",
                    self.policy_.rules[index].span});
      }
      void operator()(const SyscallBody& b) const { all(b.patterns); }
      void operator()(const CapabilityBody& b) const { all(b.names); }
      void operator()(const TextBody& b) const { all(b.patterns); }
    };
    std::visit(Visit{each, *this, i}, policy_.rules[i].body);
  }

  const Policy& policy_;
  std::vector<Fact> out_;
};

}  // namespace

std::vector<Fact> facts(const Policy& policy) { return Collector(policy).run(); }

}  // namespace agp::model
