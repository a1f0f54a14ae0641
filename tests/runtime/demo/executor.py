"""The executor of `agp probe` against denials that are known: filters of this test's own, missing files, small limits.

An executor that called everything denied, or everything permitted, would make every table agree with something; so each
kind is shown here with both answers. Runs as any user; nothing but this process is changed.
"""
import ctypes
import json
import os
import pathlib
import resource
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

PROBE = sys.argv.pop(1)

ALLOW, KILL, KILL_THREAD, TRAP = 0x7FFF0000, 0x80000000, 0x00000000, 0x00030000
EPERM, ENOSYS, EACCES = 1, 38, 13
NR = {"getppid": 110, "socket": 41, "ioctl": 16, "clone3": 435, "ptrace": 101, "write": 1, "unshare": 272}


def errno(e):
    return 0x00050000 | e


def install(rules):
    """A filter that answers the numbers named and permits the rest; raw cBPF, loaded by prctl(2)."""
    code = [struct.pack("HBBI", 0x20, 0, 0, 0)]
    for number, action in rules.items():
        code += [struct.pack("HBBI", 0x15, 0, 1, number), struct.pack("HBBI", 0x06, 0, 0, action)]
    code.append(struct.pack("HBBI", 0x06, 0, 0, ALLOW))
    memory = ctypes.create_string_buffer(b"".join(code))
    program = struct.pack("HxxxxxxP", len(code), ctypes.addressof(memory))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class Executor(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="agp-test-")
        self.path = pathlib.Path(self.directory.name)

    def tearDown(self):
        self.directory.cleanup()

    def run_lines(self, attempts, before=None, head='{"schema":"agp-probe/1"}', env=None):
        lines = self.path / "lines"
        lines.write_text(head + "\n" + "".join(json.dumps({"id": str(i), "attempt": a}) + "\n" for i, a in enumerate(attempts)))
        return subprocess.run([PROBE, lines], capture_output=True, text=True, timeout=60, preexec_fn=before, env=env, check=False)

    def outcomes(self, attempts, before=None, env=None):
        done = self.run_lines(attempts, before, env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        answers = [json.loads(l) for l in done.stdout.splitlines()]
        self.assertEqual([a["id"] for a in answers], [str(i) for i in range(len(attempts))])
        self.assertTrue(all(a["schema"] == "agp-probed/1" for a in answers))
        return [a["outcome"] for a in answers]

    def filters(self, rules, *attempts):
        return self.outcomes([{"kind": "filter", "number": n, "args": list(a)} for n, *a in attempts], lambda: install(rules))

    def test_a_filter_that_permits_lets_the_call_pass_and_nothing_is_executed(self):
        # write to descriptor 1 would show in the output; exit_group would end the attempt without an answer.
        done = self.run_lines([{"kind": "filter", "number": 1, "args": ["1", "text:shown", "5"]}, {"kind": "filter", "number": 231}])
        self.assertNotIn("shown", done.stdout)
        self.assertEqual([json.loads(l)["outcome"] for l in done.stdout.splitlines()], ["ok", "ok"])

    def test_errno_shows_through_also_enosys(self):
        rules = {NR["getppid"]: errno(EPERM), NR["clone3"]: errno(ENOSYS), NR["unshare"]: errno(EACCES)}
        got = self.filters(rules, (NR["getppid"],), (NR["clone3"],), (NR["unshare"],), (NR["ioctl"],))
        self.assertEqual(got, ["EPERM", "ENOSYS", "EACCES", "ok"])

    def test_kill_and_trap_are_signals_and_the_next_attempt_still_runs(self):
        self.assertEqual(self.filters({NR["ptrace"]: KILL, NR["getppid"]: TRAP}, (NR["ptrace"],), (NR["getppid"],), (NR["ioctl"],)),
                         ["SIGSYS", "SIGSYS", "ok"])

    def test_the_end_of_the_calling_thread_alone_is_a_signal_too(self):
        self.assertEqual(self.filters({NR["ptrace"]: KILL_THREAD}, (NR["ptrace"],), (NR["ioctl"],)), ["SIGSYS", "ok"])

    def test_a_call_is_made_with_all_64_bits_of_its_arguments(self):
        # The kernel reads 32 bits of the family: AF_UNIX with a high bit is a socket, family 2^31 is not.
        got = self.outcomes([{"kind": "call", "number": 41, "args": ["0x100000001", "1", "0"]},
                             {"kind": "call", "number": 41, "args": ["0x80000000", "1", "0"]}])
        self.assertEqual(got, ["ok", "EAFNOSUPPORT"])

    def test_a_call_aimed_at_another_process(self):
        got = self.outcomes([{"kind": "call", "number": 62, "args": ["sibling", "0"]}, {"kind": "call", "number": 62, "args": ["0x7ffffff0", "0"]}])
        self.assertEqual(got, ["ok", "ESRCH"])

    def test_a_hang_is_ended_and_so_is_what_it_started(self):
        got = self.outcomes([{"kind": "call", "number": 34, "args": [], "limit_ms": 300}, {"kind": "call", "number": 39}])
        self.assertEqual(got, ["timeout", "ok"])  # pause(2), getpid(2)

    def test_files(self):
        (self.path / "there").write_text("x")
        p = str(self.path)
        attempts = [{"kind": "read", "path": p + "/there"}, {"kind": "read", "path": p + "/missing"},
                    {"kind": "create", "path": p + "/new"}, {"kind": "create", "path": p + "/there"},
                    {"kind": "create", "path": "/proc/agp-probe"}, {"kind": "list", "path": p}, {"kind": "list", "path": p + "/there"},
                    {"kind": "modify", "path": p + "/there"}, {"kind": "delete", "path": p + "/made", "needs": "make"},
                    {"kind": "delete", "path": p + "/missing"}, {"kind": "exec", "path": p + "/made", "needs": "make"},
                    {"kind": "exec", "path": p + "/there"}, {"kind": "mkdir", "path": p + "/d", "mode": 0o755},
                    {"kind": "rename-create", "path": p + "/a/b/x", "move": p + "/a", "to": p + "/moved"},
                    {"kind": "rename", "path": p + "/made", "needs": "make", "to": p + "/other"},
                    {"kind": "rename", "path": p + "/there", "to": "/proc/agp-probe"},
                    {"kind": "rename", "path": p + "/made", "needs": "make", "to": p + "/there"},
                    {"kind": "link", "path": p + "/there", "to": p + "/other"},
                    {"kind": "link", "path": p + "/missing", "to": p + "/other"},
                    {"kind": "link", "path": p, "to": p + "/other"}]
        self.assertEqual(self.outcomes(attempts), ["ok", "ENOENT", "ok", "unprepared", "ENOENT", "ok", "ENOTDIR", "ok", "ok",
                                                   "ENOENT", "ok", "EACCES", "ok", "ok", "ok", "EXDEV", "unprepared", "ok",
                                                   "ENOENT", "EPERM"])
        self.assertEqual((self.path / "there").read_text(), "x")
        self.assertFalse((self.path / "new").exists() or (self.path / "made").exists() or (self.path / "moved").exists()
                         or (self.path / "other").exists())

    def test_a_setuid_bit_is_really_set(self):
        path = str(self.path / "m")
        done = self.run_lines([{"kind": "create", "path": path, "mode": 0o4755}, {"kind": "mknod", "path": path, "mode": 0o104755}])
        self.assertEqual([json.loads(l)["detail"] for l in done.stdout.splitlines()], ["mode 4755", "mode 4755"])

    def test_network(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            tcp = {"kind": "connect", "protocol": "tcp", "port": port}
            got = self.outcomes([{**tcp, "address": "127.0.0.1"}, {**tcp, "address": "::ffff:127.0.0.1"}, {**tcp, "address": "127.0.0.2"}])
        self.assertEqual(got, ["ok", "ok", "ECONNREFUSED"])

    def test_a_socket_that_a_filter_refuses(self):
        self.assertEqual(self.outcomes([{"kind": "connect", "protocol": "tcp", "address": "127.0.0.1", "port": 9}],
                                       lambda: install({NR["socket"]: errno(EPERM)})), ["EPERM"])

    def test_bounds(self):
        def small():
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
            resource.setrlimit(resource.RLIMIT_AS, (256 << 20, 256 << 20))
        got = self.outcomes([{"kind": "files", "count": 64}, {"kind": "files", "count": 65}, {"kind": "memory", "bytes": 32 << 20},
                             {"kind": "memory", "bytes": 512 << 20}, {"kind": "pids", "count": 8}], small)
        self.assertEqual(got, ["ok", "EMFILE", "ok", "ENOMEM", "ok"])

    def test_environment(self):
        self.assertEqual(self.outcomes([{"kind": "env", "name": "A"}, {"kind": "env", "name": "B"}], env={"A": "1"}), ["ok", "ABSENT"])

    def test_capabilities_are_looked_for_in_every_set(self):
        def drop():
            libc = ctypes.CDLL(None)
            libc.capset(struct.pack("II", 0x20080522, 0), struct.pack("IIIIII", 0, 0, 0, 0, 0, 0))
        (before,) = self.outcomes([{"kind": "capability", "number": 13}], drop)
        # Nothing effective is left, but the bounding set still has what it had.
        status = pathlib.Path("/proc/self/status").read_text()
        bounded = int(next(l.split()[1] for l in status.splitlines() if l.startswith("CapBnd")), 16) >> 13 & 1
        self.assertEqual(before, "ok" if bounded else "ABSENT")

    def test_what_is_no_line_of_the_format_is_refused(self):
        for head in ("", "{}", '{"schema":"agp-probe/2"}', '{"schema":"agp-probe/1"', "[" * 100000):
            self.assertEqual(self.run_lines([], head=head).returncode, 2, head[:40])
        self.assertEqual(self.outcomes([{"kind": "no such kind"}, {"kind": "read"}]), ["unprepared", "unprepared"])

    def test_an_attempt_ends_with_what_it_left_behind(self):
        marker = self.path.name
        self.outcomes([{"kind": "call", "number": 62, "args": ["sibling", "0"]}, {"kind": "pids", "count": 5}])
        left = [p for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if marker in self.text(p)]
        self.assertEqual(left, [])

    @staticmethod
    def text(path):
        try:
            return path.read_text()
        except OSError:
            return ""


if __name__ == "__main__":
    unittest.main()
