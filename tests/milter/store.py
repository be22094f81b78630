# SPDX-License-Identifier: Apache-2.0
"""A database that is away, locked or broken: the MTA is told to come again."""

import contextlib
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.bench import Bench, let_pass, refused  # noqa: E402
from tests.people import ANN, NO_CAP, campaign  # noqa: E402

SHORT = {"store": {"deadline": "1s"}, **NO_CAP}


class Lock:
    """Another program that holds the database."""

    def __init__(self, bench, how):
        self.connection = sqlite3.connect(bench.merganser.database, isolation_level=None)
        self.connection.execute(f"BEGIN {how}")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.connection.execute("ROLLBACK")
        self.connection.close()


@tap.case
def locked_database_defers(bench):
    with Lock(bench, "IMMEDIATE"):
        event, reply = bench.send(campaign(number="locked"))
        tap.equal(event, "eom", "event")
        refused(reply, 451, "4.3.0")
        tap.lacks(reply.text, "sqlite", "reply")
    bench.merged(campaign(number="locked"))
    tap.equal(len([r for r in bench.merganser.why(ANN) if r["verdict"] == "deliver"]), 1,
              "copies that were counted")


@tap.case
def check_at_the_door_needs_no_database(bench):
    with Lock(bench, "IMMEDIATE"):
        event, reply = bench.send(campaign(), daemon="campaign-check")
        let_pass(event, reply)


@tap.case
def ordinary_mail_needs_no_database(bench):
    with Lock(bench, "IMMEDIATE"):
        event, reply = bench.send(b"From: a@b.test\r\nTo: c@d.test\r\n\r\nhi\r\n")
        tap.equal((event, reply.answer), ("eoh", "accept"), "answer")


@tap.case
def database_that_goes_away_defers(bench):
    with Bench(SHORT) as other:
        with sqlite3.connect(other.merganser.database) as connection:
            names = [row[0] for row in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' "
                "AND name NOT LIKE 'sqlite_%'")]
            connection.execute("PRAGMA foreign_keys = OFF")
            for name in names:
                connection.execute(f'DROP TABLE "{name}"')
        refused(other.send(campaign())[1], 451, "4.3.")
        tap.true(other.merganser.is_alive(), "the daemon died")


def damage(database, history):
    """Writes the history of everybody who has one, as somebody's own SQL would."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        rows = connection.execute(
            "UPDATE person SET history = CAST(? AS TEXT) WHERE history <> '' RETURNING key",
            (history,))
        return [row[0].hex() for row in rows]


@tap.case
def damaged_history_defers_and_names_the_person(_bench):
    with Bench(SHORT) as other:
        other.merged(campaign(number="before"))
        for number, history in enumerate((b"spring\n", b"9 promo x\n1 promo x\n",
                                          b"1 promo x", b"\xff\xfe\n")):
            keys = damage(other.merganser.database, history)
            tap.equal(len(keys), 1, "people with a history")
            event, reply = other.send(campaign(number=f"damaged-{number}"))
            tap.equal(event, "eom", "event")
            refused(reply, 451, "4.3.0")
            tap.lacks(reply.text, keys[0][:16], "reply")
            last = other.merganser.log_text().splitlines()[-1]
            tap.contains(last, f"person={keys[0][:16]}", "log")
            tap.contains(last, "history", "log")
        tap.equal([row["verdict"] for row in other.merganser.why(ANN)].count("deliver"), 1,
                  "copies that were counted")


def ends_or_defers(other):
    """Whether it refuses to start or answers 451: no raw template may leave."""
    try:
        other.merganser.start()
    except Exception:
        tap.true(not other.merganser.is_alive(), "neither started nor ended")
        other.merganser.process = None
        return
    refused(other.send(campaign())[1], 451, "4.3.")


@tap.case
def missing_database_delivers_nothing(bench):
    """Whether it refuses to start or defers: no raw template may leave."""
    with Bench(SHORT, is_started=False) as other:
        for file in other.merganser.directory.glob("merganser.db*"):
            file.unlink()
        ends_or_defers(other)


@contextlib.contextmanager
def small_disk():
    """A file system of its own with little room."""
    if os.geteuid() != 0:
        raise tap.Skip("only root may mount a file system")
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k,mode=0777", "tmpfs", folder],
                          check=False).returncode:
            raise tap.Skip("no file system can be mounted here")
        try:
            yield pathlib.Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def fill(disk):
    """A file that takes all the room that is left."""
    file = disk / "fill"
    with file.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while True:
            out.write(b"x" * 4096)
    return file


@tap.case
def full_disk_defers_until_there_is_room(_bench):
    with small_disk() as disk:
        settings = {**SHORT, "plugin sqlite": {"file": f"{disk}/people.db"}}
        with Bench(settings) as other:
            filling = fill(disk)
            refused(other.send(campaign(number="full"))[1], 451, "4.3.0")
            filling.unlink()
            other.merged(campaign(number="full"))
            tap.equal(len(other.merganser.why(ANN)), 1, "records")


@tap.case
def file_that_is_no_database_delivers_nothing(bench):
    with Bench(SHORT, is_started=False) as other:
        for file in other.merganser.directory.glob("merganser.db*"):
            file.unlink()
        other.merganser.database.write_bytes(b"this is no database" * 1000)
        other.merganser.own(other.merganser.database)
        ends_or_defers(other)


tap.main(lambda: Bench(SHORT))
