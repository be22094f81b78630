# SPDX-License-Identifier: Apache-2.0
"""Every structure in every charset and encoding: what a reader sees is what was written."""

import base64
import email
import email.policy
import itertools
import pathlib
import quopri
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.bench import Bench  # noqa: E402
from tests.people import ANN, NO_CAP  # noqa: E402

# A text that the charset can hold; the person's name, \u00c4nn, does not fit most of them.
TEXTS = {
    "us-ascii": "plain words",
    "utf-8": "caf\u00e9 \u65e5\u672c \U0001f642",
    "iso-8859-1": "caf\u00e9 \u00fcber",
    "iso-8859-2": "\u0142\u00f3d\u017a",
    "iso-8859-15": "caf\u00e9 10 \u20ac",
    "windows-1250": "\u0142\u00f3d\u017a \u201eq\u201d",
    "windows-1251": "\u043f\u0440\u0438\u0432\u0435\u0442",
    "windows-1252": "caf\u00e9 \u201cq\u201d \u20ac",
    "windows-1253": "\u03ba\u03b1\u03bb\u03ae",
    "windows-1254": "\u0130\u011f\u0131",
    "koi8-r": "\u043f\u0440\u0438\u0432\u0435\u0442",
    "iso-2022-jp": "\u65e5\u672c\u8a9e",
    "shift_jis": "\u65e5\u672c\u8a9e",
    "gb18030": "\u4f60\u597d",
}
IMAGE = bytes(range(256)) * 3


def encode(text, charset, encoding):
    data = text.replace("\n", "\r\n").encode(charset)
    if encoding == "base64":
        return base64.encodebytes(data).replace(b"\n", b"\r\n")
    if encoding == "quoted-printable":
        return quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    return data


def text_part(text, charset, encoding, subtype="plain"):
    head = (f"Content-Type: text/{subtype}; charset={charset}\r\n"
            f"Content-Transfer-Encoding: {encoding}\r\n\r\n")
    return head.encode() + encode(text, charset, encoding)


