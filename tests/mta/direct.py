# SPDX-License-Identifier: Apache-2.0
"""Direct shape in a real Postfix: the milter on the campaign tool's own service."""

import pathlib
import smtplib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, campaign  # noqa: E402
from tests.postfix import mta_world  # noqa: E402


@tap.case
def second_recipient_is_asked_to_wait_and_the_first_is_served(world):
    world.sink.clear()
    with smtplib.SMTP("127.0.0.1", world.ports["direct"], timeout=60) as smtp:
        smtp.ehlo()
        smtp.mail("news@sandbox.test")
        tap.equal(smtp.rcpt(ANN)[0], 250, "first recipient")
        code, text = smtp.rcpt(BOB)
        tap.equal(code, 452, "second recipient")
        tap.contains(text, b"4.5.3", "second recipient")
        tap.equal(smtp.data(campaign(number="direct"))[0], 250, "end of message")
    world.postfix.wait_until_empty()
    copies = world.sink.by_recipient()
    tap.equal(list(copies), [ANN], "recipients")
    tap.contains(copies[ANN].text("plain"), "Hi Änn,", "text/plain")


@tap.case
def client_that_gives_up_on_the_others_harms_nobody(world):
    """It tells its user that Bob was refused and never sends again: Ann has hers, and of Bob
    nothing is recorded or waits."""
    world.sink.clear()
    known = len(world.merganser.why(BOB))
    with smtplib.SMTP("127.0.0.1", world.ports["direct"], timeout=60) as smtp:
        refused = smtp.sendmail("news@sandbox.test", [ANN, BOB], campaign(number="gives-up"),
                                ["BODY=8BITMIME"])
    tap.equal({address: code for address, (code, _) in refused.items()}, {BOB: 452}, "refused")
    world.postfix.wait_until_empty()
    tap.equal([d.recipients for d in world.sink.deliveries()], [[ANN]], "recipients")
    tap.equal(len(world.merganser.why(BOB)), known, "records of who got nothing")


@tap.case
def client_that_leaves_at_the_refusal_sent_nothing(world):
    world.sink.clear()
    known = len(world.merganser.why(ANN))
    smtp = smtplib.SMTP("127.0.0.1", world.ports["direct"], timeout=60)
    smtp.ehlo()
    smtp.mail("news@sandbox.test")
    tap.equal(smtp.rcpt(ANN)[0], 250, "first recipient")
    tap.equal(smtp.rcpt(BOB)[0], 452, "second recipient")
    smtp.close()
    world.postfix.wait_until_empty()
    tap.equal(world.sink.deliveries(), [], "deliveries")
    tap.equal(len(world.merganser.why(ANN)), known, "records")


@tap.case
def many_messages_on_one_connection_are_merged(world):
    world.sink.clear()
    people = [ANN, BOB] * 10
    with smtplib.SMTP("127.0.0.1", world.ports["direct"], timeout=60) as smtp:
        for n, address in enumerate(people):
            smtp.sendmail("news@sandbox.test", [address], campaign(number=n), ["BODY=8BITMIME"])
    world.postfix.wait_until_empty()
    copies = world.sink.deliveries()
    tap.equal(sorted(c.recipient for c in copies), sorted(people), "recipients")
    for copy in copies:
        name = "Änn" if copy.recipient == ANN else "Bob"
        tap.contains(copy.text("plain"), f"Hi {name},", "text/plain")


@tap.case
def broken_template_is_refused_in_the_dialogue(world):
    code, text = world.refusal(campaign(plain="{{#each x}}"), [ANN], port="direct")
    tap.equal(code, 550, "code")
    tap.contains(text, b"5.6.0 part text/plain:1:", "reply")


@tap.case
def campaign_after_a_refused_one_on_the_same_connection_is_merged(world):
    world.sink.clear()
    with smtplib.SMTP("127.0.0.1", world.ports["direct"], timeout=60) as smtp:
        try:
            smtp.sendmail("news@sandbox.test", [ANN], campaign(plain="{{#each x}}"),
                          ["BODY=8BITMIME"])
            tap.true(False, "the broken template was taken")
        except smtplib.SMTPDataError:
            pass
        smtp.sendmail("news@sandbox.test", [ANN], campaign(number="ok"), ["BODY=8BITMIME"])
    world.postfix.wait_until_empty()
    tap.equal([d.recipient for d in world.sink.deliveries()], [ANN], "recipients")


tap.main(lambda: mta_world(NO_CAP))
