# SPDX-License-Identifier: Apache-2.0
"""Input that nobody sends by mistake: refused clearly, and the daemon lives on."""

import pathlib
import socket
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.bench import Bench, mask_tokens, refused, same_copy  # noqa: E402
from tests.fake.mta import FakeMta, Gone  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, campaign  # noqa: E402

LIMITS = {
    "milter": {"max_body": "64K", "max_headers": "100", "max_header_bytes": "16K"},
    **NO_CAP,
}


@tap.case
def too_many_headers_are_refused(bench):
    for count in (101, 20000):
        data = campaign(last=[f"X-H{n}: v" for n in range(count)])
        event, reply = bench.send(data)
        tap.equal(event, "eom", "event")
        refused(reply, 552, "5.3.4")
    bench.assert_alive()


@tap.case
def too_long_headers_are_refused(bench):
    refused(bench.send(campaign(last=["X-Long: " + "x" * 20000]))[1], 552, "5.3.4")
    bench.assert_alive()


@tap.case
def too_long_body_is_refused(bench):
    refused(bench.send(campaign(plain="line of text\n" * 10000))[1], 552, "5.3.4")
    bench.assert_alive()


@tap.case
def campaign_header_behind_the_bound_is_still_seen(bench):
    """Else many headers would turn a campaign into ordinary mail, sent raw to everybody."""
    moved = campaign().replace(b"X-Campaign: spring\r\n", b"")
    head, body = moved.split(b"\r\n\r\n", 1)
    lines = b"".join(b"\r\nX-H%d: v" % n for n in range(200))
    refused(bench.send(head + lines + b"\r\nX-Campaign: spring\r\n\r\n" + body)[1], 552, "5.3.4")


@tap.case
def nul_and_bare_cr_are_refused(bench):
    for bad in ("nul \x00 here\n", "bare \r here\n"):
        data = campaign().replace(b"--b1--", b"PLACE\r\n--b1--")
        data = data.replace(b"PLACE\r\n", bad.encode().replace(b"\n", b"\r\n"))
        event, reply = bench.send_raw(data)
        tap.equal(event, "eom", "event")
        tap.true(reply.refusal() and 500 <= reply.refusal() < 600, f"answer {reply}")
    bench.assert_alive()


@tap.case
def body_that_comes_byte_by_byte_is_merged(bench):
    with bench.mta() as mta:
        data = campaign(number="bytes")
        mta.mail()
        mta.recipient(f"<{ANN}>")
        for name, play in mta.content_events(data):
            if name != "body":
                play()
        for byte in data.split(b"\r\n\r\n", 1)[1]:
            mta.body(bytes([byte]))
        message, _ = mta.end_of_message().apply(data)
        same_copy(message, bench.merged(data))


def stages(mta):
    """Every way to begin a message and leave it unfinished: (name, plays)."""
    data = campaign(number="aborted")
    content = mta.content_events(data)
    plays = [("mail", mta.mail), ("rcpt", lambda: mta.recipient(f"<{BOB}>")),
             ("data", mta.data), *content]
    return [(plays[n][0], plays[:n + 1]) for n in range(len(plays))]


@tap.case
def message_aborted_at_any_stage_leaves_nothing_behind(bench):
    expected = bench.merged(campaign(number="after"))
    with bench.mta() as mta:
        for n in range(len(stages(mta))):
            name, plays = stages(mta)[n]
            for _, play in plays:
                play()
            mta.abort()
            data = campaign(number="after")
            event, reply = mta.message(data, [f"<{ANN}>"])
            tap.equal((event, reply.answer), ("eom", "accept"), f"after an abort at {name}")
            same_copy(reply.apply(data)[0], expected, f"copy after {name}")


@tap.case
def connection_lost_at_any_stage_harms_nobody(bench):
    with bench.mta() as counter:
        count = len(stages(counter))
    for n in range(count):
        mta = bench.mta()
        for _, play in stages(mta)[n][1]:
            play()
        mta.close()
    bench.assert_alive()


@tap.case
def garbage_on_the_socket_harms_nobody(bench):
    for garbage in (b"GET / HTTP/1.0\r\n\r\n", b"\0\0\0\1O", b"\xff\xff\xff\xff" + b"x" * 1000,
                    b"\0\0\0\0", b"\0\0\0\rO" + b"\0" * 12):
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(bench.merganser.socket))
            s.sendall(garbage)
    bench.assert_alive()


@tap.case
def steps_out_of_order_harm_nobody(bench):
    """As from an MTA that was taken over: message steps without what comes before them.
    libmilter gives no answer to most of it."""
    orders = (
        ("eoh", "body", "eom"), ("eom",), ("rcpt", "eom"), ("mail", "eom"), ("header", "eom"),
        ("mail", "mail", "eom"), ("mail", "rcpt", "eom", "eom"), ("body", "header", "rcpt"),
    )
    for order in orders:
        with FakeMta(bench.merganser.socket, timeout=0.5) as mta:
            plays = {
                "mail": mta.mail, "rcpt": lambda m=mta: m.recipient(f"<{ANN}>"),
                "header": lambda m=mta: m.header(b"X-Campaign", b" spring"),
                "eoh": mta.end_of_headers, "body": lambda m=mta: m.body(b"x\r\n"),
                "eom": mta.end_of_message,
            }
            try:
                mta.connect()
                for step in order:
                    plays[step]()
            except (Gone, OSError):
                pass
    bench.assert_alive()


@tap.case
def odd_recipients_are_answered(bench):
    for recipient in ("<>", "<@>", "<" + "a" * 5000 + "@example.com>", "<ann>",
                      "<\xff\xfe@example.com>", "<ann@ex ample.com>", '<"a\\"b"@example.com>'):
        with bench.mta() as mta:
            event, reply = mta.message(campaign(), [recipient])
            tap.true(reply.answer in ("reject", "tempfail", "accept"),
                     f"{recipient[:20]}: {event} {reply}")
    bench.assert_alive()


@tap.case
def many_connections_at_once_get_their_own_copies(bench):
    data = campaign(number="many")
    expected = {r: mask_tokens(bench.merged(data, r)) for r in (ANN, BOB)}
    wrong = []

    def run(recipient):
        try:
            with bench.mta() as mta:
                for _ in range(10):
                    _, reply = mta.message(data, [f"<{recipient}>"])
                    if mask_tokens(reply.apply(data)[0]) != expected[recipient]:
                        wrong.append((recipient, reply))
        except Exception as problem:
            wrong.append((recipient, problem))

    threads = [threading.Thread(target=run, args=(r,)) for r in (ANN, BOB) * 15]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tap.equal(wrong, [], "wrong copies")


class HostileBench(Bench):
    def send_raw(self, data):
        """With the body as it is: no line ends are mended."""
        head, body = data.split(b"\r\n\r\n", 1)
        with self.mta() as mta:
            mta.mail()
            mta.recipient(f"<{ANN}>")
            for name, play in mta.content_events(head + b"\r\n\r\n"):
                if name != "body":
                    play()
            reply = mta.body(body)
            if reply.answer != "continue":
                return "body", reply
            return "eom", mta.end_of_message()


tap.main(lambda: HostileBench(LIMITS))
