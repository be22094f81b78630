# SPDX-License-Identifier: Apache-2.0
"""What becomes of a campaign message on a merging service."""

import email
import email.policy
import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.bench import Bench, refused, same_copy  # noqa: E402
from tests.fake.mta import ALL_STEPS, HEADER_LEADING_SPACE  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, NOBODY, OUT, campaign  # noqa: E402


def parse(message):
    return email.message_from_bytes(message, policy=email.policy.default)


def text_of(message, subtype):
    return next(part.get_content() for part in parse(message).walk()
                if part.get_content_type() == f"text/{subtype}")


@tap.case
def copy_is_personal(bench):
    message = bench.merged(campaign())
    tap.equal(str(parse(message)["Subject"]), "Änn, your Hiking picks", "subject")
    tap.contains(text_of(message, "plain"), "Hi Änn,", "text/plain")
    tap.contains(text_of(message, "html"), "<b>Gold</b>", "text/html")
    tap.contains(text_of(message, "html"), "Hiking &amp; more: café", "text/html")
    tap.lacks(message, b"{", "merged copy")
    tap.lacks(text_of(bench.merged(campaign(), BOB), "html"), "Gold", "text/html")


@tap.case
def copy_is_what_preview_shows(bench):
    for recipient in (ANN, BOB, NOBODY):
        data = campaign(number=f"preview-{recipient[0]}")
        preview = bench.preview(data, recipient).encode()
        same_copy(bench.merged(data, recipient), preview, f"copy of {recipient}")


@tap.case
def headers_are_the_same_for_an_mta_that_keeps_the_space(bench):
    """Whether the space behind the colon is the MTA's or the milter's is negotiated."""
    data = campaign(number="space")
    with bench.mta(steps=ALL_STEPS & ~HEADER_LEADING_SPACE) as mta:
        _, reply = mta.message(data, [f"<{ANN}>"])
        copy, _ = reply.apply(data)
    same_copy(copy, bench.merged(data))
    tap.contains(copy, f"\r\nTo: <{ANN}>\r\n".encode(), "the copy")


@tap.case
def only_the_recipient_is_shown(bench):
    data = campaign(to=f"{ANN}, {BOB}, Team <team@example.com>",
                    last=[f"Cc: {BOB}", "Bcc: boss@example.com", f"Resent-To: {BOB}"])
    message = parse(bench.merged(data))
    tap.contains(str(message["To"]), ANN, "To")
    for other in (b"bob@", b"team@", b"boss@"):
        tap.lacks(message.as_bytes(), other, "merged copy")
    for name in ("Cc", "Bcc", "Resent-To"):
        tap.equal(message[name], None, name)


@tap.case
def names_in_headers_are_personal(bench):
    message = parse(bench.merged(campaign(number="names", last=[
        'Reply-To: "{{#if user_has_bought}}Your{{else}}Our{{/if}} {Interest} team"',
        " <team@example.com>",
        "List-Id: =?utf-8?Q?=7B=7Binter?= =?utf-8?Q?est=7D=7D?= <news.example.com>",
        "List-Help: <https://example.com/?i={{urlencode interest}}>",
        "List-Help: <mailto:help@example.com>"]).replace(
            b"From: News", "From: {FirstName}’s =?utf-8?Q?N=C3=A9ws?=".encode())))
    tap.equal(str(message["From"]), "Änn’s Néws <news@sandbox.test>", "From")
    tap.equal(str(message["Reply-To"]), "Your Hiking team <team@example.com>", "Reply-To")
    tap.equal([str(v) for v in message.get_all("List-Help")],
              ["<https://example.com/?i=Hiking>", "<mailto:help@example.com>"], "List-Help")


@tap.case
def recipient_has_a_name_where_asked_for(bench):
    settings = {**NO_CAP, "render": {"recipient_name": "{{first_name}} {{last_name}}"}}
    with Bench(settings) as other:
        tap.equal(str(parse(other.merged(campaign(number="to")))["To"]),
                  f"Änn <{ANN}>", "To")
        tap.equal(str(parse(other.merged(campaign(number="to"), NOBODY))["To"]),
                  NOBODY, "To")
    bench.assert_alive()


@tap.case
def values_end_no_header(bench):
    """What a profile holds cannot add a header, or an address."""
    bench.merganser.import_profiles([
        {"address": "evil@example.com", "first_name": "x\r\nBcc: all@example.com",
         "interest": '" <evil@example.net>, "', "consent": {"receive": True}}])
    message = parse(bench.merged(campaign(number="evil", last=[
        'Reply-To: "{Interest}" <team@example.com>']).replace(
            b"From: News", b"From: {FirstName}"), "evil@example.com"))
    tap.equal(message["Bcc"], None, "Bcc")
    for name, address in (("From", "news@sandbox.test"), ("Reply-To", "team@example.com")):
        tap.equal([a.addr_spec for a in message[name].addresses], [address], name)


