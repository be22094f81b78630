# SPDX-License-Identifier: Apache-2.0
"""What the daemon tests share: people, messages, and a daemon with a fake MTA."""

import json
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent))
# Tests run from a source tree that may be read-only, and leave nothing in it.
sys.dont_write_bytecode = True

from sandbox.daemon import Merganser  # noqa: E402
from sandbox.postfix import SandboxError, new_directory  # noqa: E402
from tests import tap  # noqa: E402
from tests.fake.mta import FakeMta, apply_edits  # noqa: E402

ANN, BOB, OUT, NOBODY = "ann@example.com", "bob@example.com", "out@example.com", "who@example.com"
PEOPLE = [
    {"address": ANN, "first_name": "Änn", "interest": "Hiking", "user_points": 1500,
     "user_has_bought": True, "consent": {"receive": True, "track_open": True}},
    {"address": BOB, "first_name": "Bob", "interest": "Chess", "user_points": 10,
     "user_has_bought": False, "consent": {"receive": True, "track_open": False}},
    {"address": OUT, "first_name": "Outis", "interest": "Sea", "suppressed": "unsubscribed",
     "consent": {"receive": True, "track_open": True}},
]
NO_CAP = {"cap daily": {"limit": "100000"}}

HTML = """<html><body><p>Hi {FirstName|there},</p>
{{#if (gt user_points 1000)}}<b>Gold</b>{{/if}}
<p>{Interest} &amp; more: caf\u00e9</p></body></html>
"""
PLAIN = "Hi {FirstName|there},\n\n{Interest} and more.\n"


def campaign(html=HTML, plain=PLAIN, subject="{FirstName|Hello}, your {Interest} picks",
             first=(), last=(), number=1, to="Everybody <all@sandbox.test>"):
    """A campaign message in UTF-8 with CRLF.  first and last are header lines around the
    usual ones."""
    lines = [
        *first,
        "From: News <news@sandbox.test>",
        f"To: {to}",
        f"Subject: {subject}",
        f"Message-ID: <test-{number}@sandbox.test>",
        "Date: Mon, 01 Jun 2026 10:00:00 +0000",
        "X-Campaign: spring",
        "X-Campaign-Track: opens",
        'X-Campaign-Data: {"interest": "Outdoor"}',
        "MIME-Version: 1.0",
        'Content-Type: multipart/alternative; boundary="b1"',
        *last,
        "",
        "--b1",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        plain,
        "--b1",
        "Content-Type: text/html; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        "",
        html,
        "--b1--",
        "",
    ]
    return "\n".join(lines).replace("\r\n", "\n").replace("\n", "\r\n").encode()


ORDINARY = (b"From: a@sandbox.test\r\nTo: b@example.com\r\nSubject: {{lunch}}\r\n\r\n"
            b"At one {FirstName}?\r\n")


class Bench:
    """A daemon of its own; a context manager."""

    def __init__(self, settings=None, people=PEOPLE, is_started=True):
        self.directory = new_directory()
        try:
            self.merganser = Merganser(self.directory / "merganser", settings=settings)
        except SandboxError as reason:
            raise tap.Skip(reason) from reason
        self.people = people
        self.is_started = is_started

    def __enter__(self):
        self.merganser.prepare()
        if self.people:
            self.merganser.import_profiles(self.people)
        if self.is_started:
            self.merganser.start()
        return self

    def __exit__(self, *exception):
        if self.merganser.process:
            self.merganser.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def logs(self):
        return self.merganser.log_text()[-4000:]

    def mta(self, daemon="merganser"):
        """A connection that was let in."""
        mta = FakeMta(self.merganser.socket)
        tap.equal(mta.connect(daemon).answer, "continue", "answer to connect")
        return mta

    def send(self, data, recipient=ANN, daemon="merganser", **options):
        """One message over a connection of its own: (last event, Reply)."""
        with self.mta(daemon) as mta:
            return mta.message(data, [f"<{recipient}>"], **options)

    def merged(self, data, recipient=ANN, **options):
        """The copy that this person gets; fails unless it is delivered."""
        event, reply = self.send(data, recipient, **options)
        tap.equal((event, reply.answer), ("eom", "accept"), f"answer ({reply.text})")
        message, others = apply_edits(data, reply.edits)
        tap.equal(others, [], "edits of the envelope")
        return message

    def assert_alive(self):
        """The daemon runs and merges."""
        tap.true(self.merganser.is_alive(), "the daemon died")
        tap.contains(self.merged(campaign(number="alive"), BOB), b"Bob", "merged copy")

    def preview(self, data, recipient):
        file = self.merganser.directory / "preview.eml"
        file.write_bytes(data)
        self.merganser.own(file)
        return self.merganser.tool("preview", file, "--to", recipient).stdout


def refused(reply, code, enhanced="", text=""):
    tap.equal(reply.refusal(), code, f"reply code ({reply.answer} {reply.text})")
    tap.contains(reply.text, enhanced, "reply")
    tap.contains(reply.text, text, "reply")
    tap.equal(reply.edits, [], "edits of a refused message")


def without_tokens(message):
    """Line ends, folds and soft breaks taken away, and sealed tokens masked: what is equal
    for a copy and its preview."""
    text = message.replace(b"\r\n", b"\n").replace(b"=\n", b"")
    text = re.sub(rb"\n[ \t]+", b" ", text)
    return re.sub(rb"(https://news\.example\.com/[a-z]/)[A-Za-z0-9_-]{87}", rb"\1TOKEN", text)


def why(bench, address):
    return json.loads(bench.merganser.tool("why", address, "--json").stdout)
