# SPDX-License-Identifier: Apache-2.0
"""People and messages that the tests share."""

ANN, BOB, OUT, NOBODY = "ann@example.com", "bob@example.com", "out@example.com", "who@example.com"
PEOPLE = [
    {"address": ANN, "first_name": "Änn", "interest": "Hiking", "user_points": 1500,
     "user_has_bought": True, "consent": {"receive": True, "track_open": True}},
    {"address": BOB, "first_name": "Bob", "interest": "Chess", "user_points": 10,
     "user_has_bought": False, "consent": {"receive": True, "track_open": False}},
    {"address": OUT, "first_name": "Outis", "interest": "Sea", "suppressed": "unsubscribed",
     "consent": {"receive": True, "track_open": True}},
]
NO_CAP = {"cap daily": {"limit": "unlimited"}}

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
