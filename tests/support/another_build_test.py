#!/usr/bin/python3
"""A run of another build is well only where its tests ran, and said so."""
import unittest

import another_build

FINE = "100% tests passed, 0 tests failed out of 12\n"


class Tally(unittest.TestCase):
    def test_what_is_well(self):
        self.assertEqual(another_build.tally(0, FINE), ("12 tests by clang {clang}, address and undefined: 0 failed, 0 reports", True))

    def test_what_is_not(self):
        for code, said in ((8, FINE), (0, ""), (0, "100% tests passed, 0 tests failed out of 0\n"),
                           (0, "92% tests passed, 1 tests failed out of 12\n"),
                           (0, FINE + "x.cpp:1:2: runtime error: signed integer overflow\n"),
                           (0, FINE + "==1==ERROR: AddressSanitizer: heap-use-after-free\n")):
            self.assertFalse(another_build.tally(code, said)[1], said)


if __name__ == "__main__":
    unittest.main()
