#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the mail path asks of a store: how it grows, and beside the database itself.

usage: store.py scale sqlite|pgsql [PEOPLE [EVENTS-A-PERSON]]   10,000,000 with 10 each
       store.py pgbench [PEOPLE]                                100,000

scale     fetch, load and commit with many people and events, against 10,000 people with as
          many each.
pgbench   the same on PostgreSQL, against a plain SELECT of one row by its primary key, and an
          UPDATE of one row with the same row of an event, through pgbench -M prepared.

The contestants take turns; what is told are medians of their rounds' medians.
"""

import contextlib
import json
import hashlib
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.daemon import find_build  # noqa: E402
from sandbox.pgsql import Pgsql  # noqa: E402

SQL = pathlib.Path(__file__).resolve().parents[2] / "conf" / "sql"
ROUNDS, SECONDS, SMALL = 5, 4, 10000
FIELDS = ("FirstName", "Interest", "zone")

PGSQL_FILL = """
CREATE TEMP TABLE who AS SELECT decode(md5(i::text), 'hex') AS key, i
    FROM generate_series(1, {people}) i ORDER BY 1;
INSERT INTO merganser.profile SELECT key, 'p' || i || '@shop.example' FROM who;
ALTER TABLE merganser.field DISABLE TRIGGER ALL;
INSERT INTO merganser.field SELECT key, name, 4, 'value' FROM who,
    unnest(ARRAY['FirstName', 'Interest', 'zone']) name ORDER BY 1, 2;
ALTER TABLE merganser.field ENABLE TRIGGER ALL;
INSERT INTO merganser.person (key, version) SELECT key, 1 FROM who;
INSERT INTO merganser.event (at, key, campaign, class, sender, tags, verdict, reason, "until",
    message)
SELECT extract(epoch FROM now())::bigint * 1000000 - n * 3600000000 + i, key, 'spring', 'promo',
    'shop.example', '', 0, 'ok: under every cap', 0, decode(md5(i || 'm' || n), 'hex')
