#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast `merganser profile import` is, against the database's own bulk load.

usage: import.py [PEOPLE]      1,000,000 people with five fields by default

The peer loads the finished rows, in the order in which the people stand in the file, into the
same tables: `.import` of sqlite3.  That cannot write a BLOB, so the peer's tables are not
STRICT and its keys are hexadecimal text of the same 16 bytes.
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
    subprocess.run(command, check=True, **options)
    return time.monotonic() - start


def finished_rows(database, directory):
    """The rows of the tables that hold anything, in the order of the file of people."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        order = "CAST(substr(address, 7, instr(address, '@') - 7) AS INTEGER)"
        for table, columns in (("profile", "address"), ("field", "name, type, value")):
            rows = connection.execute(
                f"SELECT substr(hex(key), 1, 16), {columns} FROM {table} "
                f"{'JOIN profile USING (key)' if table == 'field' else ''} ORDER BY {order}")
            with open(directory / table, "w", encoding="utf-8", newline="") as stream:
                csv.writer(stream).writerows(rows)


def bulk_load(directory, sources):
    database = directory / "bulk.db"
    tables = "".join((sources / name).read_text() for name in ("sqlite.sql", "sqlite-2.sql"))
    load = (tables.replace("STRICT, WITHOUT", "WITHOUT").replace(") STRICT;", ");") +
            "PRAGMA journal_mode = WAL;\nPRAGMA foreign_keys = ON;\n" +
            f".import --csv {directory}/profile profile\n.import --csv {directory}/field field\n")
    return timed(["sqlite3", "-bail", str(database)], input=load, text=True,
                 stdout=subprocess.DEVNULL)


def main():
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 1000000
    directory = pathlib.Path(tempfile.mkdtemp(prefix="merganser-bench-"))
    try:
        merganser = Merganser(directory / "merganser").prepare()
        write_people(directory / "people.csv", people)
        ours = timed([merganser.build / "merganser", "-c", merganser.conf, "profile", "import",
                      "--undeclared", directory / "people.csv"])
        finished_rows(merganser.database, directory)
        bulk = bulk_load(directory, pathlib.Path(__file__).resolve().parents[2] / "conf/sql")
        print(f"{people} people: profile import {ours:.1f} s, .import {bulk:.1f} s; "
              f"{bulk / ours:.2f} of the bulk load's speed")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
