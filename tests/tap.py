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
        note(traceback.format_exc(limit=-3))
        return False
    else:
        print(f"ok {number} - {name}", flush=True)
    return True


def run_all(picked, arguments):
    """The number of cases that failed."""
    return sum(not run_case(n, *each, arguments) for n, each in enumerate(picked, 1))


def run_in(world, picked):
    with world() as made:
        failed = run_all(picked, (made,))
        if failed and hasattr(made, "logs"):
            note(made.logs())
    return failed


def main(world=None):
    """world: makes a context manager whose value every case gets.  Words on the command line
    pick the cases whose names contain them.  The plan comes last: what goes wrong while the
    world is made or taken down is a failed case too."""
    picked = [c for c in CASES if all(word in c[0] for word in sys.argv[1:])]
    try:
        failed = run_in(world, picked) if world else run_all(picked, ())
        print(f"1..{len(picked)}", flush=True)
    except Skip as reason:
        failed = 0
        print(f"1..0 # SKIP {reason}", flush=True)
    except Exception:
        failed = 1
        print("not ok - the world of these tests begins and ends", flush=True)
        note(traceback.format_exc(limit=-3))
    sys.exit(1 if failed else 0)


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")
