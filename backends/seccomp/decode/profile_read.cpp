#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "backends/seccomp/decode/profile.hpp"
#include "backends/seccomp/format.hpp"
#include "compiler/linux/multiplexed.hpp"
#include "compiler/linux/syscalls.hpp"
#include "compiler/source/strict_json.hpp"

// Comes in: the text of a profile or of a config.json. Goes out: rules, as runc 1.1 hands them to libseccomp
// (libcontainer/specconv/spec_linux.go, libcontainer/seccomp/seccomp_linux.go and patchbpf/enosys_linux.go).
namespace agp::backends::seccomp {
namespace {

using Json = nlohmann::json;

struct Failure {
  std::string text;
};

using source::misspelt;

constexpr std::pair<std::string_view, linux::Arch> arch_names[] = {{"SCMP_ARCH_X86_64", linux::Arch::x86_64},
                                                                   {"SCMP_ARCH_X86", linux::Arch::i386},
                                                                   {"SCMP_ARCH_X32", linux::Arch::x32},
                                                                   {"SCMP_ARCH_AARCH64", linux::Arch::aarch64},
                                                                   {"SCMP_ARCH_RISCV64", linux::Arch::riscv64}};

class Reader {
 public:
  Reader(std::string_view at, const model::Target& target, linux::Arch machine) : at_(at), target_(target) {
    archs_.push_back(machine);
  }

  /// Throws Failure, within this file only.
  Profile read(const Json& seccomp) {
    if (!seccomp.is_object()) fail("", "is not an object");
    spelling(
        seccomp, "",
        {"defaultAction", "defaultErrnoRet", "architectures", "flags", "syscalls", "listenerPath", "listenerMetadata"});
    Profile out;
    refuse_what_an_engine_decides(seccomp, "");
    if (const auto it = seccomp.find("flags"); it != seccomp.end() && !it->empty())
      fail("/flags", "is not empty, which runc 1.1 refuses");
    architectures(seccomp);
    out.default_word = action(seccomp, "defaultAction", "defaultErrnoRet", "");
    if ((out.default_word & format::ret_action) == format::ret_user_notif)
      fail("/defaultAction", "is SCMP_ACT_NOTIFY, which runc refuses");
    if (const auto it = seccomp.find("syscalls"); it != seccomp.end() && !it->is_null()) {
      if (!it->is_array()) fail("/syscalls", "is not an array");
      for (std::size_t i = 0; i < it->size(); ++i) entry((*it)[i], static_cast<std::uint32_t>(i), out);
    }
    // The stub is made for each architecture listed, from the largest number named for it, unless the default lets
    // calls run (patchbpf: findLastSyscalls, isAllowAction).
    const std::uint32_t how = out.default_word & format::ret_action;
    const bool open = how == format::ret_allow || how == format::ret_log || how == format::ret_trace;
    for (const linux::Arch arch : listed_)
      if (const auto largest = largest_.find(arch); !open && largest != largest_.end())
        out.enosys_above.insert(*largest);
    out.archs = archs_;
    return out;
  }

 private:
  [[noreturn]] void fail(const std::string& where, const std::string& what) const {
    throw Failure{fmt::format("`{}{}` {}", at_, where, what)};
  }

  void spelling(const Json& object, const std::string& where, std::initializer_list<std::string_view> known) const {
    if (const auto key = misspelt(object, known)) fail(where + "/" + *key, "is a field in another spelling");
  }

  /// Docker's and Podman's own extensions never reach a runtime: the engine evaluates them on the machine it runs on.
  void refuse_what_an_engine_decides(const Json& object, const std::string& where) const {
    for (const char* key : {"includes", "excludes", "archMap", "name"})
      if (const auto it = object.find(key); it != object.end() && !it->empty())
        fail(where + "/" + key, "is decided by a container engine before the runtime sees it");
  }

  void architectures(const Json& seccomp) {
    const auto it = seccomp.find("architectures");
    if (it == seccomp.end() || it->is_null()) return;
    if (!it->is_array()) fail("/architectures", "is not an array");
    for (std::size_t i = 0; i < it->size(); ++i) {
      const auto known = std::find_if(std::begin(arch_names), std::end(arch_names),
                                      [&](const auto& row) { return (*it)[i] == row.first; });
      if (known == std::end(arch_names))
        fail(fmt::format("/architectures/{}", i), fmt::format("is {}, of which there is no table", (*it)[i].dump()));
      if (std::find(archs_.begin(), archs_.end(), known->second) == archs_.end()) archs_.push_back(known->second);
      listed_.push_back(known->second);
    }
  }

