# SPDX-License-Identifier: Apache-2.0
"""What breaks underneath: nothing is lost, and no raw template ever leaves."""

import pathlib
import smtplib
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.postfix import wait_for  # noqa: E402
from tests import tap  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, ORDINARY, campaign  # noqa: E402
from tests.postfix import mta_world  # noqa: E402


def begin(world, port):
    """An SMTP dialogue up to the middle of the message's text."""
    smtp = smtplib.SMTP("127.0.0.1", world.ports[port], timeout=60)
    smtp.ehlo()
    smtp.mail("news@sandbox.test")
    tap.equal(smtp.rcpt(ANN)[0], 250, "recipient")
    tap.equal(smtp.docmd("DATA")[0], 354, "DATA")
    smtp.send(campaign(number=f"killed-{port}", plain="text\n" * 20000)[:100000])
    return smtp


@tap.case
def milter_killed_in_the_middle_of_a_message_defers_it(world):
    for port in ("direct", "submission"):
        world.sink.clear()
        smtp = begin(world, port)
        world.merganser.kill()
        smtp.send(b"\r\nthe rest\r\n.\r\n")
        code, text = smtp.getreply()
        smtp.close()
        tap.true(400 <= code < 500, f"{port}: reply {code} {text}")
        world.postfix.wait_until_empty()
        tap.equal(world.sink.deliveries(), [], f"{port}: deliveries")
        world.merganser.start()


@tap.case
def milter_that_is_away_defers_at_the_door(world):
    world.sink.clear()
    world.merganser.stop()
    try:
        for port in ("submission", "direct"):
            code, text = world.refusal(campaign(), [ANN], port=port)
            tap.true(400 <= code < 500, f"{port}: reply {code} {text}")
        world.send_and_wait(ORDINARY, [BOB], port="outside")
        tap.equal([d.recipient for d in world.sink.deliveries()], [BOB], "mail from outside")
    finally:
        world.merganser.start()


@tap.case
def milter_that_is_away_at_the_hop_keeps_the_message_in_the_queue(world):
    """Accepted before, so it must not be lost: it waits, and is merged later."""
    world.sink.clear()
    world.merganser.stop()
    try:
        data = campaign(number="late").replace(b"\r\n", b"\n")
        world.postfix.sendmail(data, "news@sandbox.test", [ANN, BOB])
        waiting = world.postfix.wait_until_settled()
        tap.equal([e["queue_name"] for e in waiting], ["deferred"], "queue")
        tap.equal(world.sink.deliveries(), [], "deliveries")
    finally:
        world.merganser.start()
    world.postfix.flush_until_empty()
    copies = world.sink.by_recipient()
    tap.equal(sorted(copies), [ANN, BOB], "recipients")
    tap.contains(copies[BOB].text("plain"), "Hi Bob,", "text/plain")


def deferral(world):
    """Why the one message in the queue waits; asks for another try each time."""
    (entry,) = world.postfix.wait_until_settled()
    world.postfix.flush()
    return entry["recipients"][0]["delay_reason"]


@tap.case
def locked_database_defers_and_counts_once(world):
    world.sink.clear()
    known = len(world.merganser.why(ANN))
    other = sqlite3.connect(world.merganser.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        world.send(campaign(number="locked"), [ANN])
        wait_for(lambda: "451 4.3.0" in deferral(world), 30, "refusal by the milter")
    finally:
        other.execute("ROLLBACK")
        other.close()
    world.postfix.flush_until_empty()
    tap.equal([d.recipient for d in world.sink.deliveries()], [ANN], "recipients")
    tap.equal(len(world.merganser.why(ANN)), known + 1, "records")


tap.main(lambda: mta_world({**NO_CAP, "store": {"deadline": "1s"}}))