@tap.case
def control_headers_are_gone_wherever_they_stand(bench):
    """Postfix before 20231213 can miss an edit of the very first header."""
    plain = campaign()
    moved = plain.replace(b"X-Campaign: spring\r\n", b"")
    for data in (plain, b"X-Campaign: spring\r\n" + moved,
                 campaign(last=["x-campaign-class: promo"])):
        message = bench.merged(data)
        tap.lacks(message.lower(), b"x-campaign", "merged copy")
        tap.contains(message, b"To: ", "merged copy")


@tap.case
def pixel_needs_consent(bench):
    tap.contains(text_of(bench.merged(campaign(), ANN), "html"), "https://news.example.com/o/")
    for recipient in (BOB, NOBODY):
        tap.lacks(text_of(bench.merged(campaign(), recipient), "html"),
                  "news.example.com/o/", f"html for {recipient}")


@tap.case
def campaign_can_do_without_tracking(bench):
    data = campaign().replace(b"X-Campaign-Track: opens", b"X-Campaign-Track: none")
    tap.lacks(text_of(bench.merged(data), "html"), "news.example.com/o/", "html")


@tap.case
def one_click_unsubscribe_is_offered(bench):
    message = parse(bench.merged(campaign(number="unsubscribe")))
    tap.contains(str(message["List-Unsubscribe"]), "<https://news.example.com/u/")
    tap.equal(str(message["List-Unsubscribe-Post"]), "List-Unsubscribe=One-Click",
              "List-Unsubscribe-Post")
    tap.contains(str(message["List-Id"]), "news.example.com", "List-Id")


@tap.case
def transactional_mail_is_not_stamped(bench):
    message = parse(bench.merged(campaign(last=["X-Campaign-Class: transactional"])))
    tap.equal(message["List-Unsubscribe"], None, "List-Unsubscribe")


@tap.case
def person_without_profile_gets_the_fallbacks(bench):
    message = bench.merged(campaign(), NOBODY)
    tap.equal(str(parse(message)["Subject"]), "Hello, your Outdoor picks", "subject")
    tap.contains(text_of(message, "plain"), "Hi there,", "text/plain")


@tap.case
def person_without_profile_can_be_refused_or_left_out(bench):
    with Bench({**NO_CAP, "policy": {"unknown_recipient": "reject"}}) as strict:
        refused(strict.send(campaign(), NOBODY)[1], 550)
    with Bench({**NO_CAP, "policy": {"unknown_recipient": "drop"}}) as strict:
        event, reply = strict.send(campaign(), NOBODY)
        tap.equal((event, reply.answer, reply.edits), ("eom", "discard", []), "answer")


@tap.case
def a_time_to_send_at_lets_nobody_in(bench):
    """Who has no profile is kept out of what is held, too."""
    later = campaign(first=["X-Campaign-Send-At: 2099-01-01T00:00:00Z"])
    with Bench({**NO_CAP, "policy": {"unknown_recipient": "reject"}}) as strict:
        refused(strict.send(later, NOBODY)[1], 550)
    with Bench({**NO_CAP, "policy": {"unknown_recipient": "drop"}}) as strict:
        event, reply = strict.send(later, NOBODY)
        tap.equal((event, reply.answer, reply.edits), ("eom", "discard", []), "answer")


@tap.case
def what_a_template_holds_waits_for_somebody(bench):
    """Not for the time at which it would have been sent."""
    message = campaign(plain="{{required code}}\n", number="looked-at",
                       first=["X-Campaign-Send-At: 2099-01-01T00:00:00Z"])
    with Bench({**NO_CAP, "policy": {"missing_field": "hold"}}) as holding:
        event, reply = holding.send(message, ANN)
        tap.equal((event, reply.answer), ("eom", "accept"), "answer")
        (held,) = json.loads(holding.merganser.tool("hold", "list", "--json").stdout)
        tap.equal((held["until"], held["settled"]), (None, None), "hold")


@tap.case
def suppressed_person_gets_nothing(bench):
    event, reply = bench.send(campaign(), OUT)
    tap.equal((event, reply.answer, reply.edits), ("eom", "discard", []), "answer")
    record = bench.merganser.why(OUT)[0]
    tap.equal((record["verdict"], record["reason"]), ("drop", "suppressed: unsubscribed"),
              "record")


@tap.case
def cap_holds_and_a_retry_is_not_counted_twice(bench):
    with Bench() as capped:
        first = capped.merged(campaign(number="one"))
        again = capped.merged(campaign(number="one"))
        same_copy(again, first, "the copy of a retry")
        event, reply = capped.send(campaign(number="two"))
        tap.equal((event, reply.answer), ("eom", "discard"), "answer")
        records = [(r["verdict"], r["reason"].split(":")[0]) for r in capped.merganser.why(ANN)]
        tap.equal(records, [("drop", "cap"), ("deliver", "ok")], "records")