  std::uint32_t action(const Json& object, const char* key, const char* errno_key, const std::string& where) const {
    const auto it = object.find(key);
    if (it == object.end() || !it->is_string()) fail(where + "/" + key, "is missing or not a string");
    std::uint32_t data = format::eperm;
    const auto value = object.find(errno_key);
    const bool given = value != object.end() && !value->is_null();
    if (given) {
      if (!value->is_number_unsigned()) fail(where + "/" + errno_key, "is not a whole number");
      const auto number = value->get<std::uint64_t>();
      if (number > format::max_errno)
        fail(where + "/" + errno_key, fmt::format("is {}, larger than any errno", number));
      data = static_cast<std::uint32_t>(number);
    }
    const std::string name = it->get<std::string>();
    if (name == "SCMP_ACT_ERRNO") return format::ret_errno | data;
    if (name == "SCMP_ACT_TRACE") return format::ret_trace | data;
    if (given)
      fail(where + "/" + errno_key, fmt::format("has no meaning for {}: runc ignores it, crun refuses it", name));
    if (name == "SCMP_ACT_ALLOW") return format::ret_allow;
    if (name == "SCMP_ACT_LOG") return format::ret_log;
    if (name == "SCMP_ACT_NOTIFY") return format::ret_user_notif;
    if (name == "SCMP_ACT_TRAP") return format::ret_trap;
    if (name == "SCMP_ACT_KILL" || name == "SCMP_ACT_KILL_THREAD") return format::ret_kill_thread;
    if (name == "SCMP_ACT_KILL_PROCESS") return format::ret_kill_process;
    fail(where + "/" + key, fmt::format("is `{}`, which is no action", name));
  }

  void entry(const Json& e, std::uint32_t index, Profile& out) {
    const std::string where = fmt::format("/syscalls/{}", index);
    if (!e.is_object()) fail(where, "is not an object");
    spelling(e, where, {"names", "action", "errnoRet", "args"});
    refuse_what_an_engine_decides(e, where);
    const std::uint32_t word = action(e, "action", "errnoRet", where);
    const auto names = e.find("names");
    if (names == e.end() || !names->is_array()) fail(where + "/names", "is missing or not an array");
    std::vector<Comparison> comparisons;
    if (const auto args = e.find("args"); args != e.end() && !args->is_null()) {
      if (!args->is_array()) fail(where + "/args", "is not an array");
      for (std::size_t i = 0; i < args->size(); ++i)
        comparisons.push_back(comparison((*args)[i], fmt::format("{}/args/{}", where, i)));
    }
    for (std::size_t i = 0; i < names->size(); ++i) {
      if (!(*names)[i].is_string()) fail(fmt::format("{}/names/{}", where, i), "is not a string");
      const std::string name = (*names)[i].get<std::string>();
      if (name.empty()) fail(fmt::format("{}/names/{}", where, i), "is empty, which runc refuses");
      if (name == "write" && (word & format::ret_action) == format::ret_user_notif)
        fail(where, "notifies on `write`, which runc refuses");
      for (const linux::Arch arch : archs_) {
        const linux::Syscall* call = linux::find_syscall(arch, name);
        // libseccomp gives a call that i386 also has behind another one a rule for the number of its own, if there is
        // one, and a rule for the shared call with this first argument (syscalls.c, abi_rule_add).
        const auto shared = arch == linux::Arch::i386 ? linux::find_multiplexed(name) : nullptr;
        if (call) certain(*call, word, out.default_word, fmt::format("{}/names/{}", where, i));
        // libseccomp's own number of a multiplexed call is negative, whether or not it has another (patchbpf).
        if (call && !shared) largest_[arch] = std::max(largest_[arch], call->number);
        if (word == out.default_word) continue;
        if (shared) rules(*linux::find_syscall(arch, shared->call), comparisons, shared->first, word, index, out);
        if (call) rules(*call, comparisons, std::nullopt, word, index, out);
      }
    }
  }

  /// Whether libseccomp knows the name decides between this entry and the default. It matters only where the kernel has
  /// the call.
  void certain(const linux::Syscall& call, std::uint32_t word, std::uint32_t default_word,
               const std::string& where) const {
    const linux::Version named = linux::name_since(call);
    const model::KernelVersion since{call.since.major, call.since.minor}, known{named.major, named.minor};
    if (known > target_.libseccomp_names && since <= target_.kernel && word != default_word)
      fail(where, fmt::format("is `{}`, of Linux {}.{}: the target's libseccomp may not know it, and would drop it",
                              call.name, since.major, since.minor));
  }

