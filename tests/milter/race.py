# SPDX-License-Identifier: Apache-2.0
"""Caps are exact under any number of sessions, milters, kills and restarts.

100 people get 50 messages each under a cap of 3, in random order: 300 go out, 4,700 do not.
What is deferred, or was in flight when a milter or the database died, the MTA sends again.
"""

import collections
import contextlib
import os
import pathlib
import queue
import random
import shutil
import signal
import sqlite3
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.daemon import Merganser  # noqa: E402
from sandbox.pgsql import Pgsql  # noqa: E402
from sandbox.postfix import SandboxError, new_directory  # noqa: E402
from tests import tap  # noqa: E402
from tests.fake.mta import FakeMta, Gone  # noqa: E402
from tests.people import NO_CAP, campaign  # noqa: E402

PEOPLE, MESSAGES, LIMIT = 100, 50, 3
SESSIONS = 16  # of each milter
TRIES = 200
HOUSEHOLD, HOUSEHOLD_LIMIT, HOUSEHOLD_SESSIONS = 1500, 500, 100
CAP = {"cap daily": {"limit": str(LIMIT), "per": "24h", "on_exceed": "drop"}}


def address(person):
    return f"p{person}@example.com"


class Fleet:
    """Milters that share keys and a store; a context manager."""

    def __init__(self, n, settings):
        self.directory = new_directory()
        keys = {"keys": {"file": f"{self.directory}/0/keys"}}
        file = {"plugin sqlite": {"file": f"{self.directory}/0/merganser.db"}}
        self.milters = [Merganser(self.directory / str(i),
                                  settings={**file, **CAP, **keys, **settings}) for i in range(n)]

    def __enter__(self):
        try:
            first, *others = self.milters
            first.prepare()
            first.import_profiles([{"address": address(n), "first_name": f"P{n}"}
                                   for n in range(PEOPLE)])
            for milter in others:
                milter.directory.mkdir()
                milter.own(milter.directory)
                shutil.copy(first.directory / "schema.conf", milter.directory / "schema.conf")
                milter.own(milter.directory / "schema.conf")
                milter.write_conf()
            for milter in self.milters:
                milter.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        for milter in self.milters:
            milter.stop_well()
        shutil.rmtree(self.directory, ignore_errors=True)


class Race:
    """What each of the messages came to, as the MTA sees it."""

    def __init__(self, fleet):
        self.fleet = fleet
        self.work = queue.SimpleQueue()
        self.delivered = collections.Counter()
        self.n_withheld = 0
        self.n_tried_again = 0
        self.wrong = []
        self.lock = threading.Lock()
        jobs = [(p, m) for p in range(PEOPLE) for m in range(MESSAGES)]
        random.shuffle(jobs)
        for job in jobs:
            self.work.put((*job, 0))

    def n_done(self):
        return sum(self.delivered.values()) + self.n_withheld

    def _again(self, person, message, tries, why):
        with self.lock:
            self.n_tried_again += 1
            if tries == TRIES:
                self.wrong.append(f"{person}/{message}: {why}")
                return
        time.sleep(0.05)  # as an MTA does, if shorter
        self.work.put((person, message, tries + 1))

    def _note(self, person, message, tries, reply):
        if reply.answer == "tempfail":
            self._again(person, message, tries, reply.text)
            return
        with self.lock:
            if reply.answer == "accept" and reply.edits:
                self.delivered[person] += 1
            elif reply.answer == "discard":
                self.n_withheld += 1
            else:
                self.wrong.append(f"{person}/{message}: {reply.answer} {reply.text}")

    def _session(self, milter):
        """One connection after the other, until there is nothing left to send."""
        while True:
            try:
                with FakeMta(milter.socket, timeout=60) as mta:
                    mta.connect()
                    while self._send(mta):
                        pass
                return
            except (Gone, OSError):
                if self.n_done() + len(self.wrong) == PEOPLE * MESSAGES:
                    return
                time.sleep(0.05)

    def _send(self, mta):
        try:
            person, message, tries = self.work.get(timeout=0.2)
        except queue.Empty:
            return self.n_done() + len(self.wrong) < PEOPLE * MESSAGES
        data = campaign(number=f"{person}-{message}", plain="Hi {{first_name}}\n",
                        html="<p>Hi {{first_name}}</p>\n", subject="news")
        try:
            _, reply = mta.message(data, [f"<{address(person)}>"])
        except (Gone, OSError) as reason:
            self._again(person, message, tries, str(reason))
            raise
        self._note(person, message, tries, reply)
        return True

    def run(self, disturb=lambda race: None):
        threads = [threading.Thread(target=self._session, args=(milter,))
                   for milter in self.fleet.milters for _ in range(SESSIONS)]
        for thread in threads:
            thread.start()
        try:
            disturb(self)
        finally:
            for thread in threads:
                thread.join()
        return self

    def wait_for(self, part):
        """Until so much of the work is done."""
        while self.n_done() < part * PEOPLE * MESSAGES and not self.wrong:
            time.sleep(0.01)


