# SPDX-License-Identifier: Apache-2.0
"""Long imports that end before their end: nothing of them stays, and the next one is whole.

What is read goes to the database in pieces of 8 MiB, so a file of 40 MB has had most of its
people written when something happens.
"""

import contextlib
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.daemon import Merganser  # noqa: E402
from sandbox.pgsql import Pgsql  # noqa: E402
from sandbox.postfix import SandboxError, new_directory, wait_for  # noqa: E402
from tests import tap  # noqa: E402

DATA, UNAVAILABLE = 65, 69
PEOPLE = 400
HEAD = "address,interest,consent.track_open\n"
ROWS = [f"p{n}@bulk.test,{str(n % 10) * 100000},true\n" for n in range(PEOPLE)]
TABLES = ("profile", "consent_log", "person")


class Sqlite:
    settings = {}
    server = None

    @staticmethod
    def counts(merganser):
        with contextlib.closing(sqlite3.connect(merganser.database)) as connection:
            return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                    for table in TABLES]


class Postgres:
    def __init__(self, server):
        self.server = server
        self.settings = {"store": {"plugin": "pgsql"}, "plugin sqlite": None,
                         "plugin pgsql": {"conninfo": server.conninfo}}

    def counts(self, _):
        """Only when the session has ended is it clear what it leaves."""
        sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'merganser'"
        wait_for(lambda: self.server.ask(sessions) == "0", 60, "the end of the session")
        return [int(self.server.ask(f"SELECT count(*) FROM merganser.{table}"))
                for table in TABLES]


@contextlib.contextmanager
def stores():
    """Each kind that is there, with a Merganser of its own."""
    directory = new_directory()
    try:
        with contextlib.ExitStack() as stack:
            kinds = [Sqlite()]
            with contextlib.suppress(SandboxError):
                kinds.append(Postgres(stack.enter_context(Pgsql(directory / "pgsql"))))
            yield [(kind, Merganser(directory / str(n), settings=kind.settings).prepare())
                   for n, kind in enumerate(kinds)]
    finally:
        shutil.rmtree(directory, ignore_errors=True)


class Import:
    """One that reads a pipe which stays open: what is written has been read."""

    def __init__(self, merganser):
        self.process = subprocess.Popen(
            [merganser.build / "merganser", "-c", merganser.conf, "profile", "import", "-",
             "--format", "csv", "--undeclared"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.process.stdin.write(HEAD)

    def write(self, rows):
        # Who has gone reads no more.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.writelines(rows)
            self.process.stdin.flush()

    def end(self):
        """Exit code and stderr."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdin = None
        _, err = self.process.communicate(timeout=120)
        return self.process.returncode, err


def is_whole(kind, merganser):
    again = Import(merganser)
    again.write(ROWS)
    tap.equal(again.end(), (0, ""), "the next import")
    tap.equal(kind.counts(merganser), [PEOPLE] * 3, "profiles, consents, ledgers")


@tap.case
def an_interrupt_leaves_nothing():
    with stores() as made:
        for kind, merganser in made:
            for how in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
                ours = Import(merganser)
                ours.write(ROWS)
                ours.process.send_signal(how)
                tap.equal(ours.end()[0], -how, "exit")
                tap.equal(kind.counts(merganser), [0, 0, 0], f"rows after {how.name}")
            is_whole(kind, merganser)


@tap.case
def a_fault_at_the_end_leaves_nothing():
    faults = {"x@bulk.test,1\n": "2 cells where the head has 3",
              "P3@BULK.TEST,1,\n": "the address stands in line 5 already",
              "y@bulk.test,\udcff,\n": "not valid UTF-8",
              "nobody,1,\n": "the address is malformed"}
    with stores() as made:
        for kind, merganser in made:
            ours = Import(merganser)
            ours.process.stdin.reconfigure(errors="surrogateescape")
            ours.write(ROWS)
            ours.write(faults)
            code, err = ours.end()
            tap.equal(code, DATA, f"exit ({err})")
            for n, fault in enumerate(faults.values()):
                tap.contains(err, f"stdin:{PEOPLE + 2 + n}:1: {fault}\n", "message")
            tap.contains(err, f"nothing is imported (faults: 4, rows: {PEOPLE + 4})", "message")
            tap.equal(kind.counts(merganser), [0, 0, 0], "rows")
            is_whole(kind, merganser)


@tap.case
def a_server_that_stops_leaves_nothing():
    with stores() as made:
        servers = [(kind, merganser) for kind, merganser in made if kind.server]
        if not servers:
            raise tap.Skip("there is no PostgreSQL")
        for kind, merganser in servers:
            ours = Import(merganser)
            ours.write(ROWS[:-1])
            kind.server.stop("immediate")
            ours.write(ROWS[-1:])
            code, err = ours.end()
            tap.equal(code, UNAVAILABLE, f"exit ({err})")
            tap.contains(err, "nothing is imported", "message")
            kind.server.start()
            tap.equal(kind.counts(merganser), [0, 0, 0], "rows")
            is_whole(kind, merganser)


tap.main()
