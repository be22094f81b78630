# SPDX-License-Identifier: Apache-2.0
"""By which ways a message becomes a campaign, and which role it meets there."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.bench import Bench, let_pass, refused  # noqa: E402
from tests.fake.mta import NO_REPLY, FakeMta  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, ORDINARY, campaign  # noqa: E402


@tap.case
def other_daemon_is_let_go_at_connect(bench):
    with FakeMta(bench.merganser.socket) as mta:
        tap.equal(mta.connect("smtpd").answer, "accept", "answer to connect")


@tap.case
def ordinary_mail_is_let_go_after_its_headers(bench):
    for daemon in ("merganser", "campaign-check"):
        event, reply = bench.send(ORDINARY, daemon=daemon)
        tap.equal((event, reply.answer, reply.edits), ("eoh", "accept", []), daemon)


@tap.case
def ordinary_mail_may_have_many_recipients_on_a_mixed_connection(bench):
    with bench.mta("campaign-check") as mta:
        event, reply = mta.message(ORDINARY, [f"<p{n}@example.com>" for n in range(200)])
        tap.equal((event, reply.answer), ("eoh", "accept"), "answer")


@tap.case
def header_that_only_looks_alike_makes_no_campaign(bench):
    data = b"X-Campaigns: spring\r\nX-Campaign-Data: {}\r\n" + ORDINARY
    event, reply = bench.send(data)
    tap.equal((event, reply.answer), ("eoh", "accept"), "answer")


@tap.case
def header_name_is_told_in_any_case(bench):
    data = campaign().replace(b"X-Campaign: spring", b"x-CAMPAIGN: spring")
    event, reply = bench.send(data)
    message, _ = reply.apply(data)
    tap.equal((event, reply.answer), ("eom", "accept"), "answer")
    tap.lacks(message.lower(), b"x-campaign", "merged copy")


@tap.case
def check_role_edits_nothing(bench):
    before = bench.merganser.why(ANN)
    with bench.mta("campaign-check") as mta:
        event, reply = mta.message(campaign(), [f"<{ANN}>", f"<{BOB}>"])
        let_pass(event, reply)
    tap.equal(bench.merganser.why(ANN), before, "records of a message that was only checked")


@tap.case
def check_role_refuses_a_broken_template(bench):
    broken = campaign(html="<p>{{#if first_name}}never closed</p>")
    event, reply = bench.send(broken, daemon="campaign-check")
    tap.equal(event, "eom", "event")
    refused(reply, 550, "5.6.0", "part text/html:1:")


@tap.case
def login_is_trusted_where_it_is_listed(bench):
    settings = {**NO_CAP, "trust": {"senders": "tool other"}}
    with Bench(settings) as mixed:
        event, reply = mixed.send(campaign(), daemon="smtpd", login="tool")
        tap.equal((event, reply.answer), ("eom", "accept"), "listed login")
        tap.true(reply.edits, "nothing was merged for a listed login")
        for login in ("mallory", None):
            with mixed.mta("smtpd") as mta:
                first_answer = "rcpt" if mta.steps & NO_REPLY["M"] else "mail"
                event, reply = mta.message(campaign(), [f"<{ANN}>"], login=login)
            tap.equal((event, reply.answer, reply.edits), (first_answer, "accept", []), login)


@tap.case
def several_recipients_by_login_are_refused_at_the_end(bench):
    with Bench({**NO_CAP, "trust": {"senders": "tool"}}) as mixed, mixed.mta("smtpd") as mta:
        event, reply = mta.message(campaign(), [f"<{ANN}>", f"<{BOB}>"], login="tool")
        tap.equal(event, "eom", "event")
        refused(reply, 554, "5.5.3")
        event, reply = mta.message(ORDINARY, [f"<{ANN}>", f"<{BOB}>"], login="tool")
        tap.equal((event, reply.answer), ("eoh", "accept"), "ordinary mail")


tap.main(lambda: Bench(NO_CAP))
