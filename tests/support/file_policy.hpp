#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "backends/backend.hpp"
#include "backends/oci/backend.hpp"
#include "compiler/model/fact.hpp"
#include "compiler/model/policy.hpp"

/// Policies for tests, built rule by rule without the language.
namespace agp::test {

inline model::PathPattern pattern(std::string_view text) {
  model::PathPattern out = model::path_node("/");
  out.text = text;
  for (std::size_t at = 1; at < text.size();) {
    std::size_t end = text.find('/', at);
    if (end == std::string_view::npos) end = text.size();
    model::PathComponent c;
    if (text.substr(at, end - at) == "**") {
      c.any_depth = true;
    } else {
      c.alternatives.emplace_back();
      for (const char ch : text.substr(at, end - at))
        c.alternatives[0].push_back({ch == '*'   ? model::PathToken::Kind::AnyRun
                                     : ch == '?' ? model::PathToken::Kind::AnyChar
                                                 : model::PathToken::Kind::Literal,
                                     ch == '*' || ch == '?' ? '\0' : ch});
    }
    out.components.push_back(std::move(c));
    at = end + 1;
  }
  return out;
}

inline model::Verbs verbs(std::string_view words) {
  model::Verbs out = 0;
  const std::pair<std::string_view, model::Verbs> table[] = {{"read", model::verbs_read},
                                                             {"write", model::verbs_write},
                                                             {"list", 2},
                                                             {"exec", 4},
                                                             {"modify", 8},
                                                             {"create", 16},
                                                             {"delete", 32}};
  for (const auto& [word, bits] : table)
    if (words.find(word) != std::string_view::npos) out |= bits;
  return out;
}

class FilePolicy {
 public:
  FilePolicy() {
    policy.name = "test";
    policy.run.command = {"/bin/true"};
  }

  FilePolicy& file(model::Effect effect, std::string_view words, std::vector<std::string> paths,
                   std::vector<std::string> except = {}) {
    model::FileBody body;
    body.verbs = verbs(words);
    for (const auto& p : paths) body.patterns.push_back({pattern(p), {}, std::string(words) + " \"" + p + "\""});
    for (const auto& p : except) body.except.push_back({pattern(p), {}, p});
    return rule(effect, std::move(body));
  }
  FilePolicy& allow(std::string_view words, std::vector<std::string> paths, std::vector<std::string> except = {}) {
    return file(model::Effect::Allow, words, std::move(paths), std::move(except));
  }
  FilePolicy& deny(std::string_view words, std::vector<std::string> paths, std::vector<std::string> except = {}) {
    return file(model::Effect::Deny, words, std::move(paths), std::move(except));
  }
  FilePolicy& sock(model::Effect effect, model::Direction direction, const std::string& path) {
    model::UnixBody body;
    body.direction = direction;
    if (path == "@abstract")
      body.abstract = true;
    else
      body.paths.push_back(
          {pattern(path),
           {},
           (direction == model::Direction::Connect ? "connect unix \"" : "listen unix \"") + path + "\""});
    return rule(effect, std::move(body));
  }
  FilePolicy& call(model::Effect effect, const std::string& name) {
    model::SyscallBody body;
    body.patterns.push_back({model::SyscallPattern{name, {}}, {}, name});
    return rule(effect, std::move(body));
  }
  FilePolicy& capability(const std::string& name) {
    model::CapabilityBody body;
    body.names.push_back({name, {}, name});
    return rule(model::Effect::Allow, std::move(body));
  }
  FilePolicy& name_rule(const std::string& host) {
    model::NetBody body;
    body.protocols = static_cast<model::Protocols>(model::Protocol::Tcp);
    model::EndpointPattern e;
    e.name = model::NamePattern{host, false};
    e.ports = model::PortSet::range(443, 443);
    body.endpoints.push_back({e, {}, "connect tcp " + host + ":443"});
    return rule(model::Effect::Allow, std::move(body));
  }
  FilePolicy& rule(model::Effect effect, model::RuleBody body) {
    model::Rule r;
    r.id = "r" + std::to_string(policy.rules.size());
    r.effect = effect;
    r.body = std::move(body);
    policy.rules.push_back(std::move(r));
    return *this;
  }
  FilePolicy& tmpfs(const std::string& target, std::optional<std::uint64_t> size = std::nullopt, bool writable = true) {
    policy.run.mounts.push_back({std::nullopt, target, writable, size, {}});
    return *this;
  }
  FilePolicy& mount(const std::string& source, const std::string& target, bool writable = false) {
    policy.run.mounts.push_back({source, target, writable, std::nullopt, {}});
    return *this;
  }

  model::Policy policy;
};

inline model::Target debian12() {
  model::Target t;
  t.name = "debian-12";
  t.kernel = {6, 1};
  t.archs = {"x86_64"};
  t.stack = "oci";
  t.runc = {1, 1};
  return t;
}

}  // namespace agp::test
