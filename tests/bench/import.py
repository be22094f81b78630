#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast `merganser profile import` is, against the database's own bulk load.

usage: import.py [--rounds N] sqlite|pgsql [PEOPLE]

1,000,000 people with five fields and 3 rounds by default.  In each round both load into empty
tables, by turns the one and the other first, and what was written before is on the disk; the
median of the rounds' ratios counts.  CPU is that of the client and of the server's session.

The peer loads the finished rows, in the order in which the people stand in the file, into the
same tables with their indexes, with its transaction made durable as ours: `\\copy` of psql,
`.import` of sqlite3.  The latter cannot write a BLOB, so its tables are not STRICT and its keys
are hexadecimal text of the same number of bytes.
"""

import argparse
import collections
import contextlib
import csv
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.daemon import Merganser  # noqa: E402
from sandbox.pgsql import Pgsql  # noqa: E402
from sandbox.postfix import wait_for  # noqa: E402

SQL = pathlib.Path(__file__).resolve().parents[2] / "conf" / "sql"
FIELDS = ("FirstName", "LastName", "Interest", "City", "Points")
NAMES = ("Ann", "Bob", "Chloé", "Dmitri", "Erika", "Farid", "Grace", "Hiroshi")


def write_people(path, people):
    with open(path, "w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("address",) + FIELDS)
        for n in range(people):
            rows.writerow((f"person{n}@shop.example", NAMES[n % 8], f"Family{n % 997}",
                           f"interest {n % 31}", f"City {n % 101}", n % 1000))


Cost = collections.namedtuple("Cost", "seconds client server")


class Sqlite:
    settings = {}

    def __init__(self, directory):
        self.directory = directory

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    @staticmethod
    def empty(merganser):
        for path in merganser.directory.glob("merganser.db*"):
            path.unlink()
        merganser.tool("db", "init")

    def finished_rows(self, merganser):
        order = "CAST(substr(address, 7, instr(address, '@') - 7) AS INTEGER)"
        with contextlib.closing(sqlite3.connect(merganser.database)) as connection:
            for table, columns in (("profile", "address"), ("field", "name, type, value")):
                join = "JOIN profile USING (key)" if table == "field" else ""
                rows = connection.execute(f"SELECT substr(hex(key), 1, 16), {columns} "
                                          f"FROM {table} {join} ORDER BY {order}")
                with open(self.directory / table, "w", encoding="utf-8", newline="") as stream:
                    csv.writer(stream).writerows(rows)

    def bulk_load(self):
        for path in self.directory.glob("bulk.db*"):
            path.unlink()
        tables = "".join((SQL / name).read_text() for name in ("sqlite.sql", "sqlite-2.sql",
                                                         "sqlite-3.sql", "sqlite-4.sql"))
        load = (tables.replace("STRICT, WITHOUT", "WITHOUT").replace(") STRICT;", ");") +
                "PRAGMA journal_mode = WAL;\nPRAGMA foreign_keys = ON;\n" +
                "".join(f".import --csv {self.directory}/{table} {table}\n"
                        for table in ("profile", "field")))
        return ["sqlite3", "-bail", self.directory / "bulk.db"], load

    def sessions(self):
        """What the server's sessions took that have ended."""
        return 0


class Postgres(Pgsql):
    def __init__(self, directory):
        super().__init__(directory / "pgsql", options=("max_wal_size=4GB", "autovacuum=off"))
        self.settings = {"store": {"plugin": "pgsql"}, "plugin sqlite": None,
                         "plugin pgsql": {"conninfo": self.conninfo}}
        self.rows = directory / "profile"

    def _psql(self):
        return ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", self.conninfo]

    def empty(self, _):
        subprocess.run(self._psql(), input="TRUNCATE merganser.profile;\nVACUUM;\nCHECKPOINT;\n",
                       text=True, check=True)

    def finished_rows(self, _):
        order = "substr(address, 7, strpos(address, '@') - 7)::integer"
        copy = (f"\\copy (SELECT * FROM merganser.profile ORDER BY {order}) TO {self.rows}\n")
        subprocess.run(self._psql(), input=copy, text=True, check=True)

    def bulk_load(self):
        return self._psql(), f"\\copy merganser.profile FROM {self.rows}\n"

    def sessions(self):
        """User and system time of the postmaster's children that it has waited for."""
        server = (self.data / "postmaster.pid").read_text().split()[0]
        idle = "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'"
        wait_for(lambda: self.ask(idle) == "t", 60, "the end of the session")
        times = pathlib.Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
        return (int(times[13]) + int(times[14])) / os.sysconf("SC_CLK_TCK")


def timed(database, command, text=""):
    os.sync()
    sessions = database.sessions()
    start = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          text=True) as client:
        client.stdin.write(text)
        client.stdin.close()
        _, status, usage = os.wait4(client.pid, 0)
        client.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - start
    if client.returncode:
        raise SystemExit(f"{command[0]}: exit {client.returncode}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, database.sessions() - sessions)


def run_round(database, merganser, number, people):
    """Ours and the peer's cost."""
    def ours():
        database.empty(merganser)
        return timed(database, [merganser.build / "merganser", "-c", merganser.conf, "profile",
                                "import", "--undeclared", people])

    def peer():
        database.empty(merganser)
        return timed(database, *database.bulk_load())

    if number % 2:
        costs = [peer(), ours()]
        return costs[1], costs[0]
    cost = ours()
    if number == 0:
        database.finished_rows(merganser)
    return cost, peer()


def show(what, cost):
    return (f"{what} {cost.seconds:.1f} s (CPU: client {cost.client:.1f} s, "
            f"server {cost.server:.1f} s)")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("kind", choices=("sqlite", "pgsql"))
    parser.add_argument("people", type=int, nargs="?", default=1000000)
    given = parser.parse_args()
    kind = {"sqlite": Sqlite, "pgsql": Postgres}[given.kind]
    directory = pathlib.Path(tempfile.mkdtemp(prefix="merganser-bench-"))
    directory.chmod(0o755)
    ratios = []
    try:
        with kind(directory) as database:
            merganser = Merganser(directory / "merganser", settings=database.settings).prepare()
            write_people(directory / "people.csv", given.people)
            for number in range(given.rounds):
                ours, peer = run_round(database, merganser, number, directory / "people.csv")
                ratios.append(peer.seconds / ours.seconds)
                print(f"{show('profile import', ours)}, {show('bulk load', peer)}: "
                      f"{ratios[-1]:.2f}", flush=True)
        print(f"{given.kind}, {given.people} people, {given.rounds} rounds: "
              f"{statistics.median(ratios):.2f} of the bulk load's speed "
              f"({min(ratios):.2f} to {max(ratios):.2f})")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
