#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The instructions of one message through the pipeline, beside GMime parsing and writing it.

usage: pipeline.py [N]     100

callgrind counts N messages and 2N; the difference is what N of them cost, without the start.
No database: tests/bench/pipeline.c says what stands in for it.
"""

import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.daemon import find_build  # noqa: E402

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "conf" / "samples" / "schema.conf"


def count(program, mode, n):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
               program, mode, str(n), SCHEMA]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode or not found:
        raise SystemExit(f"{mode}: {run.stderr}")
    return int(found[1]), run.stdout.split(" bytes")[0]


def cost(program, mode, n):
    """(instructions of one message, its size)"""
    once, size = count(program, mode, n)
    twice, _ = count(program, mode, 2 * n)
    return (twice - once) // n, size


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    program = find_build() / "tests" / "bench" / "pipeline"
    gmime, size = cost(program, "gmime", n)
    intake, _ = cost(program, "intake", n)
    merge, _ = cost(program, "merge", n)
    print(f"a message of {size} bytes, instructions:")
    for what, number in (("GMime, parse and write", gmime), ("intake", intake),
                         ("envelope to edits", merge - intake), ("together", merge)):
        print(f"{what:24} {number:9,} {number / gmime:5.2f}")


main()
