# SPDX-License-Identifier: Apache-2.0
"""Random MIME without a marker, all stamps off: whatever it is, its bytes stay.

The seed is fixed; MRG_SEED and MRG_ROUNDS try others.
"""

import base64
import os
import pathlib
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.bench import Bench  # noqa: E402
from tests.fake.mta import split_message  # noqa: E402
from tests.people import ANN, NO_CAP  # noqa: E402

SEED = int(os.environ.get("MRG_SEED", "20260601"))
ROUNDS = int(os.environ.get("MRG_ROUNDS", "400"))

WORDS = ["word", "From ", ".", "..", "--", "=", "=3D", "=?utf-8?Q?x?=", "<p>", "</p>", "&amp;", "{",
         "}", "{ color: red }", "{unknown}", "a" * 90, "\t", "  ", "\\", "\"", "'", ";", ":", "%", "-- "]
CHARSETS = {"us-ascii": "", "utf-8": "\u00e4\u65e5\U0001f642", "UTF8": "\u00df", "iso-8859-1": "\u00e4",
            "windows-1252": "\u20ac", "koi8-r": "\u0416", "iso-2022-jp": "\u65e5\u672c", "gb18030": "\u4f60",
            "shift_jis": "\u8a9e", "windows-1251": "\u0438", "iso-8859-15": "\u20ac"}
DISPOSITIONS = ["", "inline", "attachment; filename=\"a b.txt\"", "ATTACHMENT ; filename*=utf-8''%C3%A4"]
GONE = {b"x-campaign", b"x-campaign-track", b"cc", b"bcc", b"resent-to", b"dkim-signature", b"arc-seal"}