def assert_exact(race, recorded):
    """recorded: (delivered, withheld) in the store, each copy once."""
    tap.equal(race.wrong[:3], [], "wrong answers")
    tap.note(f"{sum(race.delivered.values())} delivered, {race.n_withheld} withheld, "
             f"{race.n_tried_again} tried again")
    tap.equal(set(race.delivered.values()), {LIMIT}, "copies for one person")
    tap.equal((sum(race.delivered.values()), race.n_withheld),
              (PEOPLE * LIMIT, PEOPLE * (MESSAGES - LIMIT)), "delivered and withheld")
    tap.equal(recorded, (PEOPLE * LIMIT, PEOPLE * (MESSAGES - LIMIT)), "recorded")


def recorded_in_sqlite(fleet):
    with contextlib.closing(sqlite3.connect(fleet.milters[0].database)) as connection:
        return tuple(connection.execute(
            "SELECT count(DISTINCT message) FILTER (WHERE verdict = ?), count(DISTINCT message) "
            "FILTER (WHERE verdict = ?) FROM event", (0, 1)).fetchone())


def recorded_in_pgsql(server):
    return tuple(int(server.ask(f"SELECT count(*) FROM merganser.outcome WHERE verdict = {v}"))
                 for v in (0, 1))


@contextlib.contextmanager
def pgsql():
    directory = new_directory()
    try:
        with Pgsql(directory / "pgsql") as server:
            yield server
    except SandboxError as reason:
        raise tap.Skip(reason) from reason
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def on(server):
    return {"store": {"plugin": "pgsql", "deadline": "5s"}, "plugin sqlite": None,
            "plugin pgsql": {"conninfo": server.conninfo, "pool": str(SESSIONS)}}


@tap.case
def one_milter_on_sqlite():
    with Fleet(1, {}) as fleet:
        assert_exact(Race(fleet).run(), recorded_in_sqlite(fleet))


@tap.case
def four_milters_on_postgresql():
    with pgsql() as server, Fleet(4, on(server)) as fleet:
        assert_exact(Race(fleet).run(), recorded_in_pgsql(server))


def one_household(settings, recorded):
    """Everybody shares an account, and a hundred of them, as many as an MTA has sessions, get mail
    at any time: nobody is told to come again."""
    people = [f"h{n}@example.com" for n in range(HOUSEHOLD)]
    cap = {**NO_CAP, "policy": {"household_field": "interest"},
           "cap home": {"limit": str(HOUSEHOLD_LIMIT), "per": "24h", "scope": "household"}}
    with Fleet(1, {**cap, **settings}) as fleet:
        fleet.milters[0].import_profiles(
            [{"address": person, "first_name": "H", "interest": "house"} for person in people])
        work, answers = queue.SimpleQueue(), collections.Counter()
        for person in people:
            work.put(person)

        def session():
            with FakeMta(fleet.milters[0].socket, timeout=60) as mta, \
                    contextlib.suppress(queue.Empty):
                mta.connect()
                while True:
                    person = work.get(block=False)
                    data = campaign(number=person, plain="Hi {{first_name}}\n",
                                    html="<p>Hi {{first_name}}</p>\n", subject="news")
                    answers[mta.message(data, [f"<{person}>"])[1].answer] += 1

        threads = [threading.Thread(target=session) for _ in range(HOUSEHOLD_SESSIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        exact = HOUSEHOLD_LIMIT, HOUSEHOLD - HOUSEHOLD_LIMIT
        tap.equal(dict(answers), dict(zip(("accept", "discard"), exact)), "answers")
        tap.equal(recorded(fleet), exact, "recorded")


@tap.case
def one_household_on_sqlite_is_told_to_come_again_never():
    one_household({}, recorded_in_sqlite)


@tap.case
def one_household_on_postgresql_is_told_to_come_again_never():
    with pgsql() as server:
        one_household(on(server), lambda fleet: recorded_in_pgsql(server))


def kill_and_start(milter):
    os.kill(milter.process.pid, signal.SIGKILL)
    milter.process.wait()
    milter.start()


@tap.case
def a_milter_that_is_killed_loses_and_doubles_nothing():
    with pgsql() as server, Fleet(4, on(server)) as fleet:
        def disturb(race):
            for i, part in enumerate((0.02, 0.05, 0.3)):
                race.wait_for(part)
                kill_and_start(fleet.milters[i])
        assert_exact(Race(fleet).run(disturb), recorded_in_pgsql(server))


@tap.case
def a_database_that_is_restarted_loses_and_doubles_nothing():
    with pgsql() as server, Fleet(4, on(server)) as fleet:
        def disturb(race):
            for part, how in ((0.02, "immediate"), (0.3, "fast")):
                race.wait_for(part)
                server.stop(how)
                server.start()
        assert_exact(Race(fleet).run(disturb), recorded_in_pgsql(server))


tap.main()
