"""Changing one rule of the example changes the observed table accordingly, and nothing else in it."""
import sys
import tempfile
import unittest

import support

AGP, PROBE = sys.argv.pop(1), sys.argv.pop(1)
HOOK = "/workspace/.git/hooks/agp-probe-new"
MADE = f"mkdir -p; create {HOOK}"
SMALL = ("memory 4 GiB", "memory 256 MiB")  # in every variant: the bound is not what is tried here
MOVED = f"mv /workspace/.git /workspace/agp-probe-moved; mkdir -p; create {HOOK}"


def word(row):
    return row["expected"], "permitted" if row["outcome"] == "ok" else "denied"


class Variants(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="agp-test-")
        cls.before = cls.table(support.variant(cls.directory.name, SMALL))

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    @classmethod
    def table(cls, policy):
        status, rows, text = support.observe(AGP, PROBE, policy, cls.directory.name)
        assert status == 0, text
        return rows

    def changed(self, *replacements):
        """{attempt: (before, after)} where the two tables differ; None for an attempt that a table lacks."""
        after = self.table(support.variant(self.directory.name, SMALL, *replacements))
        ids = dict.fromkeys([*self.before, *after])
        rows = {i: tuple(word(t[i]) if i in t else None for t in (self.before, after)) for i in ids}
        return {i: r for i, r in rows.items() if r[0] != r[1]}

    DENIED, PERMITTED = ("denied", "denied"), ("permitted", "permitted")

    def test_the_example_has_every_answer(self):
        rows = {i: word(r) for i, r in self.before.items()}
        self.assertEqual(rows[f'create "{HOOK}"'], self.DENIED)
        self.assertEqual(rows[MADE], self.DENIED)
        self.assertEqual(rows[MOVED], self.DENIED)
        self.assertEqual(rows["connect tcp 10.0.1.50:443"], self.PERMITTED)
        self.assertEqual(rows["connect tcp registry.internal:443"], self.PERMITTED)
        self.assertEqual(rows['list "/proc"'], ("derived", "permitted"))
        self.assertEqual(rows["stay longer than 600 s"], self.DENIED)

    def test_without_the_deny_on_hooks(self):
        got = self.changed(('    deny write "${workspace}/.git/hooks/**" because "git runs hooks outside the sandbox"\n', ""),
                           ('  accept narrower write "${workspace}/.git/hooks/**" because "pinned: renames across .git are refused"\n', ""))
        self.assertEqual(got.pop(MADE), (self.DENIED, self.PERMITTED))
        self.assertEqual(got.pop(MOVED), (self.DENIED, self.PERMITTED))
        # What is left are attempts at the boundary of a rule that is gone.
        self.assertTrue(all(after is None for _, after in got.values()), got)
        self.assertTrue(all("/.git/hooks" in i for i in got), got)

    def test_with_a_wider_port(self):
        got = self.changed(("api_gateway:443 ", "api_gateway:443-444 "))
        self.assertEqual(got, {"connect tcp 10.0.1.50:444": (self.DENIED, self.PERMITTED),
                               "connect tcp 10.0.1.50:445": (None, self.DENIED)})

    def test_with_one_more_address(self):
        got = self.changed(("api_gateway:443 ", "[api_gateway, 10.0.1.51]:443 "))
        self.assertEqual(got.pop("connect tcp 10.0.1.51:443"), (self.DENIED, self.PERMITTED))
        self.assertEqual(got, {"connect tcp 10.0.1.52:443": (None, self.DENIED)})

    def test_with_packet_sockets(self):
        got = self.changed(("allow @default\n", """allow @default
    // agp-allow exotic-family until 9999-12-31: the test is about it
    allow socket(domain == AF_PACKET)
"""))
        self.assertEqual(got["filter socket(AF_PACKET, SOCK_RAW, 0)"], (self.DENIED, self.PERMITTED))
        self.assertNotIn("packet socket", got)  # the capability is missing still
        self.assertTrue(all("socket(" in i for i in got), got)


if __name__ == "__main__":
    support.alone()
    unittest.main()