@tap.case
def a_copy_is_followed_from_the_log_to_the_record(bench):
    bench.merged(campaign(number="followed"), BOB)
    bench.merged(campaign(number="followed"), ANN)
    copies = re.findall(r"verdict=deliver, campaign=spring, .*copy=([0-9a-f]{32}), ", bench.logs())
    tap.true(copies[-1] != copies[-2], f"two copies are {copies[-1]}")
    tap.equal(bench.merganser.why(BOB)[0]["copy"], copies[-2], "the record of the first")
    tap.equal(bench.merganser.why(ANN)[0]["copy"], copies[-1], "the record of the second")
    tap.contains(bench.merganser.tool("why", ANN).stdout, f"copy={copies[-1]}\n", "why")


@tap.case
def a_retry_that_a_suppression_stops_is_on_record(bench):
    """The copy was let go once, so its outcome stands; what came of the retry stands beside."""
    with Bench() as other:
        other.merged(campaign(number="stopped"))
        other.merganser.tool("suppress", "add", ANN, "--reason", "manual")
        for _ in range(2):
            event, reply = other.send(campaign(number="stopped"))
            tap.equal((event, reply.answer), ("eom", "discard"), "answer")
        records = [(r["verdict"], r["reason"]) for r in other.merganser.why(ANN)]
        tap.equal(records[:2], [("drop", "suppressed: manual")] * 2, "records")
        tap.equal(records[2][0], "deliver", "the record of the first time")


@tap.case
def reused_message_id_evades_no_cap(bench):
    with Bench() as capped:
        capped.merged(campaign())
        event, reply = capped.send(campaign(plain="Other text.\n"))
        tap.equal((event, reply.answer), ("eom", "discard"), "answer")


@tap.case
def broken_template_is_refused_with_its_place(bench):
    for data, place in (
        (campaign(html="<p>\n{{#if first_name}}</p>"), "part text/html:2:"),
        (campaign(plain="one\ntwo {{/each}}\n"), "part text/plain:2:"),
        (campaign(subject="{{#if x}}"), "subject:1:"),
        (campaign(html="<p>{{no_such_helper 1 2}}</p>"), "part text/html:1:"),
    ):
        event, reply = bench.send(data)
        tap.equal(event, "eom", "event")
        refused(reply, 550, "5.6.0", place)


@tap.case
def malformed_control_header_is_refused(bench):
    for old, new in (
        (b"X-Campaign: spring", b"X-Campaign: a b"),
        (b"X-Campaign: spring", b"X-Campaign: spring\r\nX-Campaign: summer"),
        (b"X-Campaign-Track: opens", b"X-Campaign-Track: everything"),
        (b'X-Campaign-Data: {"interest": "Outdoor"}', b"X-Campaign-Data: {"),
        (b"X-Campaign-Track: opens", b"X-Campaign-Colour: red"),
    ):
        event, reply = bench.send(campaign().replace(old, new))
        tap.equal(event, "eom", f"event for {new}")
        refused(reply, 550, "5.6.0")


@tap.case
def signed_message_is_refused(bench):
    data = campaign().replace(b"multipart/alternative;",
                              b'multipart/signed; protocol="application/pgp-signature";')
    refused(bench.send(data)[1], 550, "5.6.0", "sign")


@tap.case
def second_recipient_is_sent_back_at_once(bench):
    with bench.mta() as mta:
        mta.mail()
        tap.equal(mta.recipient(f"<{ANN}>").answer, "continue", "first recipient")
        refused(mta.recipient(f"<{BOB}>"), 452, "4.5.3")
        mta.data()
        for _, play in mta.content_events(campaign(number="direct")):
            play()
        reply = mta.end_of_message()
        tap.equal(reply.answer, "accept", "answer")
        tap.true(reply.edits, "the first recipient's copy was not merged")


@tap.case
def sendmail_is_never_refused_at_a_recipient(bench):
    """Postfix would try the message for ever; the refusal comes at the end."""
    with bench.mta() as mta:
        event, reply = mta.message(campaign(), [ANN, BOB])
        tap.equal(event, "eom", "event")
        refused(reply, 554, "5.5.3")
        event, reply = mta.message(campaign(), [BOB])
        tap.equal((event, reply.answer), ("eom", "accept"), "single recipient")


@tap.case
def no_address_and_no_value_is_logged(bench):
    for recipient in (ANN, BOB, OUT, NOBODY):
        bench.send(campaign(number="log"), recipient)
    log = bench.merganser.log_text()
    tap.contains(log, "spring", "log")
    for secret in ("@example.com", "Änn", "Bob", "Hiking"):
        tap.lacks(log, secret, "log")


tap.main(lambda: Bench(NO_CAP))
