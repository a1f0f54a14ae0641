#pragma once

/// The language's own example of a whole file.
inline constexpr char whole_file[] = R"agp(agp 1

use std.runtime.python
use std.guard.credentials

/// Where the task's files live. Set with `--set workspace=...`.
param workspace : path = "/workspace"

let api_gateway = 10.0.1.50

/// Runs untrusted code for the platform team.
policy code-execution {
  owner     "platform-security"
  satisfies "AGT-008"

  isolation container ephemeral
  mode      enforce

  include std.runtime.python
  include std.guard.credentials

  file {
    allow read, write  "${workspace}/**"
    allow read         "/task/**", "/config/**"
    deny  write        "${workspace}/.git/hooks/**"    because "git runs hooks outside the sandbox"
  }

  net {
    allow connect tcp api_gateway:443         as "internal API gateway"
    allow connect tcp registry.internal:443   as "package registry"   within 10.0.0.0/8
    resolver 10.0.0.53
  }

  syscall {
    allow @default
    deny  socket(domain == AF_INET6)
    deny  ptrace, process_vm_readv            kill
  }

  env  { set "PATH" = "/usr/bin:/bin"   allow "LANG", "LC_*" }

  tool {
    allow "files.read"
    ask   "payments.*"    risk high   because "money moves"
  }

  limit { cpu 2   memory 4 GiB   pids 256   time 10 min }

  run {
    command "/usr/bin/python3.11", "-I", "/task/main.py"
    user    65534:65534
    mount   tmpfs at "${workspace}" writable size 1 GiB
    mount   "/srv/agents/task"   at "/task"   readonly
    mount   "/srv/agents/config" at "/config" readonly
  }

  on deny {
    log
    alert P1 for write, connect
  }

  accept unenforced tool    because "the MCP gateway loads approvals.json"
  accept narrower write "${workspace}/.git/hooks/**"   because "pinned: renames across .git are refused"
}

/// What no policy of this organisation may ever permit.
invariant no-exfiltration {
  never read "/home/*/.ssh/**"
  never read "/config/**" with connect tcp any:* except 10.0.0.0/8:*
  only  write "/workspace/**", "/tmp/**", "/dev/null"
  require limit memory <= 8 GiB
}

test code-execution {
  allow write "/workspace/out.txt"
  deny  write "/etc/passwd"
  deny  connect tcp 8.8.8.8:53
  ask   tool "payments.transfer"
}
)agp";