class Maker:
    """Messages as odd as the standards allow, and somewhat beyond."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.boundaries = 0

    def some(self, *choices):
        return self.random.choice(choices)

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def text(self, charset):
        words = WORDS + list(CHARSETS[charset]) * 6
        lines = ["".join(self.random.choices(words, k=self.random.randrange(12)))
                 for _ in range(self.random.randrange(8))]
        end = "\r\n" if self.chance(70) else ""
        return ("\r\n".join(lines) + end).replace("{{", "{-{").encode(charset)

    def base64(self, data):
        encoded = base64.b64encode(data)
        width = self.some(4, 60, 76, 100, 2000)
        lines = [encoded[at:at + width] for at in range(0, len(encoded), width)]
        return b"\r\n".join(lines) + (b"\r\n" if self.chance(80) else b"")

    def quoted(self, data):
        out = b""
        for byte in data:
            is_plain = byte in b"\r\n" or 32 <= byte <= 126 and byte != ord("=")
            if not is_plain or self.chance(3) and byte not in b"\r\n":
                out += (b"=%02X" if self.chance(80) else b"=%02x") % byte
            else:
                out += bytes([byte])
            if self.chance(2) and byte != ord("\r"):
                out += b"=\r\n" if self.chance(80) else b"= \r\n"
        return out

    def field(self, name, value):
        name = self.some(name, name.lower(), name.upper())
        fold = self.some(" ", "  ", "\r\n ", "\r\n\t") if "; " in value else " "
        return f"{name}:{self.some(' ', '', '  ')}{value.replace('; ', ';' + fold)}\r\n".encode()

    def leaf(self):
        """(fields, content) of a text, a file or a message."""
        kind = self.some("text", "text", "text", "file", "message", "bare", "empty")
        if kind == "bare":
            return b"", self.text("utf-8")
        if kind == "empty":
            return self.field("Content-Type", "text/plain"), b""
        if kind == "message":
            inner = b"Subject: x\r\nContent-Type: text/html\r\n\r\n" + self.text("utf-8")
            return self.field("Content-Type", "message/rfc822"), inner
        if kind == "file":
            data = self.random.randbytes(self.random.randrange(300))
            return (self.field("Content-Type", "application/octet-stream; name=\"a;b\"")
                    + self.field("Content-Transfer-Encoding", "base64")), self.base64(data)
        return self.text_leaf()

    def text_leaf(self):
        charset = self.some(*CHARSETS)
        encoding, encode = self.some(("base64", self.base64), ("quoted-printable", self.quoted),
                                     ("8bit", bytes), ("7BIT", bytes), (None, bytes))
        subtype = self.some("plain", "html", "x-amp-html", "calendar", "csv", "PLAIN")
        quoted = self.some(charset, f'"{charset}"', f"{charset}; format=flowed; DelSp=yes")
        fields = [self.field("Content-Type", f"text/{subtype}; charset={quoted}")]
        if encoding:
            fields.append(self.field("Content-Transfer-Encoding", encoding))
        disposition = self.some(*DISPOSITIONS)
        if disposition:
            fields.append(self.field("Content-Disposition", disposition))
        if self.chance(20):
            fields.append(b"X-Odd :\r\n folded\r\n")
        self.random.shuffle(fields)
        return b"".join(fields), encode(self.text(charset))

    def entity(self, depth):
        if depth == 0 or self.chance(60):
            return self.leaf()
        self.boundaries += 1
        boundary = f"{self.some('b', '=_x y', '(a)', '--')}{self.boundaries:03}".encode()
        fields = self.field("Content-Type", "multipart/%s; boundary=\"%s\"" % (
            self.some("mixed", "alternative", "related", "digest"), boundary.decode()))
        body = self.some(b"", b"before\r\n", b"\r\n\r\n")
        for _ in range(1 + self.random.randrange(3)):
            inner_fields, content = self.entity(depth - 1)
            body += b"--" + boundary + self.some(b"", b"", b" \t") + b"\r\n"
            body += inner_fields + b"\r\n" + content + b"\r\n"
        if self.chance(85):
            body += b"--" + boundary + b"--" + self.some(b"", b"\r\n", b"\r\nafter\r\n", b" \r\n\r\n")
        return fields, body

    def message(self, number):
        fields, body = self.entity(3)
        head = [b"From: News <news@sandbox.test>\r\n", b"To: a@x, b@y\r\n", b"X-Campaign: same\r\n",
                b"X-Campaign-Track: none\r\n", b"Message-ID: <%d@sandbox.test>\r\n" % number,
                b"Subject:  =?utf-8?B?w6Q=?=\r\n =?utf-8?q?_x?=\r\n", fields]
        extra = [b"Cc: c@z\r\n", b"Received: from a\r\n\tby b\r\n", b"received: again\r\n",
                 b"DKIM-Signature: v=1; b=x\r\n", b"X-Long: " + b"y" * 1200 + b"\r\n", b"X-Empty:\r\n",
                 b"Content-MD5: x\r\n", b"MIME-Version: 1.0\r\n", b"X-8bit: \xc3\xa4\r\n", b"X-Tab:\tx \r\n"]
        head += self.random.sample(extra, self.random.randrange(len(extra)))
        self.random.shuffle(head)
        return b"".join(head) + b"\r\n" + body


def expected(data):
    """The same, but for whom it goes to and what it was sent with."""
    headers, body = split_message(data)
    lines = []
    for name, value in headers:
        if name.lower() == b"to":
            value = b" <%s>" % ANN.encode()
        if name.lower() not in GONE:
            lines.append(name + b":" + value.replace(b"\n", b"\r\n") + b"\r\n")
    return b"".join(lines) + b"\r\n" + body


@tap.case
def random_mime_without_a_marker_keeps_its_bytes(bench):
    multiparts = 0
    with bench.mta() as mta:
        for number in range(ROUNDS):
            data = Maker(SEED + number).message(number)
            multiparts += b"multipart/" in data
            event, reply = mta.message(data, [f"<{ANN}>"])
            what = f"seed {SEED + number}: {data!r}"
            tap.equal((event, reply.answer), ("eom", "accept"), f"{reply.text}, {what}")
            tap.lacks([command for command, _ in reply.edits], "b", f"edits, {what}")
            tap.equal(reply.apply(data)[0], expected(data), what)
    tap.true(ROUNDS / 4 < multiparts < ROUNDS, f"{multiparts} multiparts of {ROUNDS}")


tap.main(lambda: Bench({**NO_CAP, "stamp": None, "plugin sqlite": {"durability": "normal"}}))
