#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""stamp: instructions of stamping a copy, as a share of those of rendering it.

    BENCH_BUILD=FOLDER python3 stamp.py BUILD [COPIES]

FOLDER has html.hbs, text.hbs and profiles.ndjson.  Counted by callgrind, so a busy machine
changes nothing.
"""
import os
import re
import subprocess
import sys
import tempfile

MODES = {"static links": [], "links made of values": ["values"],
         "static, HTML looked through": ["scan"]}


def count(program, function, copies, mode):
    """Instructions of one call of the function with all that it calls, on average."""
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--toggle-collect={function}",
             f"--callgrind-out-file={folder}/out", program, str(copies), *mode],
            check=True, capture_output=True, text=True)
    return int(re.search(r"Collected : (\d+)", run.stderr)[1]) / copies


def main():
    program = os.path.join(sys.argv[1], "tests/bench/stamp")
    copies = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    for name, mode in MODES.items():
        render, stamp = (count(program, function, copies, mode)
                         for function in ("render", "stamp"))
        print(f"{name:<28} render {render:9,.0f}  stamp {stamp:9,.0f}  "
              f"ratio {stamp / render:.2f}")


if __name__ == "__main__":
    main()