FROM who, generate_series(1, {events}) n;
INSERT INTO merganser.outcome (message, at, verdict, "until", reason)
SELECT message, at, verdict, 0, reason FROM merganser.event;
VACUUM ANALYZE; CHECKPOINT;
"""


def fill_sqlite(path, people, events):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.create_function("md5", 1, lambda i: hashlib.md5(str(i).encode()).digest())
        for name in ("sqlite.sql", "sqlite-2.sql", "sqlite-3.sql"):
            database.executescript((SQL / name).read_text())
        for pragma in ("journal_mode = WAL", "synchronous = OFF",
                       "cache_size = -1000000"):
            database.execute(f"PRAGMA {pragma}")
        indexes = database.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND "
                                   "tbl_name = 'event' AND sql IS NOT NULL").fetchall()
        database.execute("BEGIN")
        database.execute("CREATE TEMP TABLE who AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL "
                         "SELECT i + 1 FROM n WHERE i < ?) SELECT md5(i) AS key, i FROM n ORDER BY 1",
                         (people,))
        database.execute("INSERT INTO profile SELECT key, 'p' || i || '@shop.example' FROM who")
        for field in FIELDS:
            database.execute("INSERT INTO field SELECT key, ?, 4, 'value' FROM who", (field,))
        database.execute("INSERT INTO person (key, version) SELECT key, 1 FROM who")
        for name, _ in indexes:
            database.execute(f"DROP INDEX {name}")
        for n in range(events):
            database.execute(
                "INSERT INTO event (at, key, campaign, class, verdict, reason, message, sender) "
                "SELECT unixepoch() * 1000000 - ? * 3600000000 + i, key, 'spring', 'promo', 0, "
                "'ok: under every cap', randomblob(16), 'shop.example' FROM who", (events - n,))
        for _, sql in indexes:
            database.execute(sql)
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    path.chmod(0o640)


def ask(plugin, people, setting):
    """One round of one thread."""
    build = find_build()
    result = subprocess.run(
        [build / "tests/bench/store", plugin, str(people), "1", str(SECONDS), setting],
        env={**os.environ, "MRG_PLUGIN_DIR": str(build / "plugins/.libs")}, check=True,
        capture_output=True, text=True)
    return json.loads(result.stdout)


def show(rounds):
    """{name: [round]} of fetch and load, and commit; the medians."""
    medians = {}
    for name, each in rounds.items():
        medians[name] = [statistics.median(r[what] for r in each) for what in ("ask_us", "commit_us")]
        print(f"{name:>24}: fetch and load {medians[name][0]:.0f} us, commit "
              f"{medians[name][1]:.0f} us")
    (_, first), (_, second) = medians.items()
    print(f"{'ratio':>24}: {first[0] / second[0]:.2f}, {first[1] / second[1]:.2f}, together "
          f"{sum(first) / sum(second):.2f}")


@contextlib.contextmanager
def filled(plugin, directory, people, events):
    """The setting under which the bench finds a filled store."""
    if plugin == "sqlite":
        fill_sqlite(directory / f"{people}.db", people, events)
        yield f"file={directory}/{people}.db"
        return
    with Pgsql(directory / f"pgsql-{people}",
               options=("max_wal_size=8GB", "shared_buffers=1GB")) as server:
        for name in ("pgsql.sql", "pgsql-2.sql", "pgsql-3.sql"):
            server.ask((SQL / name).read_text())
        server.ask("SELECT merganser.mrg_make_partitions((extract(epoch FROM now()) * 1000000)"
                   "::bigint - n * 2592000000000) FROM generate_series(0, 1) n")
        with open(directory / "fill.sql", "w", encoding="utf-8") as stream:
            stream.write(PGSQL_FILL.format(people=people, events=events))
        subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", directory / "fill.sql",
                        server.conninfo], check=True)
        yield f"conninfo={server.conninfo}"


def scale(directory, plugin, people=10000000, events=10):
    rounds = {f"{people} people": [], f"{SMALL} people": []}
    with filled(plugin, directory, int(people), int(events)) as many, \
            filled(plugin, directory, SMALL, int(events)) as few:
        for _ in range(ROUNDS):
            rounds[f"{people} people"].append(ask(plugin, people, many))
            rounds[f"{SMALL} people"].append(ask(plugin, SMALL, few))
    show(rounds)


SELECT = """\\set i random(1, {people})
SELECT version, history FROM merganser.person WHERE key = decode(md5((:i)::text), 'hex');
"""
UPDATE = """\\set i random(1, {people})
\\set m random(1, 1000000000000)
WITH swapped AS (UPDATE merganser.person SET version = version + 1, history = '1 promo spring'
WHERE key = decode(md5((:i)::text), 'hex') RETURNING key)
INSERT INTO merganser.event (at, key, campaign, class, sender, tags, verdict, reason, "until", message)
SELECT extract(epoch FROM clock_timestamp())::bigint * 1000000, key, 'spring', 'promo', 'shop.example', '',
0, 'ok: bench', 0, decode(md5((:m)::text), 'hex') FROM swapped;
"""


def pgbench_median(directory, conninfo, script):
    (directory / "script").write_text(script)
    for log in directory.glob("log.*"):
        log.unlink()
    subprocess.run(["pgbench", "-n", "-M", "prepared", "-T", str(SECONDS), "-f",
                    directory / "script", "-l", f"--log-prefix={directory}/log", conninfo],
                   check=True, capture_output=True)
    lines = [line for log in directory.glob("log.*") for line in log.read_text().splitlines()]
    return statistics.median(int(line.split()[2]) for line in lines)


def pgbench(directory, people=100000):
    ours, theirs = [], []
    with filled("pgsql", directory, int(people), 10) as setting:
        conninfo = setting.partition("=")[2]
        for _ in range(ROUNDS):
            ours.append(ask("pgsql", people, setting))
            theirs.append({"ask_us": pgbench_median(directory, conninfo, SELECT.format(people=people)),
                           "commit_us": pgbench_median(directory, conninfo,
                                                       UPDATE.format(people=people))})
    show({"merganser": ours, "pgbench": theirs})


def main():
    what = {"scale": scale, "pgbench": pgbench}[sys.argv[1]]
    directory = pathlib.Path(tempfile.mkdtemp(prefix="merganser-bench-"))
    directory.chmod(0o755)
    try:
        what(directory, *sys.argv[2:])
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
