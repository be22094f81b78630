#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the mail path asks of a store: how it grows, and beside the database itself.

usage: store.py scale sqlite|pgsql [PEOPLE [EVENTS-A-PERSON]]   10,000,000 with 10 each
       store.py fill sqlite|pgsql [PEOPLE [EVENTS-A-PERSON]]    the same, without measuring
       store.py pgbench [PEOPLE]                                100,000

scale     fetch, load and commit with many people and events, against 10,000 people with as
          many each.
pgbench   the same on PostgreSQL, against a plain SELECT of one row by its primary key, and an
          UPDATE of one row with the same row of an event, through pgbench -M prepared.

$MERGANSER_BENCH is a folder in which filled databases stay, and are found again.

The contestants take turns; what is told are medians of their rounds, which are medians
themselves, or means against pgbench, which has no others of a statement.
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

# A history at its full length, as store.c keeps it.
HISTORY = "repeat('1700000000000000 promo spring' || chr(10), 8)"

# Two sessions fill at once.  A table that its own transaction emptied needs no log of what is
# written (wal_level minimal), and an index over what is there is cheaper than one that grows.
PGSQL_PEOPLE = """
BEGIN;
TRUNCATE merganser.profile, merganser.person;
ALTER TABLE merganser.profile DROP CONSTRAINT profile_pkey;
ALTER TABLE merganser.person DROP CONSTRAINT person_pkey;
INSERT INTO merganser.profile SELECT key, 'p' || i || '@shop.example',
    '{{"FirstName": "4value", "Interest": "4value", "zone": "4value"}}' FROM who;
INSERT INTO merganser.person (key, version, history) SELECT key, 1, {history} FROM who;
ALTER TABLE merganser.profile ADD PRIMARY KEY (key);
ALTER TABLE merganser.person ADD PRIMARY KEY (key);
COMMIT;
"""
PGSQL_OUTCOMES = """
BEGIN;
TRUNCATE merganser.outcome;
ALTER TABLE merganser.outcome DROP CONSTRAINT outcome_pkey;
INSERT INTO merganser.outcome (message, at, verdict, "until", reason)
SELECT {message}, {at}, 0, 0, 'ok: under every cap' FROM generate_series(1, {events}) n, who;
ALTER TABLE merganser.outcome ADD PRIMARY KEY (message);
COMMIT;
"""
# One a month and person, as a year of mail stands in its partitions.
PGSQL_EVENTS = """
BEGIN;
TRUNCATE merganser.event;
DROP INDEX merganser.event_key_at_id_idx;
INSERT INTO merganser.event (at, key, campaign, class, sender, tags, verdict, reason, "until",
    message)
SELECT {at}, key, 'spring', 'promo', 'shop.example', '', 0, 'ok: under every cap', 0, {message}
FROM generate_series(1, {events}) n, who;
CREATE INDEX ON merganser.event (key, at, id);
COMMIT;
"""
AT = ("(extract(epoch FROM now() - (n % 12) * interval '1 month'))::bigint * 1000000 - i % 1000")
MESSAGE = "int8send(hashint8extended(i, n)) || int8send(hashint8extended(i, -n))"


def fill_pgsql(server, people, events):
    values = {"history": HISTORY, "at": AT, "message": MESSAGE, "events": events}
    for name in ("pgsql.sql", "pgsql-2.sql", "pgsql-3.sql", "pgsql-4.sql"):
        server.ask((SQL / name).read_text())
    server.ask("SELECT merganser.mrg_make_partition(date_trunc('month', localtimestamp) - "
               "n * interval '1 month') FROM generate_series(-2, 12) n")
    server.ask("CREATE UNLOGGED TABLE who AS SELECT decode(md5(i::text), 'hex') AS key, i "
               f"FROM generate_series(1, {people}) i ORDER BY 1")
    work = [subprocess.Popen(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", server.conninfo, "-c",
                              script.format(**values)])
            for script in (PGSQL_PEOPLE + PGSQL_OUTCOMES, PGSQL_EVENTS)]
    if any([each.wait() for each in work]):
        raise SystemExit("the database could not be filled")
    server.ask("DROP TABLE who")
    server.ask("VACUUM ANALYZE")


