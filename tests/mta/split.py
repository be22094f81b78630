# SPDX-License-Identifier: Apache-2.0
"""Split shape in a real Postfix: one message in, a personal one per recipient out."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, NOBODY, OUT, campaign  # noqa: E402
from tests.postfix import mta_world  # noqa: E402

ALL = [ANN, BOB, OUT, NOBODY, "x1@example.net", "x2@example.net"]


@tap.case
def message_to_six_becomes_a_copy_for_each_who_may_get_it(world):
    world.sink.clear()
    world.send_and_wait(campaign(to=", ".join(ALL), last=[f"Cc: {BOB}"]), ALL)
    copies = world.sink.by_recipient()
    tap.equal(sorted(copies), sorted(set(ALL) - {OUT}), "recipients")
    for address, copy in copies.items():
        tap.contains(str(copy.message()["To"]), address, "To")
        for other in set(ALL) - {address}:
            tap.lacks(copy.data, other.encode(), f"copy of {address}")
        tap.lacks(copy.data, b"{{", f"copy of {address}")
        tap.lacks(copy.data, b"{F", f"copy of {address}")
        tap.lacks(copy.data.lower(), b"x-campaign", f"copy of {address}")
        has_pixel = "news.example.com/o/" in copy.text("html")
        tap.equal(has_pixel, address == ANN, f"pixel for {address}")
        tap.true(max(map(len, copy.data.split(b"\n"))) < 998, "a line of 998 bytes or more")
        tap.true(copy.data.isascii(), "8-bit bytes in a copy")
    tap.equal(str(copies[ANN].message()["Subject"]), "Änn, your Hiking picks", "subject")
    tap.equal(str(copies[NOBODY].message()["Subject"]), "Hello, your Outdoor picks", "subject")


@tap.case
def control_header_is_gone_even_where_it_is_the_first(world):
    """Postfix before 20231213 can miss the first header."""
    moved = campaign(number="first").replace(b"X-Campaign: spring\r\n", b"")
    to_first = moved.replace(b"From: News <news@sandbox.test>\r\n", b"").replace(
        b"Subject:", b"From: News <news@sandbox.test>\r\nX-Campaign: spring\r\nSubject:", 1)
    for data in (b"X-Campaign: spring\r\n" + moved, to_first):
        for port in ("submission", "direct"):
            world.sink.clear()
            world.send_and_wait(data, [ANN], port=port)
            copy = world.sink.by_recipient()[ANN]
            tap.lacks(copy.data.lower(), b"x-campaign", f"{port}: copy")
            tap.contains(str(copy.message()["To"]), ANN, f"{port}: To")
            tap.lacks(copy.data, b"all@sandbox.test", f"{port}: copy")


@tap.case
def sendmail_is_merged_too(world):
    world.sink.clear()
    data = campaign(number="sendmail").replace(b"\r\n", b"\n")
    tap.equal(world.postfix.sendmail(data, "news@sandbox.test", [ANN, BOB]).returncode, 0, "exit")
    world.postfix.wait_until_empty()
    copies = world.sink.by_recipient()
    tap.equal(sorted(copies), [ANN, BOB], "recipients")
    tap.contains(copies[ANN].text("plain"), "Hi Änn,", "text/plain")


@tap.case
def template_from_outside_is_not_merged(world):
    world.sink.clear()
    data = campaign(number="outside")
    world.send_and_wait(data, [ANN, BOB], port="outside")
    (copy,) = world.sink.deliveries()
    tap.equal(copy.recipients, [ANN, BOB], "recipients")
    tap.contains(copy.data, b"X-Campaign: spring", "message")
    tap.contains(copy.data, b"{FirstName|there}", "message")


@tap.case
def campaign_in_an_attachment_is_no_campaign(world):
    world.sink.clear()
    data = (b"From: a@sandbox.test\r\nTo: b@example.com\r\nSubject: look\r\n"
            b"MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n\r\n" + campaign())
    world.send_and_wait(data, [ANN, BOB])
    (copy,) = world.sink.deliveries()
    tap.contains(copy.data, b"{FirstName|there}", "message")


@tap.case
def campaign_header_is_seen_however_it_is_spelled(world):
    for n, line in enumerate((b"x-CAMPAIGN: spring", b"X-Campaign : spring",
                              b"X-Campaign:\r\n\tspring")):
        world.sink.clear()
        data = campaign(number=f"spelled-{n}").replace(b"X-Campaign: spring", line)
        world.send_and_wait(data, [ANN, BOB])
        copies = world.sink.by_recipient()
        tap.equal(sorted(copies), [ANN, BOB], "recipients")
        for copy in copies.values():
            tap.lacks(copy.data.lower(), b"x-campaign", f"copy for {line}")
            tap.lacks(copy.data, b"{F", f"copy for {line}")


@tap.case
def broken_template_is_refused_at_the_door(world):
    world.sink.clear()
    broken = campaign(html="<p>\n{{#if first_name}}</p>", number="broken")
    code, text = world.refusal(broken, ALL)
    tap.equal(code, 550, "code")
    tap.contains(text, b"5.6.0 part text/html:2:", "reply")
    world.postfix.wait_until_empty()
    tap.equal(world.sink.deliveries(), [], "deliveries")


@tap.case
def refusal_at_the_hop_becomes_a_bounce(world):
    """sendmail(1) mail has no door: the hop refuses each copy, the sender hears it once."""
    world.sink.clear()
    broken = campaign(html="<p>{{#if first_name}}</p>", number="bounce").replace(b"\r\n", b"\n")
    world.postfix.sendmail(broken, "boss@sandbox.test", [ANN, BOB])
    world.postfix.wait_until_empty()
    (bounce,) = world.sink.deliveries()
    tap.equal(bounce.recipients, ["boss@sandbox.test"], "recipients")
    tap.equal(bounce.sender, "", "sender")
    for part in (b"5.6.0", b"part text/html:1:", ANN.encode(), BOB.encode()):
        tap.contains(bounce.data, part, "bounce")


@tap.case
def error_of_some_comes_back_as_one_notice_that_names_them(world):
    """The template compiles at the door; Ann's and Bob's data make it fail, the others' do not."""
    world.sink.clear()
    plain = "{{#if user_points}}{{required no_such_field}}{{/if}}Hi {FirstName|there}\n"
    others = ["x1@example.net", "x2@example.net"]
    world.send_and_wait(campaign(plain=plain, number="some"), [ANN, *others, BOB],
                        sender="boss@sandbox.test")
    deliveries = world.sink.deliveries()
    tap.equal(sorted(d.recipient for d in deliveries), ["boss@sandbox.test", *others], "recipients")
    (notice,) = [d for d in deliveries if d.recipient == "boss@sandbox.test"]
    tap.equal(notice.sender, "", "sender of the notice")
    failed = [line for line in notice.data.split(b"\n") if line.startswith(b"Final-Recipient:")]
    tap.equal(sorted(line.split(b";")[1].strip().decode() for line in failed), [ANN, BOB], "named")
    tap.contains(notice.data, b"5.6.0", "notice")


@tap.case
def second_campaign_of_a_day_is_withheld(world):
    with mta_world({"cap daily": {"limit": "1"}}) as capped:
        capped.send_and_wait(campaign(number="one"), [ANN, BOB, OUT])
        tap.equal(sorted(capped.sink.by_recipient()), [ANN, BOB], "first send")
        capped.sink.clear()
        capped.send_and_wait(campaign(number="two"), [ANN, BOB, OUT])
        tap.equal(capped.sink.deliveries(), [], "second send")
        for address, gate in ((ANN, "cap: "), (BOB, "cap: "), (OUT, "suppressed: ")):
            record = capped.merganser.why(address)[0]
            tap.equal(record["verdict"], "drop", f"verdict for {address}")
            tap.contains(record["reason"], gate, f"reason for {address}")


@tap.case
def sample_campaign_goes_through_preview_and_check(world):
    """What the quickstart sends is well formed for everybody in the sample profiles."""
    for address in (ANN, NOBODY):
        text = world.merganser.tool(
            "preview", world.sample("campaign.eml"), "--to", address).stdout
        tap.lacks(text, "{{", "preview")


tap.main(lambda: mta_world(NO_CAP))
