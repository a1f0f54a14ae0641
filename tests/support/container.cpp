#include "tests/support/container.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "backends/oci/backend.hpp"
#include "compiler/plan/plan.hpp"
#include "tests/support/file_policy.hpp"

#ifndef AGP_LAUNCHER  // only the suites that start it name it
#define AGP_LAUNCHER "landlock-launch"
#endif

namespace agp::test {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// With the usual mode whatever the umask is: the agent must be able to come here.
void make_directories(const fs::path& path) {
  if (fs::exists(path)) return;
  make_directories(path.parent_path());
  fs::create_directory(path);
  chmod(path.c_str(), 0755);
}

void write_file(const fs::path& path, const std::string& text) {
  make_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string filled(std::string word, const std::map<std::string, std::string>& values) {
  for (const auto& [name, value] : values)
    for (std::size_t at = word.find(name); at != std::string::npos; at = word.find(name, at + value.size()))
      word.replace(at, name.size(), value);
  return word;
}

std::vector<std::string> filled(std::vector<std::string> words, const std::map<std::string, std::string>& values) {
  for (std::string& w : words) w = filled(std::move(w), values);
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : " ") + w;
  return out;
}

}  // namespace

Outcome execute(const std::vector<std::string>& words) {
  const Scratch scratch;  // the output goes to files: a pipe would wait for whoever still holds its end
  const std::string out = scratch.path("out"), err = scratch.path("err");
  const pid_t child = fork();
  if (child == 0) {
    const int in = open("/dev/null", O_RDONLY);
    const int o = open(out.c_str(), O_CREAT | O_WRONLY, 0600), e = open(err.c_str(), O_CREAT | O_WRONLY, 0600);
    dup2(in, 0), dup2(o, 1), dup2(e, 2);
    std::vector<char*> argv;
    for (const std::string& w : words) argv.push_back(const_cast<char*>(w.c_str()));
    argv.push_back(nullptr);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  Outcome result;
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.out = read_file(out);
  result.err = read_file(err);
  return result;
}

Outcome run_container(model::Policy policy, const Mutation& mutate, const std::string& stack) {
  static int count = 0;
  policy.name = "test-" + std::to_string(getpid()) + "-" + std::to_string(++count);
  const Scratch scratch;
  const fs::path dir = scratch.directory("built"), run = scratch.path("run");
  auto target = debian12();
  target.stack = stack;
  target.landlock_abi = 2;
  for (const backends::Backend* backend : backends::all()) {
    if (backend->name() != "oci" && backend->name() != "landlock") continue;
    const auto emitted = backend->emit(policy, target, {});
    for (const auto& p : emitted.problems) ADD_FAILURE() << p.message;
    for (const auto& a : emitted.artifacts) write_file(dir / a.path, a.bytes);
  }
  write_file(dir / "nftables/egress.nft", "table inet agp_test {\n}\n");
  write_file(dir / "dns/resolv.conf", "nameserver 127.0.0.53\n");
  write_file(dir / "dns/dnsmasq.conf", "no-resolv\nno-hosts\nbind-interfaces\nlisten-address=127.0.0.53\n");

  const std::map<std::string, std::string> values{
      {"{dir}", dir}, {"{run}", run}, {"{id}", policy.name}, {"{launcher}", AGP_LAUNCHER}};
  const auto commands = plan::stack_commands(policy, target);
  Outcome result;
  for (const auto& command : commands.prepare) {
    const Outcome step = execute(filled(command, values));
    if (step.status == 0) continue;
    result.status = -1;
    result.failed = joined(command);
    result.err = step.err;
    break;
  }
  if (result.failed.empty()) {
    if (mutate) {
      auto config = nlohmann::ordered_json::parse(read_file(run / "config.json"));
      mutate(config);
      write_file(run / "config.json", config.dump(2));
    }
    for (const auto& command : commands.run) result = execute(filled(command, values));
  }
  for (const auto& command : commands.finally)
    if (execute(filled(command, values)).status != 0) result.unfinished.push_back(joined(command));
  EXPECT_FALSE(fs::exists(run)) << "the run directory is left";
  EXPECT_FALSE(fs::exists("/run/netns/agp-" + policy.name)) << "the network namespace is left";
  return result;
}

std::map<std::string, int> attempt(const model::Policy& policy,
                                   const std::vector<std::pair<std::string, std::string>>& attempts,
                                   const Mutation& mutate, const std::string& stack) {
  model::Policy p = policy;
  std::string script = "b=/bin/busybox\n";
  for (const auto& [name, line] : attempts) script += "( " + line + " ) >/dev/null 2>&1; echo " + name + " $?\n";
  p.run.command = {"/bin/busybox", "sh", "-c", script};
  const Outcome result = run_container(p, mutate, stack);
  EXPECT_EQ(result.status, 0) << result.failed << result.err;
  std::map<std::string, int> out;
  std::istringstream lines(result.out);
  std::string name;
  for (int status = 0; lines >> name >> status;) out[name] = status;
  EXPECT_EQ(out.size(), attempts.size()) << result.out << result.err;
  return out;
}

nlohmann::ordered_json& mount_at(nlohmann::ordered_json& config, const std::string& destination) {
  for (auto& m : config["mounts"])
    if (m["destination"] == destination) return m;
  ADD_FAILURE() << "no mount at " << destination;
  return config["mounts"][0];
}

void remove_mount(nlohmann::ordered_json& config, const std::string& destination) {
  auto& mounts = config["mounts"];
  for (std::size_t i = 0; i < mounts.size(); ++i)
    if (mounts[i]["destination"] == destination) {
      mounts.erase(i);
      return;
    }
  ADD_FAILURE() << "no mount at " << destination;
}

void replace_option(nlohmann::ordered_json& config, const std::string& destination, const std::string& from,
                    const std::string& to) {
  bool found = false;
  for (auto& o : mount_at(config, destination)["options"])
    if (o == from) o = to, found = true;
  EXPECT_TRUE(found) << destination << " has no " << from;
}

Scratch::Scratch() {
  std::string name = fs::temp_directory_path() / "agp-test-XXXXXX";
  root_ = mkdtemp(name.data());
  fs::permissions(root_, fs::perms(0755));
}
Scratch::~Scratch() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}
std::string Scratch::path(const std::string& name) const {
  return name.empty() ? root_.string() : (root_ / name).string();
}
std::string Scratch::file(const std::string& name, const std::string& text, int mode) const {
  write_file(root_ / name, text);
  chmod((root_ / name).c_str(), static_cast<mode_t>(mode));
  return root_ / name;
}
std::string Scratch::directory(const std::string& name, int mode) const {
  make_directories(root_ / name);
  chmod((root_ / name).c_str(), static_cast<mode_t>(mode));
  return root_ / name;
}

}  // namespace agp::test
