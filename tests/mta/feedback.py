# SPDX-License-Identifier: Apache-2.0
"""Complaints and delivery reports through the sample pipe transport of a real Postfix."""

import contextlib
import json
import pathlib
import re
import sqlite3
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.postfix import (  # noqa: E402
    FRAGMENTS, free_ports, logical_lines, port_answers, wait_for)
from tests import tap  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, campaign  # noqa: E402
from tests.postfix import MtaWorld, mta_world  # noqa: E402

CORPUS = pathlib.Path(__file__).resolve().parents[1] / "fuzz/corpus/report"
REPORTS = "feedback@news.example.com"
GONE = "gone@example.net"

# Of what came to nothing, Postfix is told 0: a refusal would go to a sender that is made up.
DONE, AGAIN = 0, 75


def transports(port):
    """Those of the sample, and a server that has none of its mailboxes any more."""
    (sample,) = [line.split("=", 1)[1] for line in
                 logical_lines((FRAGMENTS / "main.cf.feedback").read_text())
                 if line.startswith("transport_maps")]
    return f"{sample}, inline:{{ {GONE}=smtp:[127.0.0.1]:{port} }}"


class FeedbackWorld(MtaWorld):
    """The program that Postfix runs is the tool, and keeps its exit codes."""

    def __init__(self, **options):
        self.gone_port = free_ports(["gone"])["gone"]
        self.gone = None
        super().__init__(feedback="program", **options,
                         postfix_settings={"transport_maps": transports(self.gone_port)})
        self.codes_file = self.directory / "merganser" / "codes"

    def start(self):
        program = self.directory / "program"
        program.write_text(
            f'#!/bin/sh\n{self.merganser.build}/merganser -c {self.merganser.conf} "$@"\n'
            f"code=$?\necho $code >>{self.codes_file}\nexit $code\n")
        program.chmod(0o755)
        self.gone = subprocess.Popen(
            ["smtp-sink", "-u", "nobody", "-f", "rcpt", "-B", "550 5.1.1 no such mailbox",
             f"inet:127.0.0.1:{self.gone_port}", "100"],
            stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for(lambda: port_answers(self.gone_port), 10, "smtp-sink")
        return super().start()

    def stop(self):
        super().stop()
        if self.gone:
            self.gone.terminate()
            self.gone.wait()

    def codes(self):
        text = self.codes_file.read_text() if self.codes_file.exists() else ""
        return [int(line) for line in text.split()]

    def copy_to(self, address, number):
        """A copy as it was delivered."""
        self.sink.clear()
        self.send_and_wait(campaign(number=number), [address], sender=REPORTS)
        return self.sink.by_recipient()[address]

    def report(self, mail, recipients=(REPORTS,)):
        """Sends it from outside; the exit codes that Postfix got for it."""
        known = len(self.codes())
        self.send(mail if isinstance(mail, bytes) else mail.encode(), list(recipients),
                  sender="", port="outside")
        self.postfix.wait_until_settled()
        return self.codes()[known:]

    def reasons(self, address):
        rows = json.loads(
            self.merganser.tool("suppress", "list", "--json", address).stdout)
        return sorted(row["reason"] for row in rows)

    def dump(self):
        """All that the store holds."""
        with contextlib.closing(sqlite3.connect(self.merganser.database)) as database:
            return sorted(database.iterdump())

    def deliveries(self):
        return [line for line in self.dump() if line.startswith('INSERT INTO "delivery"')]

    def forget(self):
        """Suppressions of Ann and Bob, and what was recorded of copies."""
        with contextlib.closing(sqlite3.connect(self.merganser.database)) as database:
            database.execute("DELETE FROM delivery")
            database.execute("DELETE FROM suppression WHERE reason IN ('complained', 'bounced')")
            database.commit()


def token_of(copy):
    """The word that only we can have made: that of the report's reference."""
    return re.search(r"[\w-]{87}", str(copy.message()["X-Report-Ref"]))[0]


def report(kind, copy, address=ANN, **changes):
    """A report with the whole copy in it, as it came."""
    text = (CORPUS / kind).read_text().replace("ann@example.com", address)
    for old, new in changes.items():
        name = f"\n{old.replace('_', '-')}: "
        text = text.replace(name, f"{name}{new}\nX-Was: ")
    boundary = "b1" if kind == "arf" else "b2"
    return f"{text[:text.index('From: News')]}{copy.data.decode()}\n--{boundary}--\n"


@tap.case
def who_complains_of_a_delivered_copy_is_suppressed(world):
    world.forget()
    copy = world.copy_to(ANN, "complaint")
    tap.equal(world.report(report("arf", copy)), [DONE], "exit codes")
    tap.equal((world.reasons(ANN), len(world.deliveries())), (["complained"], 1), "of Ann")
    tap.contains(world.postfix.log_text(), "1 reports: 1 people suppressed", "Postfix's log")
    world.sink.clear()
    world.send_and_wait(campaign(number="after"), [ANN, BOB])
    tap.equal(sorted(world.sink.by_recipient()), [BOB], "who gets the next")


@tap.case
def a_delivery_report_is_recorded_once(world):
    world.forget()
    copy = world.copy_to(BOB, "bounce")
    for _ in range(2):
        tap.equal(world.report(report("dsn", copy, BOB)), [DONE], "exit codes")
    tap.equal((len(world.deliveries()), world.reasons(BOB)), (1, []), "of one copy")
    tap.equal(world.report(report("dsn", world.copy_to(BOB, "bounce-2"), BOB)), [DONE], "codes")
    tap.equal((len(world.deliveries()), world.reasons(BOB)), (2, ["bounced"]), "of two")


@tap.case
def what_postfix_itself_sends_back_is_read(world):
    """A copy to a mailbox that is gone: its notice goes to the campaign's sender."""
    world.forget()
    known = len(world.codes())
    for n in range(2):
        world.send_and_wait(campaign(number=f"gone-{n}"), [GONE], sender=REPORTS)
    tap.equal(world.codes()[known:], [DONE, DONE], "exit codes")
    tap.equal((len(world.deliveries()), world.reasons(GONE)), (2, ["bounced"]), "of the mailbox")


def forged(token):
    return token[:40] + ("A" if token[40] != "A" else "B") + token[41:]


def junk(world):
    """What must change nothing, by name."""
    copy = world.copy_to(ANN, "junk")
    whole, token = report("arf", copy), token_of(copy)
    link = re.search(r"/u/([\w-]{87})", str(copy.message()["List-Unsubscribe"]))[1]
    return {
        "no report": (CORPUS / "mail").read_text(),
        "a copy as such": copy.data,
        "empty": "\n",
        "no header": "\n\nbody\n",
        "NULs": b"Subject: x\n\n" + b"\x00\xff" * 3000,
        "cut off in the report": whole[:whole.index("Original-Mail-From")],
        "cut off before the copy": whole[:whole.index("--b1\nContent-Type: message/rfc822")],
        "a boundary of another": whole.replace('boundary="b1"', 'boundary="b9"'),
        "forged reference": whole.replace(token, forged(token)).replace(link, forged(link)),
        "reference of nobody": whole.replace(token, "x" * 87).replace(link, "x" * 87),
        "complaint taken back": report("arf", copy, Feedback_Type="not-spam"),
        "relayed": report("dsn", copy, Action="relayed"),
    }


@tap.case
def what_is_no_report_damaged_or_forged_changes_nothing(world):
    world.forget()
    mails = junk(world)
    before = world.dump()
    for name, mail in mails.items():
        tap.equal(world.report(mail), [DONE], f"{name}: exit codes")
        tap.equal(set(world.dump()) ^ set(before), set(), f"{name}: rows that changed")
    tap.equal(world.postfix.queue_entries(), [], "queue")


@tap.case
def a_report_of_a_large_copy_is_read(world):
    world.forget()
    copy = world.copy_to(ANN, "large")
    text = report("arf", copy).replace("\n--b1--\n", "x" * 70 + "\n") + ("y" * 70 + "\n") * 60000
    tap.equal(world.report(text + "--b1--\n"), [DONE], "exit codes")
    tap.equal(world.reasons(ANN), ["complained"], "reasons")


@contextlib.contextmanager
def settings(world, **sections):
    was = {name: dict(values) for name, values in world.merganser.settings.items()}
    for name, values in sections.items():
        world.merganser.settings.setdefault(name, {}).update(values)
    world.merganser.write_conf()
    try:
        yield
    finally:
        world.merganser.settings = was
        world.merganser.write_conf()


@contextlib.contextmanager
def moved(path):
    away = path.with_suffix(".away")
    path.rename(away)
    try:
        yield
    finally:
        away.rename(path)


@contextlib.contextmanager
def spoiled(path):
    with moved(path):
        path.write_text("no database\n" * 1000)
        yield


@tap.case
def what_cannot_be_recorded_comes_again(world):
    """The database is away, then no database; then keys and configuration cannot be used."""
    world.forget()
    copy = world.copy_to(ANN, "again")
    hindrances = {
        "away": moved(world.merganser.database),
        "spoiled": spoiled(world.merganser.database),
        "no keys": moved(world.merganser.keys),
        "no configuration": moved(world.merganser.conf),
        "broken configuration": settings(world, policy={"no_such_setting": "1"}),
    }
    for name, hindrance in hindrances.items():
        world.forget()
        with hindrance:
            tap.equal(world.report(report("arf", copy)), [AGAIN], f"{name}: exit codes")
            (entry,) = world.postfix.queue_entries()
            tap.equal(entry["queue_name"], "deferred", f"{name}: queue")
            known = len(world.codes())
            world.postfix.flush()
            wait_for(lambda: len(world.codes()) > known, 20, "another try")
            world.postfix.wait_until_settled()
            tap.equal(set(world.codes()[known:]), {AGAIN}, f"{name}: exit codes")
        tap.equal(world.deliveries(), [], f"{name}: deliveries")
        known = len(world.codes())
        world.postfix.flush_until_empty()
        tap.equal(world.codes()[known:], [DONE], f"{name}: exit codes at last")
        tap.equal((len(world.deliveries()), world.reasons(ANN)), (1, ["complained"]),
                  f"{name}: of Ann")


@tap.case
def each_recipient_of_a_mail_is_told_by_verp(world):
    world.forget()
    copy = world.copy_to(ANN, "verp")
    text = report("dsn", copy, "").replace(token_of(copy), "x")
    text = text[:text.index("List-Unsubscribe")] + "\n\n--b2--\n"
    addresses = [f"feedback+{a.replace('@', '=')}@news.example.com" for a in (ANN, BOB)]
    tap.equal(world.report(text, addresses), [DONE, DONE], "exit codes")
    tap.equal((world.reasons(ANN), world.reasons(BOB)), ([], []), "unless it is asked for")
    with settings(world, feedback={"addresses": "yes", "bounces": "1"}):
        tap.equal(world.report(text, addresses), [DONE, DONE], "exit codes")
    tap.equal((world.reasons(ANN), world.reasons(BOB)), (["bounced"], ["bounced"]), "reasons")


def feedback_world():
    # An account that every Debian has, and that nobody uses: a pipe runs nothing as root.
    return mta_world({**NO_CAP, "store": {"deadline": "1s"}}, user="games",
                     make=FeedbackWorld)


tap.main(feedback_world)
