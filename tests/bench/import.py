#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast `merganser profile import` is, against the database's own bulk load.

usage: import.py sqlite|pgsql [PEOPLE]      1,000,000 people with five fields by default

The peer loads the finished rows, in the order in which the people stand in the file, into the
same tables, with its transaction made durable as ours: `\\copy` of psql, `.import` of sqlite3.
The latter cannot write a BLOB, so its tables are not STRICT and its keys are hexadecimal text
of the same number of bytes.
"""

import contextlib
import csv
import pathlib
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


def timed(command, **options):
    start = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)
    return time.monotonic() - start


class Sqlite:
    def __init__(self, directory):
        self.directory = directory
        self.settings = {}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

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
        tables = "".join((SQL / name).read_text() for name in ("sqlite.sql", "sqlite-2.sql",
                                                         "sqlite-3.sql"))
        load = (tables.replace("STRICT, WITHOUT", "WITHOUT").replace(") STRICT;", ");") +
                "PRAGMA journal_mode = WAL;\nPRAGMA foreign_keys = ON;\n" +
                "".join(f".import --csv {self.directory}/{table} {table}\n"
                        for table in ("profile", "field")))
        return timed(["sqlite3", "-bail", str(self.directory / "bulk.db")], input=load, text=True)


class Postgres(Pgsql):
    def __init__(self, directory):
        super().__init__(directory / "pgsql", options=("max_wal_size=4GB",))
        self.settings = {"store": {"plugin": "pgsql"}, "plugin sqlite": None,
                         "plugin pgsql": {"conninfo": self.conninfo}}
        self.rows = directory

    def psql(self, text):
        return timed(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", self.conninfo], input=text,
                     text=True)

    def finished_rows(self, _):
        order = "substr(address, 7, strpos(address, '@') - 7)::integer"
        self.psql(f"\\copy (SELECT * FROM merganser.profile ORDER BY {order}) "
                  f"TO {self.rows}/profile\n"
                  "TRUNCATE merganser.profile;\nVACUUM;\nCHECKPOINT;\n")

    def bulk_load(self):
        return self.psql(f"\\copy merganser.profile FROM {self.rows}/profile\n")


def main():
    kind = {"sqlite": Sqlite, "pgsql": Postgres}[sys.argv[1]]
    people = int(sys.argv[2]) if len(sys.argv) > 2 else 1000000
    directory = pathlib.Path(tempfile.mkdtemp(prefix="merganser-bench-"))
    directory.chmod(0o755)
    try:
        with kind(directory) as database:
            merganser = Merganser(directory / "merganser", settings=database.settings).prepare()
            write_people(directory / "people.csv", people)
            ours = timed([merganser.build / "merganser", "-c", merganser.conf, "profile", "import",
                          "--undeclared", directory / "people.csv"])
            database.finished_rows(merganser)
            bulk = database.bulk_load()
        print(f"{sys.argv[1]}, {people} people: profile import {ours:.1f} s, bulk load "
              f"{bulk:.1f} s; {bulk / ours:.2f} of the bulk load's speed")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
