// Tokens in the text of a policy, by the forms that their issuers document: a fixed beginning and a length.
#include "compiler/lint/secrets.hpp"

#include <fmt/format.h>

#include <string_view>

#include "compiler/diagnostics/lint_kinds.hpp"

namespace agp::lint {

namespace {

struct Form {
  std::string_view begins;
  std::size_t rest;  ///< letters, digits, `-` and `_` behind it, at least
  std::string_view issuer;
};
constexpr Form forms[] = {
    {"AKIA", 16, "an access key of AWS"},     {"ASIA", 16, "a temporary access key of AWS"},
    {"ghp_", 36, "a token of GitHub"},        {"gho_", 36, "a token of GitHub"},
    {"ghs_", 36, "a token of GitHub"},        {"ghu_", 36, "a token of GitHub"},
    {"github_pat_", 50, "a token of GitHub"}, {"glpat-", 20, "a token of GitLab"},
    {"sk-ant-", 32, "a key of Anthropic"},    {"sk-proj-", 32, "a key of OpenAI"},
    {"xoxb-", 20, "a token of Slack"},        {"xoxp-", 20, "a token of Slack"},
    {"AIza", 35, "a key of Google"},          {"npm_", 36, "a token of npm"},
    {"pypi-", 60, "a token of PyPI"},         {"hf_", 34, "a token of Hugging Face"},
    {"sk_live_", 24, "a key of Stripe"},      {"dop_v1_", 64, "a token of DigitalOcean"},
};

bool token_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

}  // namespace

std::vector<Finding> find_secrets(const source::Files& files, source::FileId file) {
  std::vector<Finding> out;
  const std::string_view text = files.get(file).text;
  const auto put = [&](std::size_t begin, std::size_t end, std::string_view what) {
    const source::Span span{file, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)};
    diagnostics::Diagnostic d(diagnostics::kind::secret_in_policy, span, fmt::format("this has the form of {}", what));
    d.helped("revoke it, and let the sandbox get a new one where it is needed, not from a file under version control");
    out.push_back({std::move(d), span, 0});
  };
  for (const Form& form : forms)
    for (std::size_t at = text.find(form.begins); at != std::string_view::npos; at = text.find(form.begins, at + 1)) {
      if (at > 0 && token_byte(text[at - 1])) continue;
      std::size_t end = at + form.begins.size();
      while (end < text.size() && token_byte(text[end])) ++end;
      if (end - at >= form.begins.size() + form.rest) put(at, end, form.issuer);
    }
  for (std::size_t at = text.find("-----BEGIN "); at != std::string_view::npos; at = text.find("-----BEGIN ", at + 1)) {
    const std::string_view line = text.substr(at, text.find('\n', at) - at);
    const std::size_t end = line.find("PRIVATE KEY-----");
    if (end != std::string_view::npos) put(at, at + end + 16, "a private key");
  }
  return out;
}

}  // namespace agp::lint