def attachment():
    return (b"Content-Type: image/png\r\nContent-Disposition: attachment; filename=a.png\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(IMAGE).replace(b"\n", b"\r\n"))


def multipart(kind, boundary, *parts):
    inside = b"".join(b"--%s\r\n%s\r\n" % (boundary, part) for part in parts)
    return (b"Content-Type: multipart/%s; boundary=%s\r\n\r\nnot shown\r\n%s--%s--\r\n"
            % (kind, boundary, inside, boundary))


STRUCTURES = {
    "single": lambda plain, html: plain,
    "html alone": lambda plain, html: html,
    "alternative": lambda plain, html: multipart(b"alternative", b"b1", plain, html),
    "mixed": lambda plain, html: multipart(b"mixed", b"b1", plain, attachment()),
    "related": lambda plain, html: multipart(b"related", b"b1", html, attachment()),
    "nested": lambda plain, html: multipart(
        b"mixed", b"b1", multipart(b"alternative", b"b2", plain, html), attachment()),
    "amp": lambda plain, html: multipart(
        b"alternative", b"b1", plain, html.replace(b"text/html", b"text/x-amp-html"), html),
    "calendar": lambda plain, html: multipart(b"alternative", b"b1", plain, html, CALENDAR),
    "forwarded": lambda plain, html: multipart(b"mixed", b"b1", html, FORWARDED),
    "text attached": lambda plain, html: multipart(b"mixed", b"b1", plain, ATTACHED_TEXT),
    "empty parts": lambda plain, html: multipart(
        b"mixed", b"b1", b"\r\n", plain, b"Content-Type: text/html\r\n\r\n"),
    "no end": lambda plain, html: multipart(b"mixed", b"b1", html, plain)[:-len("\r\n--b1--\r\n")],
}
# What is no template stays, whatever the charset of the others.
CALENDAR = (b"Content-Type: text/calendar; method=REQUEST; charset=iso-8859-1\r\n\r\n"
            b"BEGIN:VCALENDAR\r\nSUMMARY:\xe4\r\nEND:VCALENDAR\r\n")
FORWARDED = (b"Content-Type: message/rfc822\r\n\r\nSubject: old\r\nContent-Type: text/html; "
             b"charset=koi8-r\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<p>\xd0.\r\n")
ATTACHED_TEXT = (b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Disposition: "
                 b"attachment; filename=a.txt\r\n\r\nkeep {FirstName} \xe4\r\n")
KEPT = {"calendar": CALENDAR, "forwarded": FORWARDED, "text attached": ATTACHED_TEXT}


def encodings_of(charset):
    """7bit is for what is ASCII on the wire, which iso-2022-jp is."""
    if charset in ("us-ascii", "iso-2022-jp"):
        return ("7bit", "quoted-printable", "base64")
    return ("8bit", "quoted-printable", "base64")


def message(structure, charset, encoding, number):
    words = TEXTS[charset]
    plain = text_part(f"Hi {{FirstName}}, {words}!\n.dot\nFrom here\n", charset, encoding)
    html = text_part(f"<p>Hi {{{{first_name}}}}, {words}!</p>\n", charset, encoding, "html")
    subject = base64.b64encode(f"{{FirstName}}: {words}".encode(charset)).decode()
    head = (f"From: News <news@sandbox.test>\r\nTo: all@sandbox.test\r\n"
            f"Subject: =?{charset}?B?{subject}?=\r\n"
            f"Message-ID: <{number}@sandbox.test>\r\nX-Campaign: table\r\n"
            "X-Campaign-Track: none\r\nMIME-Version: 1.0\r\n").encode()
    return head + STRUCTURES[structure](plain, html)


PARTS = {
    "single": (1, 0, 0), "html alone": (0, 1, 0), "mixed": (1, 0, 0), "related": (0, 1, 0),
    "amp": (1, 1, 1), "forwarded": (0, 1, 0), "text attached": (1, 0, 0), "empty parts": (1, 0, 0),
}


def text_parts(message):
    """The parts that the message itself shows, the attached ones left out."""
    if message.get_content_type() == "message/rfc822" or message.is_attachment():
        return
    if message.is_multipart():
        for part in message.iter_parts():
            yield from text_parts(part)
    elif message.get_content_maintype() == "text" and message.get_content_subtype() != "calendar":
        yield message


def check(copy, structure, words):
    parsed = email.message_from_bytes(copy, policy=email.policy.default)
    seen = {"plain": 0, "html": 0, "x-amp-html": 0}
    kept = KEPT.get(structure, b"")
    tap.contains(copy, kept, "the part that is no template")
    rest = copy.replace(kept, b"")
    tap.true(max(map(len, copy.split(b"\r\n"))) < 998, "a line of 998 bytes or more")
    tap.true(rest.isascii(), "8-bit bytes")
    tap.equal(str(parsed["Subject"]), f"\u00c4nn: {words}", "Subject")
    for part in text_parts(parsed):
        text = part.get_content().replace("\r\n", "\n")
        if structure == "empty parts" and not text.strip():
            continue
        subtype = part.get_content_subtype()
        seen[subtype] += 1
        tap.equal(part.get_content_charset(), "utf-8", f"charset of {subtype}")
        tap.contains(text, f"Hi \u00c4nn, {words}!", subtype)
        if subtype == "plain":
            tap.contains(text, "!\n.dot\nFrom here", subtype)
    tap.equal(tuple(seen.values()), PARTS.get(structure, (1, 1, 0)), "parts")
    images = [p.get_payload(decode=True) for p in parsed.walk() if p.get_content_type() == "image/png"]
    tap.equal(images, [IMAGE] if structure in ("mixed", "related", "nested") else [], "images")


def add_case(structure, charset, encoding, number):
    def run(bench):
        copy = bench.merged(message(structure, charset, encoding, number), ANN)
        check(copy, structure, TEXTS[charset])

    run.__name__ = f"{structure} in {charset}, {encoding}"
    tap.case(run)


for n, (structure_name, charset_name) in enumerate(itertools.product(STRUCTURES, TEXTS)):
    for encoding_name in encodings_of(charset_name):
        add_case(structure_name, charset_name, encoding_name, f"{n}-{encoding_name}")

tap.main(lambda: Bench(NO_CAP))
