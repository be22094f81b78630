# SPDX-License-Identifier: Apache-2.0
"""A mail log that is followed while it is rotated, and while the tool is killed and restarted."""

import contextlib
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.postfix import wait_for  # noqa: E402
from tests import tap  # noqa: E402
from tests.bench import Bench  # noqa: E402
from tests.people import ANN, NO_CAP, campaign  # noqa: E402

HEAD = "2026-11-27T02:15:31+00:00 mx "


class MailLog:
    """The log of a Postfix that is not there, and the tool that follows it."""

    def __init__(self, bench):
        self.bench = bench
        self.merganser = bench.merganser
        self.path = self.merganser.directory / "mail.log"
        self.path.touch()
        self.merganser.own(self.path)
        self.writer = open(self.path, "a", encoding="utf-8")
        self.process = None
        self.n_sent = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.writer.close()
        if self.process:
            self.process.kill()
            self.process.wait()

    # -- the log --

    def write(self, line):
        self.writer.write(f"{HEAD}{line}\n")
        self.writer.flush()

    def copy(self, number):
        """A copy goes into the queue; its queue id."""
        known = self.merganser.log_text().count("copy=")
        self.bench.merged(campaign(number=number))
        wait_for(lambda: self.merganser.log_text().count("copy=") > known, 10, "the daemon's line")
        line = self.merganser.log_text().rstrip("\n").splitlines()[-1]
        queue_id = f"4{number:07X}"
        self.write(f"merganser-milter[7]: {re.sub('^[^:]*', queue_id, line)}")
        return queue_id

    def say(self, queue_id, state="sent", dsn="2.0.0"):
        self.write(f"postfix/smtp[8]: {queue_id}: to=<{ANN}>, relay=x, dsn={dsn}, "
                   f"status={state} (250 ok)")
        self.n_sent += state == "sent"

    def send(self, numbers):
        for number in numbers:
            queue_id = self.copy(number)
            self.say(queue_id)
            self.write(f"postfix/qmgr[9]: {queue_id}: removed")

    def rename(self, end):
        """As logrotate does: the writer has the old file until it is told."""
        self.path.rename(f"{self.path}{end}")
        self.path.touch()
        self.merganser.own(self.path)

    def reopen(self):
        self.writer.close()
        self.writer = open(self.path, "a", encoding="utf-8")

    def copy_and_truncate(self, end):
        copy = pathlib.Path(f"{self.path}{end}")
        copy.write_bytes(self.path.read_bytes())
        self.merganser.own(copy)
        os.truncate(self.path, 0)

    # -- the tool --

    def follow(self):
        self.process = subprocess.Popen(
            [self.merganser.build / "merganser", "-c", self.merganser.conf, "maillog", "--json",
             "--follow", self.path], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, **self.merganser._identity())

    def end(self, how=signal.SIGTERM):
        """What it told."""
        self.process.send_signal(how)
        text, errors = self.process.communicate(timeout=60)
        code, self.process = self.process.returncode, None
        tap.equal((code, errors), (-how if how == signal.SIGKILL else 0, ""), "exit and stderr")
        return json.loads(text) if text else {}

    def rows(self):
        with contextlib.closing(sqlite3.connect(self.merganser.database)) as database:
            return database.execute("SELECT state, count(*) FROM delivery GROUP BY state "
                                    "ORDER BY state").fetchall()

    def wait_for(self, n_sent):
        wait_for(lambda: dict(self.rows()).get(0) == n_sent, 20, f"{n_sent} deliveries")


@contextlib.contextmanager
def followed():
    with Bench(NO_CAP) as bench, MailLog(bench) as log:
        yield log


@tap.case
def no_line_is_lost_or_doubled_over_renames():
    with followed() as log:
        log.send(range(3))
        log.follow()
        log.wait_for(3)
        log.send(range(3, 5))
        log.rename(".1")
        log.send(range(5, 7))  # into the old file
        log.wait_for(7)
        log.send(range(7, 9))
        log.reopen()
        log.send(range(9, 11))
        log.rename(".0")
        log.reopen()
        log.send(range(11, 13))
        log.wait_for(13)
        tap.equal(log.end(), {"copies": 13, "deliveries": 13, "others": 0}, "told")


@tap.case
def no_line_is_lost_or_doubled_over_truncations():
    with followed() as log:
        log.send(range(3))
        log.follow()
        log.wait_for(3)
        for n, end in enumerate((".1", "-20261127", "-20261128")):
            log.send(range(3 + 4 * n, 5 + 4 * n))
            log.copy_and_truncate(end)
            log.send(range(5 + 4 * n, 7 + 4 * n))
            log.wait_for(7 + 4 * n)
        tap.equal(log.end(), {"copies": 15, "deliveries": 15, "others": 0}, "told")


@tap.case
def a_new_run_goes_on_where_the_last_one_was():
    with followed() as log:
        log.send(range(3))
        log.follow()
        log.wait_for(3)
        tap.equal(log.end()["deliveries"], 3, "first run")
        log.send(range(3, 5))
        log.rename(".2")
        log.reopen()
        log.send(range(5, 6))
        log.rename(".1")
        log.reopen()
        log.send(range(6, 8))
        log.follow()
        log.wait_for(8)
        tap.equal(log.end(), {"copies": 5, "deliveries": 5, "others": 0}, "second run")
        log.follow()
        log.send(range(8, 9))
        log.wait_for(9)
        tap.equal(log.end(), {"copies": 1, "deliveries": 1, "others": 0}, "third run")


@tap.case
def a_copy_that_waits_is_known_after_a_kill_and_a_rotation():
    with followed() as log:
        log.send(range(2))
        waiting = log.copy(2)
        log.say(waiting, "deferred", "4.2.0")
        log.send(range(3, 5))
        log.follow()
        log.wait_for(4)
        log.end(signal.SIGKILL)
        log.rename(".1")
        log.reopen()
        log.say(waiting)
        log.send(range(5, 6))
        log.follow()
        log.wait_for(6)
        told = log.end()
        tap.equal(told["others"], 0, "deliveries of no copy")
        tap.true(told["copies"] <= 4, f"copies that were read again: {told}")
        tap.equal(log.rows(), [(0, 6), (1, 1)], "deliveries")


@tap.case
def a_log_that_is_gone_is_told():
    with followed() as log:
        log.send(range(2))
        log.follow()
        log.wait_for(2)
        log.end()
        log.path.unlink()
        log.path.touch()
        log.reopen()
        log.send(range(2, 3))
        log.follow()
        log.wait_for(3)
        log.process.send_signal(signal.SIGTERM)
        _, errors = log.process.communicate(timeout=60)
        tap.contains(errors, "was rotated away before all of it was read", "stderr")


tap.main()