def fill_sqlite(path, people, events):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.create_function("md5", 1, lambda i: hashlib.md5(str(i).encode()).digest())
        for name in ("sqlite.sql", "sqlite-2.sql", "sqlite-3.sql", "sqlite-4.sql"):
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


def show(rounds, kind="us"):
    """{name: [round]} of fetch and load, and commit; the medians."""
    medians = {}
    for name, each in rounds.items():
        medians[name] = [statistics.median(r[f"{what}_{kind}"] for r in each)
                         for what in ("ask", "commit")]
        print(f"{name:>24}: fetch and load {medians[name][0]:.0f} us, commit "
              f"{medians[name][1]:.0f} us")
    (_, first), (_, second) = medians.items()
    print(f"{'ratio':>24}: {first[0] / second[0]:.2f}, {first[1] / second[1]:.2f}, together "
          f"{sum(first) / sum(second):.2f}")


# What mail touches, and no month that has passed: a server that runs has it in memory.
WARM = """
CREATE EXTENSION IF NOT EXISTS pg_prewarm;
SELECT pg_size_pretty(sum(pg_prewarm(c.oid)) * 8192) FROM pg_class c
WHERE c.relname IN ('person', 'person_pkey', 'profile', 'profile_pkey', 'outcome_pkey')
   OR c.relname LIKE to_char(now(), '"event_"YYYYMM"_key"') || '%'
"""


@contextlib.contextmanager
def filled_pgsql(directory, people, events):
    server = Pgsql(directory, options=(
        "fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0",
        "max_wal_size=16GB", "autovacuum=off", "shared_buffers=1GB", "maintenance_work_mem=1GB"))
    filled = directory / "filled"
    if not filled.exists():
        with server:
            fill_pgsql(server, people, events)
            server.stop("fast")
        filled.touch()
    server.options = ("max_wal_size=8GB", "shared_buffers=6GB")
    server.start()
    print(f"{people:>17} people: read ahead {server.ask(WARM)}", flush=True)
    try:
        yield f"conninfo={server.conninfo}"
    finally:
        server.stop("fast")


@contextlib.contextmanager
def filled(plugin, directory, people, events):
    """The setting under which the bench finds a filled store."""
    if plugin == "sqlite":
        path = directory / f"{people}.db"
        if not path.exists():
            fill_sqlite(path, people, events)
        with open(path, "rb", buffering=0) as stream:  # as a server that runs has it
            while stream.read(1 << 24):
                pass
        yield f"file={path}"
        return
    with filled_pgsql(directory / f"pgsql-{people}", people, events) as setting:
        yield setting


def fill(directory, plugin, people=10000000, events=10):
    for each in (SMALL, int(people)):
        with filled(plugin, directory, each, int(events)):
            pass


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


def pgbench_means(directory, conninfo, people):
    """Of the two statements, in turn as ours: what waits for a commit is cold afterwards."""
    (directory / "script").write_text((SELECT + UPDATE).format(people=people))
    told = subprocess.run(["pgbench", "-n", "-M", "prepared", "-T", str(SECONDS), "-r", "-f",
                           directory / "script", conninfo], check=True, capture_output=True,
                          text=True).stdout
    means = {}
    for line in told.splitlines():
        for what, statement in (("ask_mean_us", "SELECT"), ("commit_mean_us", "WITH")):
            if line.split()[2:3] == [statement]:
                means[what] = float(line.split()[0]) * 1000
    return means


def pgbench(directory, people=100000):
    ours, theirs = [], []
    with filled("pgsql", directory, int(people), 10) as setting:
        for _ in range(ROUNDS):
            ours.append(ask("pgsql", people, setting))
            theirs.append(pgbench_means(directory, setting.partition("=")[2], people))
    show({"merganser": ours, "pgbench": theirs}, "mean_us")


def main():
    what = {"scale": scale, "fill": fill, "pgbench": pgbench}[sys.argv[1]]
    kept = os.environ.get("MERGANSER_BENCH")
    directory = pathlib.Path(kept or tempfile.mkdtemp(prefix="merganser-bench-"))
    directory.mkdir(exist_ok=True)
    directory.chmod(0o755)
    try:
        what(directory, *sys.argv[2:])
    finally:
        if not kept:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
