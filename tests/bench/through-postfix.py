#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Messages a second through a real Postfix, with and without milters.

usage: through-postfix.py [--messages N] [--rounds N] [--sessions N] [--tcp] [LEG...]

A leg is a private Postfix with its milter:

  none        no milter
  null        one that replaces the body with the same bytes (null-milter.c)
  opendkim    OpenDKIM, which signs with RSA 2048
  merganser   Merganser with SQLite: durability full, a person of their own for each message,
              one cap, pixel and links on
  late        the same with answers = late, which the service of a campaign tool may have

A client sends a 20 KB multipart message to one person at a time over many sessions; Postfix
discards what it accepted.  The clock stops when the queue is empty.  All Postfixes stand
ready the whole time, the legs take turns, and what is told are medians over the rounds; the
ratios are medians of the ratios within a round.

--tcp: one session, and what TCP to the milter costs instead: null and merganser by unix
socket and by TCP, the former also by TCP as libmilter leaves it ("tcp-delay"), that is without
TCP_NODELAY on its listening socket.

Needs root.
"""

import argparse
import contextlib
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.daemon import Merganser, connect, find_build  # noqa: E402
from sandbox.opendkim import OpenDkim  # noqa: E402
from sandbox.postfix import PrivatePostfix, free_ports, new_directory, wait_for  # noqa: E402

BODY_BYTES = 20 * 1024
ITEM = """<tr><td class="item" style="font: 14px/20px Helvetica, Arial; padding: 8px 16px">
<a href="https://shop.example.com/picks/{n}?ref=mail">Pick {n}: caf\u00e9 chairs and tables</a>
{{{{#if (gt user_points {points})}}}}<b>Gold price</b>{{{{/if}}}}
for people who like {{Interest|the outdoors}}.</td></tr>
"""
LINE = "Pick {n}: chairs and tables for {{Interest|the outdoors}}, https://shop.example.com/{n}\n"
MESSAGE = """\
From: News <news@sandbox.test>
Subject: {{FirstName|Hello}}, your {{Interest|new}} picks
Date: Mon, 01 Jun 2026 10:00:00 +0000
X-Campaign: bench
X-Campaign-Track: opens, clicks
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary="b1"

--b1
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

Hi {{FirstName|there}},

{plain}
--b1
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: 8bit

<html><body><p>Hi {{FirstName|there}},</p><table>
{html}</table></body></html>

--b1--
"""


def make_message():
    """Four fifths of it HTML with links; CRLF line ends."""
    html, plain, n = "", "", 0
    while len(html) + len(plain) < BODY_BYTES - 600:
        n += 1
        html += ITEM.format(n=n, points=n * 100)
        plain += LINE.format(n=n)
    text = MESSAGE.format(html=html, plain=plain)
    return text.replace("\n", "\r\n").encode()


def people(n):
    for i in range(n):
        yield {"address": f"person{i}@example.com", "first_name": f"Name{i}",
               "interest": ("Hiking", "Chess", "Sailing")[i % 3], "user_points": i % 2000,
               "consent": {"receive": True, "track_open": True, "track_click": True}}


# ---- milters: context managers whose value is what Postfix calls their socket ----

@contextlib.contextmanager
def no_milter(_directory, _people):
    yield ""


def null_milter(kind="unix", *options):
    @contextlib.contextmanager
    def run(directory, _people):
        port = free_ports(["milter"])["milter"]
        where = f"inet:{port}@127.0.0.1" if kind == "inet" else f"unix:{directory}/milter"
        directory.mkdir()
        program = find_build() / "tests/bench/null-milter"
        process = subprocess.Popen([program, *options, where], umask=0)
        address = ("127.0.0.1", port) if kind == "inet" else directory / "milter"
        try:
            wait_for(lambda: answers(address), 20, "null-milter")
            yield f"inet:127.0.0.1:{port}" if kind == "inet" else where
        finally:
            process.kill()
            process.wait()
    return run


@contextlib.contextmanager
def opendkim(_directory, _people):
    with OpenDkim().start() as signer:
        yield f"unix:{signer.socket}"


def merganser(kind="unix", answers="early"):
    @contextlib.contextmanager
    def run(directory, n_people):
        settings = {"milter": {"answers": answers}}
        if kind == "inet":
            port = free_ports(["milter"])["milter"]
            settings["milter"]["socket"] = f"inet:{port}@127.0.0.1"
        daemon = Merganser(directory, settings=settings).prepare()
        daemon.import_profiles(list(people(n_people)))
        with daemon:
            yield f"inet:127.0.0.1:{port}" if kind == "inet" else f"unix:{daemon.socket}"
            lines = daemon.log_text().splitlines()
            good = sum("verdict=deliver" in line and "repeat=" not in line for line in lines)
            print(f"{directory.name}: {good} copies delivered and recorded, "
                  f"{sum('verdict=' in line for line in lines) - good} others")
            print(f"{directory.name}: {lines[-1]}")
    return run


def answers(address):
    try:
        connect(address).close()
    except OSError:
        return False
    return True


LEGS = {"none": no_milter, "null": null_milter(), "opendkim": opendkim, "merganser": merganser(),
        "late": merganser(answers="late")}
OURS = ("merganser", "late", "merganser-unix", "merganser-tcp")
TCP_LEGS = {
    "null-unix": null_milter(),
    "null-tcp-delay": null_milter("inet"),
    "null-tcp": null_milter("inet", "--no-delay"),
    "merganser-unix": merganser(),
    "merganser-tcp": merganser("inet"),
}


# ---- the run ----

class Leg:
    """A Postfix that stands ready, and its figures."""

    def __init__(self, name, milter, directory):
        self.name = name
        self.milter = milter
        self.accepted, self.done = [], []
        settings = {"merganser_milter": milter, "default_transport": "discard:",
                    "smtpd_client_connection_count_limit": "0"}
        self.postfix = PrivatePostfix(directory, "/unused", settings=settings)

    def run(self, arguments, first, message):
        program = find_build() / "tests/bench/smtp-load"
        start = time.monotonic()
        out = subprocess.run(
            [program, str(self.postfix.ports["direct"]), str(arguments.sessions),
             str(arguments.messages), str(first), message],
            check=True, stdout=subprocess.PIPE, text=True).stdout
        self.accepted.append(arguments.messages / json.loads(out)["seconds"])
        wait_for(self._is_empty, 120, "empty mail queue")
        self.done.append(arguments.messages / (time.monotonic() - start))

    def _is_empty(self):
        """Cheaper than postqueue, which would take part in the race."""
        return not any(file.is_file() for name in ("incoming", "active", "deferred")
                       for file in (self.postfix.queue / name).rglob("*"))


def show(legs, arguments):
    spread = {leg.name: f"{min(leg.done):.0f} to {max(leg.done):.0f}" for leg in legs}
    width = max(len(leg.name) for leg in legs)
    for leg in legs:
        each = statistics.median(leg.done)
        print(f"{leg.name:>{width}}: {each:7.1f} messages/s ({spread[leg.name]}), accepted "
              f"{statistics.median(leg.accepted):7.1f}/s, {1000 * arguments.sessions / each:.2f} ms "
              "a message and session")
    for n, ours in enumerate(legs):
        for leg in legs[:n] if ours.name in OURS else ():
            ratios = sorted(a / b for a, b in zip(ours.done, leg.done))
            print(f"{ours.name} / {leg.name} = {statistics.median(ratios):.3f} "
                  f"({ratios[0]:.3f} to {ratios[-1]:.3f})")


def run(arguments, legs, message):
    first = 0
    for n in range(arguments.rounds + 1):
        turn = n % len(legs)
        for leg in legs[turn:] + legs[:turn]:
            leg.run(arguments, first, message)
        first += arguments.messages
        if n == 0:
            for leg in legs:
                leg.accepted.clear()
                leg.done.clear()
    show(legs, arguments)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].split("\n")[0])
    parser.add_argument("--messages", type=int)
    parser.add_argument("--rounds", type=int, default=5, help="after one that does not count")
    parser.add_argument("--sessions", type=int)
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("legs", nargs="*", metavar="LEG")
    arguments = parser.parse_args()
    known = TCP_LEGS if arguments.tcp else LEGS
    arguments.sessions = arguments.sessions or (1 if arguments.tcp else 10)
    arguments.messages = arguments.messages or (100 if arguments.tcp else 2000)
    directory = new_directory()
    message = directory / "message"
    message.write_bytes(make_message())
    print(f"{len(message.read_bytes())} bytes, {arguments.sessions} sessions, "
          f"{arguments.messages} messages in each of {arguments.rounds} rounds")
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        legs = []
        for name in arguments.legs or known:
            milter = stack.enter_context(
                known[name](directory / name, arguments.messages * (arguments.rounds + 1)))
            legs.append(Leg(name, milter, directory / f"postfix-{name}"))
            stack.enter_context(legs[-1].postfix)
        run(arguments, legs, message)


if __name__ == "__main__":
    main()
