#include <gtest/gtest.h>

#include <cctype>
#include <iostream>
#include <random>
#include <set>

#include "tests/unit/kubernetes/support.hpp"

// Files with one field or one digit less or other: refuted, refused by name, or the same. No two mutants of a file are
// alike, and most differ by one value.
namespace agp::test {
namespace {

/// Pointers of every member and element, objects and arrays too.
void pointers(const Json& json, const std::string& at, std::vector<std::string>& out) {
  if (!at.empty()) out.push_back(at);
  for (const auto& item : json.items())
    if (json.is_structured()) {
      std::string key = item.key();
      for (std::size_t i = 0; (i = key.find('/', i)) != std::string::npos; i += 2) key.replace(i, 1, "~1");
      pointers(item.value(), at + "/" + key, out);
    }
}

std::string both(const model::Policy& policy, const Files& f) {
  const std::string over = excess(policy, f);
  return over != "proved" ? over : loss(policy, f);
}

TEST(KubernetesMutants, EachFieldOfAPodIsNeeded) {
  // What is written although its absence is the same, so that a reader need not know that; the names of what the pod is
  // called inside; and where a path that is gone is one more that the kernel creates.
  const std::set<std::string> same{"/spec/hostNetwork",
                                   "/spec/hostPID",
                                   "/spec/hostIPC",
                                   "/spec/shareProcessNamespace",
                                   "/spec/hostname",
                                   "/spec/dnsPolicy",
                                   "/spec/securityContext/runAsNonRoot",
                                   "/spec/containers/0/workingDir",
                                   "/spec/containers/0/securityContext/privileged",
                                   "/spec/containers/0/terminationMessagePath"};
  const model::Policy policy = example().policy;
  const Files f = files(policy);
  std::vector<std::string> all;
  pointers(f.pod, "", all);
  std::size_t needed = 0;
  for (const std::string& pointer : all) {
    Files changed = f;
    const Json::json_pointer at(pointer);
    if (f.pod[at.parent_pointer()].is_array())
      changed.pod[at.parent_pointer()].erase(std::stoul(at.back()));
    else
      changed.pod[at.parent_pointer()].erase(at.back());
    const bool writable = at.back() == "readOnly" && f.pod[at] == false;  // false is the default
    const std::string found = both(policy, changed);
    EXPECT_EQ(found == "proved", same.contains(pointer) || writable) << pointer << ": " << found;
    needed += found != "proved";
  }
  EXPECT_GT(needed, 100u);
}

model::Policy drawn(std::mt19937& random) {
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  PolicyBuilder p("drawn");
  p.get().run.command = {"/bin/true"};
  for (unsigned i = 0; i < 3 + below(4); ++i) {
    const bool listens = below(4) == 0;
    const std::string host = listens         ? "any"
                             : below(3) == 0 ? "fd00::" + std::to_string(1 + below(9))
                                             : "10.0." + std::to_string(below(3)) + ".0/24";
    const int first = 1 + static_cast<int>(below(500));
    auto& body = p.net(below(3) || listens ? model::Effect::Allow : model::Effect::Deny, "r" + std::to_string(i),
                       listens ? model::Direction::Listen : model::Direction::Connect, below(2) ? tcp : tcp_udp,
                       {at(host, ports({{first, first + static_cast<int>(below(9))}}))});
    if (listens && below(2)) body.from = addresses("10.9.0.1-10.9.0.7");
  }
  return p.get();
}

TEST(KubernetesMutants, AnotherDigitOfANetworkPolicyIsRefutedOrTheSame) {
  std::mt19937 random(3);
  std::size_t refuted = 0, same = 0, refused = 0;
  for (int i = 0; i < 80; ++i) {
    const model::Policy policy = drawn(random);
    const Files f = files(policy);
    ASSERT_EQ(both(policy, f), "proved") << f.network.dump();
    const std::string text = f.network["spec"].dump();
    std::vector<std::size_t> digits;
    for (std::size_t at = 1; at < text.size(); ++at)
      if (std::isdigit(static_cast<unsigned char>(text[at])) && !std::isalpha(static_cast<unsigned char>(text[at - 1])))
        digits.push_back(at);
    if (digits.empty()) continue;
    std::string mutant = text;
    const std::size_t at = digits[random() % digits.size()];
    mutant[at] = static_cast<char>('0' + (mutant[at] - '0' + 1 + static_cast<int>(random() % 9)) % 10);
    Files changed = f;
    changed.network["spec"] = Json::parse(mutant, nullptr, false);
    const auto before = decode(f.pod.dump(), f.network.dump());
    const auto after = decode(f.pod.dump(), changed.network.dump());
    if (after.packets.empty()) {
      ++refused;
      continue;
    }
    const std::string found = both(policy, changed);
    EXPECT_FALSE(has(found, "unknown")) << found;
    if (found != "proved") {
      ++refuted;
    } else {
      EXPECT_TRUE(equal(*before.packets[0], *after.packets[0])) << mutant;
      ++same;
    }
  }
  std::cout << refuted << " refuted, " << same << " equal, " << refused << " refused\n";
  EXPECT_GE(refuted, 30u);
}

TEST(KubernetesMutants, AnyBytesAreReadOrRefusedWithAReason) {
  std::mt19937 random(4);
  const Files f = files(example().policy);
  const std::string texts[] = {f.pod.dump(), files(drawn(random)).network.dump()};
  constexpr std::string_view alphabet = "{}[]\",:0159-+.eEaZ_/$ \n\\\x01\x80\xff";
  std::size_t read = 0, refused = 0;
  for (int i = 0; i < 3000; ++i) {
    const bool pod = i % 2 == 0;
    std::string text = texts[pod ? 0 : 1];
    for (std::size_t n = 1 + random() % 3; n > 0; --n) {
      const std::size_t at = random() % text.size();
      const char c = alphabet[random() % alphabet.size()];
      if (random() % 3 == 0)
        text.erase(at, 1 + random() % 20);
      else if (random() % 2 == 0)
        text.insert(at, 1, c);
      else
        text[at] = c;
    }
    const auto out = pod ? decode(text, "") : decode("", text);
    const bool made = pod ? out.container != nullptr : !out.packets.empty();
    ASSERT_EQ(made, out.problems.empty()) << text;
    for (const auto& p : out.problems) ASSERT_TRUE(has(p.message, "`kubernetes/")) << p.message;
    ++(made ? read : refused);
  }
  EXPECT_GT(read, 20u);
  EXPECT_GT(refused, 1000u);
}

TEST(KubernetesMutants, EachFieldOfANetworkPolicyIsNeeded) {
  PolicyBuilder b("needed");
  b.get().run.command = {"/bin/true"};
  b.allow("web", tcp, {at("10.0.0.0/8", ports({{440, 445}}))});
  b.deny("not", tcp, {at("10.9.0.0/16", ports({{440, 445}}))});
  b.listen("service", tcp, {at("any", port(8080))}).from = addresses("10.9.0.1");
  const Files f = files(b.get());
  ASSERT_EQ(both(b.get(), f), "proved");
  std::vector<std::string> all;
  pointers(f.network, "", all);
  for (const std::string& pointer : all) {
    Files changed = f;
    const Json::json_pointer at(pointer);
    if (f.network[at.parent_pointer()].is_array())
      changed.network[at.parent_pointer()].erase(std::stoul(at.back()));
    else
      changed.network[at.parent_pointer()].erase(at.back());
    // TCP is the default; without a selector, or with an empty one, every pod of the namespace is selected; without
    // types both are meant, because both lists have an entry
    const bool same = at.back() == "protocol" || pointer == "/spec/podSelector" ||
                      pointer == "/spec/podSelector/matchLabels" ||
                      pointer == "/spec/podSelector/matchLabels/agp-policy" || pointer == "/spec/policyTypes";
    const std::string found = both(b.get(), changed);
    EXPECT_EQ(found == "proved", same) << pointer << ": " << found;
  }
}

}  // namespace
}  // namespace agp::test