  Comparison comparison(const Json& a, const std::string& where) const {
    if (!a.is_object()) fail(where, "is not an object");
    spelling(a, where, {"index", "value", "valueTwo", "op"});
    const auto number = [&](const char* key, bool required) -> std::uint64_t {
      const auto it = a.find(key);
      if (it == a.end() || it->is_null()) {
        if (required) fail(where + "/" + key, "is missing");
        return 0;
      }
      if (!it->is_number_unsigned()) fail(where + "/" + key, "is not a whole number");
      return it->get<std::uint64_t>();
    };
    Comparison c;
    const std::uint64_t index = number("index", true);
    if (index > 5) fail(where + "/index", fmt::format("is {}, and a call has six arguments", index));
    c.argument = static_cast<unsigned>(index);
    c.value = number("value", true);
    const std::uint64_t second = number("valueTwo", false);
    const auto op = a.find("op");
    if (op == a.end() || !op->is_string()) fail(where + "/op", "is missing or not a string");
    const std::string name = op->get<std::string>();
    if (name == "SCMP_CMP_EQ")
      c.op = Comparison::Op::Eq;
    else if (name == "SCMP_CMP_NE")
      c.op = Comparison::Op::Ne;
    else if (name == "SCMP_CMP_LT")
      c.op = Comparison::Op::Lt;
    else if (name == "SCMP_CMP_LE")
      c.op = Comparison::Op::Le;
    else if (name == "SCMP_CMP_GT")
      c.op = Comparison::Op::Gt;
    else if (name == "SCMP_CMP_GE")
      c.op = Comparison::Op::Ge;
    else if (name == "SCMP_CMP_MASKED_EQ") {
      // libseccomp masks the value too (db.c, _db_node_mask_fixup): bits outside the mask are no contradiction.
      c.mask = c.value;
      c.value = second & c.mask;
    } else {
      fail(where + "/op", fmt::format("is `{}`, which is no operator", name));
    }
    return c;
  }

  /// A repeated argument turns an entry's conditions into alternatives (runc, matchCall). `first` takes the place of
  /// what is said about the first argument (abi_rule_add).
  static void rules(const linux::Syscall& call, const std::vector<Comparison>& comparisons,
                    std::optional<std::uint64_t> first, std::uint32_t word, std::uint32_t index, Profile& out) {
    std::array<int, 6> seen{};
    for (const Comparison& c : comparisons) ++seen[c.argument];
    const bool repeated = std::any_of(seen.begin(), seen.end(), [](int n) { return n > 1; });
    const auto add = [&](std::vector<Comparison> list) {
      if (first) {
        std::erase_if(list, [](const Comparison& c) { return c.argument == 0; });
        list.insert(list.begin(), Comparison{0, Comparison::Op::Eq, ~0ull, *first});
      }
      // To libseccomp x32 is an architecture of 32 bits too, though its kernel takes whole registers (arch-x32.c).
      if (call.arch == linux::Arch::i386 || call.arch == linux::Arch::x32)
        for (Comparison& c : list) {
          c.mask &= 0xffffffff;
          c.value &= 0xffffffff;
          c.low_word = true;
        }
      // A comparison under an empty mask always holds and is left out (db.c, _db_rule_gen_64).
      std::erase_if(list, [](const Comparison& c) { return c.mask == 0; });
      out.rules.push_back({call.arch, call.number, std::move(list), word, index});
    };
    if (!repeated) return add(comparisons);
    for (const Comparison& c : comparisons) add({c});
  }

  std::string at_;
  const model::Target& target_;
  std::vector<linux::Arch> archs_, listed_;
  std::map<linux::Arch, std::uint32_t> largest_;
};

}  // namespace

std::variant<Profile, Rejected> read_profile(std::string_view json, std::string_view at, const model::Target& target,
                                             linux::Arch machine) {
  std::string why;
  const auto parsed = source::parse_strict_json(json, 64, why);  // what is read here has less than ten levels
  if (!parsed) return Rejected{why};
  const Json& document = *parsed;
  if (!document.is_object()) return Rejected{"is not a JSON object"};
  try {
    const Json::json_pointer pointer{std::string(at)};
    if (!at.empty()) {
      if (const auto key = misspelt(document, {"linux"}))
        return Rejected{fmt::format("has the field `{}` in another spelling", *key)};
      if (const auto l = document.find("linux"); l != document.end()) {
        if (!l->is_object()) return Rejected{"has a `/linux` that is not an object"};
        if (const auto key = misspelt(*l, {"seccomp"}))
          return Rejected{fmt::format("has the field `{}` in another spelling", *key)};
      }
    }
    if (!document.contains(pointer)) {
      Profile none;
      none.loads_none = true;
      return none;
    }
    return Reader(at, target, machine).read(document.at(pointer));
  } catch (const Failure& f) {
    return Rejected{f.text};
  } catch (const Json::exception& e) {
    return Rejected{fmt::format("can't be read: {}", e.what())};
  }
}

}  // namespace agp::backends::seccomp
