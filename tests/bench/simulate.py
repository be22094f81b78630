#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long `merganser cap simulate` takes over a month of mail, and how much memory.

usage: simulate.py sqlite|pgsql [PEOPLE [MAILS-A-PERSON]]

1,000,000 people with 8 mails each by default, two in a household, 100 in a domain; each tenth agreed
to a profile and did something ten times.  Rows stand in the order of time, as they do when
mail wrote them; everybody gets a mail in each of so many parts of the month.  The database is
filled without its indexes, which are made afterwards.
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
from sandbox.pgsql import Pgsql  # noqa: E402

DAY_US = 86400 * 1000000
CLASSES = ("promo", "promo", "digest", "transactional")
RULES = ("weekly limit=1 per=7d", "monthly limit=4 per=28d",
         "calendar limit=2 per=calendar-week min_gap=24h class=promo",
         "home limit=4 per=7d scope=household", "site limit=100 per=7d scope=domain",
         "adaptive limit=2 limit_min=1 limit_max=4 per=14d")
HOUSEHOLD, DOMAIN, AGREED, ACTS = 2, 100, 10, 10


def parts(people, mails):
    """Begin, step, campaign and class of each part of the month."""
    begin_us, part_us = time.time_ns() // 1000 - 30 * DAY_US, 30 * DAY_US // mails
    for n in range(mails):
        yield (begin_us + n * part_us, part_us // people, f"campaign-{n}",
               CLASSES[n % len(CLASSES)])


class Sqlite:
    settings = {"policy": {"household_field": "interest"}}

    def __init__(self, directory):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def fill(self, merganser, people, mails):
        with contextlib.closing(sqlite3.connect(merganser.database)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            made = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' "
                                      "AND tbl_name = 'event' AND sql NOT NULL").fetchall()
            for name, _ in made:
                connection.execute(f"DROP INDEX {name}")
            connection.execute(
                "CREATE TEMP TABLE who AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 "
                "FROM n WHERE i < ? - 1) SELECT i, randomblob(16) AS key FROM n", (people,))
            for begin, step, campaign, class_name in parts(people, mails):
                connection.execute(
                    "INSERT INTO event (at, key, campaign, class, verdict, reason, message) "
                    "SELECT ? + i * ?, key, ?, ?, 0, 'ok: under every cap', randomblob(16) "
                    "FROM who ORDER BY i", (begin, step, campaign, class_name))
            self.fill_people(connection)
            for _, sql in made:
                connection.execute(sql)
            connection.commit()


    @staticmethod
    def fill_people(connection):
        acts = "".join(f"{time.time_ns() // 1000 - day * DAY_US} open\n"
                       for day in range(5 * ACTS, 0, -5))
        for sql in (f"INSERT INTO profile SELECT key, 'p' || i || '@' || (i / {DOMAIN}) || '.test' "
                    "FROM who ORDER BY key",
                    f"INSERT INTO field SELECT key, 'interest', 4, i / {HOUSEHOLD} FROM who ORDER BY key",
                    "INSERT INTO consent_log (key, purpose, at, state) "
                    f"SELECT key, 'profile', 1, 1 FROM who WHERE i % {AGREED} = 0 ORDER BY key"):
            connection.execute(sql)
        connection.execute("UPDATE person SET engagement = ?", (acts,))


class Postgres(Pgsql):
    def __init__(self, directory):
        super().__init__(directory / "pgsql", options=("fsync=off", "max_wal_size=8GB"))
        self.settings = {"store": {"plugin": "pgsql"}, "plugin sqlite": None,
                         "policy": {"household_field": "interest"},
                         "plugin pgsql": {"conninfo": self.conninfo}}

    def fill(self, _, people, mails):
        for begin, step, campaign, class_name in parts(people, mails):
            self.ask("INSERT INTO merganser.event (at, key, campaign, class, sender, tags, verdict, "
                     f"reason, \"until\", message) SELECT {begin} + i::bigint * {step}, "
                     f"decode(md5(i::text), 'hex'), '{campaign}', '{class_name}', '', '', 0, "
                     "'ok: under every cap', 0, decode(md5(i::text || 'm'), 'hex') "
                     f"FROM generate_series(0, {people} - 1) AS i ORDER BY i")
        acts = "".join(f"{time.time_ns() // 1000 - day * DAY_US} open\n"
                       for day in range(5 * ACTS, 0, -5))
        who = f"FROM generate_series(0, {people} - 1) AS i"
        self.ask("INSERT INTO merganser.profile (key, address, fields) SELECT decode(md5(i::text), "
                 f"'hex'), 'p' || i || '@' || (i / {DOMAIN}) || '.test', "
                 f"jsonb_build_object('interest', '4' || (i / {HOUSEHOLD})) {who}")
        self.ask("INSERT INTO merganser.consent_log (key, purpose, at, state) SELECT "
                 f"decode(md5(i::text), 'hex'), 'profile', 1, 1 {who} WHERE i % {AGREED} = 0")
        self.ask(f"UPDATE merganser.person SET engagement = '{acts}'")
        self.ask("ANALYZE merganser.event")


def main():
    kind = {"sqlite": Sqlite, "pgsql": Postgres}[sys.argv[1]]
    people, mails = [int(word) for word in sys.argv[2:]] + [1000000, 8][len(sys.argv) - 2:]
    directory = pathlib.Path(tempfile.mkdtemp(prefix="merganser-bench-"))
    directory.chmod(0o755)
    try:
        with kind(directory) as database:
            merganser = Merganser(directory / "merganser", settings=database.settings).prepare()
            start = time.monotonic()
            database.fill(merganser, people, mails)
            print(f"filled in {time.monotonic() - start:.0f} s", flush=True)
            for cap in RULES:
                start = time.monotonic()
                result = subprocess.run(
                    [merganser.build / "merganser", "-c", merganser.conf, "cap", "simulate",
                     "--cap", cap], capture_output=True, text=True, check=True)
                print(f"{cap}: {time.monotonic() - start:.1f} s\n{result.stdout}", flush=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        print(f"{sys.argv[1]}, {people} people, {mails} mails each; at most {peak} MiB")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
