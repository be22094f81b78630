# SPDX-License-Identifier: Apache-2.0
"""TAP for the tests written in Python: @case registers, main() runs and prints."""

import os
import sys
import traceback

CASES = []


class Skip(Exception):
    """Raised by a case, or by the set-up, that lacks something; says what."""


def case(function):
    CASES.append((function.__name__.replace("_", " "), function))
    return function


def equal(actual, expected, what="value"):
    if actual != expected:
        raise AssertionError(f"{what}: got {shorten(actual)}, expected {shorten(expected)}")


def contains(text, part, what="text"):
    if part not in text:
        raise AssertionError(f"{what}: {shorten(part)} is not in {shorten(text)}")


def lacks(text, part, what="text"):
    if part in text:
        raise AssertionError(f"{what}: {shorten(part)} is in {shorten(text)}")


def true(condition, what):
    if not condition:
        raise AssertionError(what)


def shorten(value):
    text = repr(value)
    return text if len(text) <= 1500 else f"{text[:700]} ... {text[-700:]}"


def note(text):
    for line in text.rstrip("\n").splitlines():
        print(f"# {line}", flush=True)


def run_case(number, name, function, arguments):
    try:
        function(*arguments)
    except Skip as reason:
        print(f"ok {number} - {name} # SKIP {reason}", flush=True)
    except Exception:
        print(f"not ok {number} - {name}", flush=True)
        note(traceback.format_exc())
        return False
    else:
        print(f"ok {number} - {name}", flush=True)
    return True


def main(world=None):
    """world: makes a context manager whose value every case gets.  An argument on the
    command line picks the cases whose name contains it."""
    picked = [c for c in CASES if all(word in c[0] for word in sys.argv[1:])]
    failed = 0
    try:
        if world is None:
            print(f"1..{len(picked)}", flush=True)
            failed = sum(not run_case(n, *c, ()) for n, c in enumerate(picked, 1))
        else:
            with world() as made:
                print(f"1..{len(picked)}", flush=True)
                for n, c in enumerate(picked, 1):
                    if not run_case(n, *c, (made,)):
                        failed += 1
                if failed and hasattr(made, "logs"):
                    note(made.logs())
    except Skip as reason:
        print(f"1..0 # SKIP {reason}", flush=True)
    sys.exit(1 if failed else 0)


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")
