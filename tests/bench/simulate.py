#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long `merganser cap simulate` takes over a month of mail, and how much memory.

usage: simulate.py [PEOPLE [MAILS-A-PERSON]]      1,000,000 people with 8 mails each by default
"""

import contextlib
import pathlib
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.daemon import Merganser  # noqa: E402

DAY_US = 86400 * 1000000
CLASSES = ("promo", "promo", "digest", "transactional")


def fill(database, people, mails):
    """Everybody gets a mail in each of so many parts of the month."""
    now_us = time.time_ns() // 1000
    step_us = 30 * DAY_US // mails
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TEMP TABLE who AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
                           "SELECT i + 1 FROM n WHERE i < ?) SELECT randomblob(16) AS key FROM n",
                           (people,))
        for n in range(mails):
            connection.execute(
                "INSERT INTO event (at, key, campaign, class, verdict, reason, message) "
                "SELECT ? + abs(random()) % ?, key, ?, ?, 0, 'ok: under every cap', randomblob(16) "
                "FROM who", (now_us - 30 * DAY_US + n * step_us, step_us, f"campaign-{n}",
                             CLASSES[n % len(CLASSES)]))
        connection.commit()


def main():
    people, mails = [int(word) for word in sys.argv[1:]] + [1000000, 8][len(sys.argv) - 1:]
    directory = pathlib.Path(tempfile.mkdtemp(prefix="merganser-bench-"))
    try:
        merganser = Merganser(directory / "merganser").prepare()
        fill(merganser.database, people, mails)
        for cap in ("weekly limit=1 per=7d", "monthly limit=4 per=28d"):
            start = time.monotonic()
            result = subprocess.run(
                [merganser.build / "merganser", "-c", merganser.conf, "cap", "simulate", "--cap", cap],
                capture_output=True, text=True, check=True)
            print(f"{cap}: {time.monotonic() - start:.1f} s\n{result.stdout}")
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        print(f"{people} people, {mails} mails each; at most {peak} MiB")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


main()
