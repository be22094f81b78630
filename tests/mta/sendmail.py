# SPDX-License-Identifier: Apache-2.0
"""A real Sendmail 8.17, set up by conf/sendmail: the split, the door, the hop."""

import pathlib
import shutil
import smtplib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.daemon import Merganser  # noqa: E402
from sandbox.postfix import SandboxError, new_directory, wait_for  # noqa: E402
from sandbox.sendmail import PrivateSendmail  # noqa: E402
from sandbox.sink import Sink  # noqa: E402
from tests import tap  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, NOBODY, ORDINARY, OUT, PEOPLE, campaign  # noqa: E402
from tests.postfix import MtaWorld  # noqa: E402

ALL = [ANN, BOB, OUT, NOBODY]


class SendmailWorld(MtaWorld):
    """The tests' people, Merganser and a sink, with Sendmail for Postfix."""

    def __init__(self, settings=None):
        self.directory = new_directory()
        self.merganser = Merganser(self.directory / "merganser", settings=settings)
        self.postfix = PrivateSendmail(self.directory / "sendmail", self.merganser.socket)
        self.ports = self.postfix.ports
        self.sink = Sink(self.directory, self.ports["sink"])
        self.profiles = None

    @property
    def sendmail(self):
        return self.postfix


def world(settings=None):
    tap.need_root()
    for program in ("unshare", "m4", "smtp-sink"):
        if not shutil.which(program):
            raise tap.Skip(f"{program} is not installed")
    return SendmailWorld(settings or NO_CAP)


@tap.case
def message_to_several_becomes_a_copy_for_each_who_may_get_it(mta):
    mta.send_and_wait(campaign(to=", ".join(ALL), last=[f"Cc: {BOB}"], number="split"), ALL)
    deliveries = mta.sink.deliveries()
    tap.equal(sorted(d.recipient for d in deliveries), sorted(set(ALL) - {OUT}), "recipients")
    for copy in deliveries:
        tap.contains(str(copy.message()["To"]), copy.recipient, "To")
        for other in set(ALL) - {copy.recipient}:
            tap.lacks(copy.data, other.encode(), f"copy of {copy.recipient}")
        for raw in (b"{{", b"{F", b"X-Campaign", b"x-campaign"):
            tap.lacks(copy.data, raw, f"copy of {copy.recipient}")
        tap.contains(copy.message()["List-Unsubscribe-Post"], "One-Click", "header")
        has_pixel = "news.example.com/o/" in copy.text("html")
        tap.equal(has_pixel, copy.recipient == ANN, f"pixel for {copy.recipient}")
    ann = mta.sink.by_recipient()[ANN]
    tap.equal(str(ann.message()["Subject"]), "Änn, your Hiking picks", "subject")
    tap.contains(ann.text("plain"), "Hi Änn,", "text/plain")


