# SPDX-License-Identifier: Apache-2.0
"""answers = late: one answer for a message, at its end, and the same outcomes as ever."""

import os
import pathlib
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.postfix import wait_for  # noqa: E402
from tests import tap  # noqa: E402
from tests.bench import Bench, let_pass, refused, same_copy  # noqa: E402
from tests.fake.mta import NO_REPLY  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, ORDINARY, campaign  # noqa: E402

LATE = {**NO_CAP, "milter": {"answers": "late"}, "trust": {"senders": "robot"}}
SILENT = "MRLNB"  # sender, recipient, header, end of the headers, body


@tap.case
def nothing_is_answered_before_the_end(bench):
    with bench.mta() as mta:
        tap.equal([step for step in SILENT if not mta.steps & NO_REPLY[step]], [], "steps answered")


@tap.case
def mta_without_silence_gets_its_answers(bench):
    data = campaign(number="all-answers")
    with bench.mta(steps=0) as mta:
        event, reply = mta.message(data, [f"<{ANN}>"])
        tap.equal((event, reply.answer), ("eom", "accept"), "answer")
        message, _ = reply.apply(data)
        same_copy(message, bench.preview(data, ANN).encode())


@tap.case
def copy_is_the_one_of_the_preview(bench):
    data = campaign(number="late")
    same_copy(bench.merged(data), bench.preview(data, ANN).encode())


@tap.case
def two_recipients_are_refused_at_the_end_and_the_next_message_is_merged(bench):
    before = bench.merganser.why(ANN), bench.merganser.why(BOB)
    with bench.mta() as mta:
        event, reply = mta.message(campaign(number="two"), [f"<{ANN}>", f"<{BOB}>"])
        tap.equal(event, "eom", "event")
        refused(reply, 554, "5.5.3")
        tap.equal((bench.merganser.why(ANN), bench.merganser.why(BOB)), before, "records")
        event, reply = mta.message(campaign(number="one"), [f"<{BOB}>"])
        tap.equal((event, reply.answer), ("eom", "accept"), "single recipient")
        tap.true(reply.edits, "it was not merged")


@tap.case
def other_mail_passes_with_all_its_recipients(bench):
    big = ORDINARY + b"x" * 70000 + b"\0\r\n"  # what no campaign may be
    for data in (ORDINARY, big):
        with bench.mta() as mta:
            let_pass(*mta.message(data, [f"<p{n}@example.com>" for n in range(20)]))


@tap.case
def header_by_an_untrusted_way_makes_no_campaign(bench):
    with bench.mta("elsewhere") as mta:
        let_pass(*mta.message(campaign(), [f"<{ANN}>"]))
        let_pass(*mta.message(campaign(), [f"<{ANN}>"], login="somebody"))
        event, reply = mta.message(campaign(number="robot"), [f"<{ANN}>"], login="robot")
        tap.equal((event, reply.answer), ("eom", "accept"), "answer to a trusted login")
        tap.true(reply.edits, "it was not merged")


@tap.case
def broken_template_is_refused_at_the_door(bench):
    event, reply = bench.send(campaign(html="<p>{{#if first_name}}never closed</p>"),
                              daemon="campaign-check")
    tap.equal(event, "eom", "event")
    refused(reply, 550, "5.6.0", "part text/html:1:")


@tap.case
def reload_makes_new_connections_answer_again(bench):
    with bench.mta() as old:
        text = bench.merganser.conf.read_text()
        tap.contains(text, "answers = late", "merganser.conf")
        bench.merganser.conf.write_text(text.replace("answers = late", "answers = early"))
        os.kill(bench.merganser.process.pid, signal.SIGUSR1)
        wait_for(lambda: "is read again" in bench.merganser.log_text(), 20, "reload")
        with bench.mta() as new:
            event, reply = new.message(ORDINARY, [f"<{ANN}>"])
            tap.equal((event, reply.answer), ("eoh", "accept"), "answer to a new connection")
        event, reply = old.message(campaign(number="reload"), [f"<{ANN}>"])
        tap.equal((event, reply.answer), ("eom", "accept"), "answer to the old one")
        tap.true(reply.edits, "it was not merged")
    bench.merganser.conf.write_text(text)


tap.main(lambda: Bench(LATE))
