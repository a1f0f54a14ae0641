#include "tests/unit/sema/support.hpp"

// The standard library: what docs/reference/std.md says of each module, and what lies just beside it.
namespace agp::sema {
namespace {

TEST(Library, Metadata) {
  Analysed a(
      "agp 1\nuse std.guard.metadata\npolicy p { include std.guard.metadata net { allow connect any any:* "
      "resolver 10.0.0.53 allow connect tcp a.example.com:80 within any } }");
  ASSERT_EQ(a.found(), std::vector<std::string>{});
  for (const char* denied :
       {"169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.42.42", "100.100.100.200", "168.63.129.16",
        "192.0.0.192", "[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[fd00:ec2::23]", "[fd20:ce::254]",
        "[fd00:c1::a9fe:a9fe]", "[fd00:42::42]", "[fe80::a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::1]"}) {
    EXPECT_EQ(a.decide("connect tcp " + std::string(denied) + ":80"), Deny) << denied;
    EXPECT_EQ(a.decide("connect icmp " + std::string(denied)), Deny) << denied;
  }
  for (const char* allowed : {"169.254.169.253", "169.254.42.43", "192.0.0.191", "[fd00:ec2::253]",
                              "[64:ff9b::a9fe:a9fd]", "[2002:a9fe:a9ff::1]"})
    EXPECT_EQ(a.decide("connect tcp " + std::string(allowed) + ":80"), Allow) << allowed;
}

TEST(Library, Credentials) {
  Analysed a(
      "agp 1\nuse std.guard.credentials\npolicy p { include std.guard.credentials file { allow read, write \"/**\" } "
      "}");
  ASSERT_EQ(a.found(), std::vector<std::string>{});
  for (const char* denied :
       {"/root/.ssh/id_ed25519", "/home/me/.ssh/config", "/home/me/.aws/credentials", "/home/me/.netrc",
        "/run/secrets/token", "/var/run/secrets/kubernetes.io/serviceaccount/token", "/etc/shadow",
        "/home/me/.config/gcloud/a/b"}) {
    EXPECT_EQ(a.decide("read \"" + std::string(denied) + "\""), Deny) << denied;
    EXPECT_EQ(a.decide("write \"" + std::string(denied) + "\""), Deny) << denied;
  }
  for (const char* allowed :
       {"/home/me/.sshx/id", "/home/me/work/.ssh/id", "/etc/passwd", "/home/me/.netrcs", "/run/secretsx/a"})
    EXPECT_EQ(a.decide("read \"" + std::string(allowed) + "\""), Allow) << allowed;
}

TEST(Library, Python) {
  Analysed a("agp 1\nuse std.runtime.python\npolicy p { include std.runtime.python }");
  ASSERT_EQ(a.found(), std::vector<std::string>{});
  EXPECT_EQ(a.decide("exec \"/usr/bin/python3.11\""), Allow);
  EXPECT_EQ(a.decide("read \"/usr/lib/python3.11/os.py\""), Allow);
  EXPECT_EQ(a.decide("modify \"/dev/null\""), Allow);
  for (const char* denied : {"exec \"/usr/bin/python3\"", "exec \"/usr/bin/sh\"", "write \"/usr/lib/python3.11/os.py\"",
                             "exec \"/usr/lib/python3.11/os.py\"", "read \"/usr/lib/python3/dist-packages/x.py\"",
                             "read \"/etc/passwd\"", "create \"/dev/null\"", "read \"/tmp/x\""})
    EXPECT_EQ(a.decide(denied), Deny) << denied;
}

TEST(Library, DefaultLeavesOutWhatItsPageSays) {
  Analysed a(in_policy("syscall { allow @default }"));
  for (const char* call : {"mount",
                           "unshare",
                           "setns",
                           "pivot_root",
                           "chroot",
                           "kexec_load",
                           "reboot",
                           "bpf",
                           "perf_event_open",
                           "ptrace",
                           "process_vm_readv",
                           "process_vm_writev",
                           "kcmp",
                           "pidfd_getfd",
                           "keyctl",
                           "add_key",
                           "io_uring_setup",
                           "userfaultfd",
                           "memfd_create",
                           "open_by_handle_at",
                           "name_to_handle_at",
                           "clock_settime",
                           "sethostname",
                           "quotactl",
                           "swapon",
                           "clone3",
                           "openat2",
                           "fchmodat2",
                           "init_module",
                           "finit_module",
                           "fsopen",
                           "move_mount",
                           "open_tree",
                           "acct"})
    EXPECT_EQ(a.decide("syscall " + std::string(call) + "()"), Deny) << call;
  for (const char* call : {"read()", "futex()", "execve()", "clone(SIGCHLD)", "socket(AF_UNIX, 1, 0)", "personality(0)",
                           "chmod(0, 0x1ff)"})
    EXPECT_EQ(a.decide("syscall " + std::string(call)), Allow) << call;
  for (const char* call : {"socket(AF_NETLINK, 3, 0)", "socket(AF_VSOCK, 1, 0)", "clone(CLONE_NEWNET)",
                           "personality(0x40000)", "chmod(0, 0x9ff)"})
    EXPECT_EQ(a.decide("syscall " + std::string(call)), Deny) << call;
}

}  // namespace
}  // namespace agp::sema