@tap.case
def ordinary_mail_keeps_its_body(mta):
    body = "{{lunch}} at one, {FirstName}?\r\n.dot\r\n\r\ncafé\r\n".encode()
    data = (b"From: a@sandbox.test\r\nTo: b@example.com\r\nSubject: {{lunch}}\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + body)
    for port in ("submission", "outside"):
        mta.sink.clear()
        mta.send_and_wait(data, [ANN], port=port)
        (copy,) = mta.sink.deliveries()
        tap.equal(copy.body, body.replace(b"\r\n", b"\n"), f"body by {port}")
        tap.equal(copy.message()["Subject"], "{{lunch}}", "subject")


@tap.case
def template_from_outside_is_not_merged(mta):
    mta.sink.clear()
    mta.send_and_wait(campaign(number="outside"), [ANN, BOB], port="outside")
    (copy,) = mta.sink.deliveries()
    tap.equal(sorted(copy.recipients), [ANN, BOB], "recipients")
    tap.contains(copy.data, b"{FirstName|there}", "message")


@tap.case
def broken_template_is_refused_at_the_door(mta):
    mta.sink.clear()
    code, text = mta.refusal(campaign(html="<p>\n{{#if first_name}}</p>", number="broken"), ALL)
    tap.equal(code, 550, "code")
    tap.contains(text, b"5.6.0 part text/html:2:", "reply")
    mta.sendmail.wait_until_empty()
    tap.equal(mta.sink.deliveries(), [], "deliveries")


@tap.case
def error_of_some_comes_back_as_one_notice(mta):
    """A value that only Ann has makes the template fail for her alone."""
    mta.sink.clear()
    plain = "{{#if (gt user_points 1000)}}{{required no_such_field}}{{/if}}Hi {FirstName}\n"
    mta.send_and_wait(campaign(plain=plain, number="some"), [ANN, BOB], sender="boss@sandbox.test")
    copies = mta.sink.by_recipient()
    tap.equal(sorted(copies), ["bob@example.com", "boss@sandbox.test"], "recipients")
    notice = copies["boss@sandbox.test"].data
    tap.contains(notice, ANN.encode(), "notice")
    tap.lacks(notice, b"<bob@example.com>", "notice")
    tap.contains(notice, b"5.6.0", "notice")


@tap.case
def second_recipient_at_the_hop_has_to_wait(mta):
    mta.sink.clear()
    with smtplib.SMTP("127.0.0.1", mta.ports["hop"], timeout=60) as smtp:
        smtp.ehlo()
        smtp.mail("news@sandbox.test")
        tap.equal(smtp.rcpt(ANN)[0], 250, "first recipient")
        code, text = smtp.rcpt(BOB)
        tap.equal((code, b"4.5.3" in text), (452, True), "second recipient")
        tap.equal(smtp.data(campaign(number="hop"))[0], 250, "end of message")
    mta.sendmail.wait_until_empty()
    tap.equal(list(mta.sink.by_recipient()), [ANN], "recipients")


@tap.case
def milter_that_is_away_defers_and_nothing_is_lost(mta):
    mta.sink.clear()
    mta.merganser.kill()
    try:
        code, text = mta.refusal(campaign(), [ANN])
        tap.true(400 <= code < 500, f"reply {code} {text}")
        mta.send_and_wait(ORDINARY, [BOB], port="outside")
        tap.equal([d.recipient for d in mta.sink.deliveries()], [BOB], "mail by the other daemon")
    finally:
        mta.merganser.start()


@tap.case
def milter_killed_in_the_middle_of_a_message_defers_it(mta):
    mta.sink.clear()
    smtp = smtplib.SMTP("127.0.0.1", mta.ports["hop"], timeout=60)
    smtp.ehlo()
    smtp.mail("news@sandbox.test")
    tap.equal(smtp.rcpt(ANN)[0], 250, "recipient")
    tap.equal(smtp.docmd("DATA")[0], 354, "DATA")
    smtp.send(campaign(number="killed", plain="text\n" * 20000)[:100000])
    mta.merganser.kill()
    smtp.send(b"\r\nthe rest\r\n.\r\n")
    code, text = smtp.getreply()
    smtp.close()
    tap.true(400 <= code < 500, f"reply {code} {text}")
    tap.equal(mta.sink.deliveries(), [], "deliveries")
    mta.merganser.start()


@tap.case
def cap_drops_the_second(_):
    with world({"cap daily": {"limit": "1"}}) as capped:
        capped.send_and_wait(campaign(number="one"), [ANN, BOB, OUT])
        tap.equal(sorted(capped.sink.by_recipient()), [ANN, BOB], "first send")
        capped.sink.clear()
        capped.send_and_wait(campaign(number="two"), [ANN, BOB, OUT])
        tap.equal(capped.sink.deliveries(), [], "second send")
        tap.contains(capped.merganser.why(ANN)[0]["reason"], "cap: ", "reason")


@tap.case
def held_copy_is_quarantined_and_can_be_let_go(_):
    with world({"cap daily": {"limit": "1", "on_exceed": "hold"}}) as holding:
        holding.send_and_wait(campaign(number="one"), [ANN])
        holding.sink.clear()
        holding.send(campaign(number="two"), [ANN])
        wait_for(lambda: any(n.startswith("hf") for n in holding.sendmail.host.waiting()), 30,
                 "a quarantined message")
        tap.equal(holding.sink.deliveries(), [], "deliveries")
        (name,) = [n for n in holding.sendmail.host.waiting() if n.startswith("hf")]
        tap.lacks((holding.sendmail.host.queue / f"d{name[1:]}").read_bytes(), b"{F", "held copy")
        tap.equal(holding.merganser.why(ANN)[0]["verdict"], "hold", "verdict")
        tap.contains(holding.merganser.log_text(), f"{name[2:]}: verdict=hold", "queue id in the log")
        holding.sendmail.host.run("-qQ", f"-qI{name[2:]}", "-Q")
        holding.sendmail.wait_until_empty()
        tap.equal([d.recipient for d in holding.sink.deliveries()], [ANN], "recipients")


@tap.case
def stage_sends_every_copy_to_one_address(_):
    stage = "stage@example.org"
    with world({"milter": {"mode": "stage", "stage_address": stage}}) as staged:
        staged.send_and_wait(campaign(number="stage"), [ANN, BOB, OUT])
        copies = staged.sink.deliveries()
        tap.equal([copy.recipients for copy in copies], [[stage], [stage]], "recipients")
        tap.equal(staged.merganser.why(ANN), [], "records")


tap.main(world)
