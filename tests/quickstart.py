# SPDX-License-Identifier: Apache-2.0
"""What ./quickstart has left in quickstart-out/ is what it promises."""

import email
import email.policy
import json
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tests import tap  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parents[1] / "quickstart-out"
TRACKED = {"zoe@example.com", "nils@example.com", "lucja@example.com"}
MAILED = TRACKED | {"ingrid@example.com", "guest@example.com"}
SUPPRESSED = "jose@example.com"


def mails():
    return {f.stem: f.read_bytes() for f in (OUT / "delivered").glob("*.eml")}


def html_of(data):
    message = email.message_from_bytes(data, policy=email.policy.default)
    return message.get_body(("html",)).get_content()


@tap.case
def report_says_what_became_of_each():
    rows = json.loads((OUT / "report.json").read_text())
    first = {r["recipient"]: (r["verdict"], r["reason"].split(":")[0]) for r in rows
             if r["send"] == 1}
    second = {r["recipient"]: (r["verdict"], r["reason"]) for r in rows if r["send"] == 2}
    tap.equal(first, {**dict.fromkeys(MAILED, ("deliver", "ok")),
                      SUPPRESSED: ("drop", "suppressed")}, "first send")
    tap.equal({k: (v, r.split(" (")[0]) for k, (v, r) in second.items()},
              {**dict.fromkeys(MAILED, ("drop", "cap: daily")),
               SUPPRESSED: ("drop", "suppressed: unsubscribed")}, "second send")


@tap.case
def mails_are_everybodys_own():
    tap.equal(set(mails()), MAILED, "who got mail")
    for address, data in mails().items():
        message = email.message_from_bytes(data, policy=email.policy.default)
        tap.equal([str(to) for to in message.get_all("To")], [address], "To")
        for other in MAILED | {SUPPRESSED}:
            if other != address:
                tap.lacks(data, other.encode(), f"the mail to {address}")


@tap.case
def nothing_raw_is_left():
    for address, data in mails().items():
        message = email.message_from_bytes(data, policy=email.policy.default)
        tap.equal([h for h in message.keys() if h.lower().startswith("x-campaign")], [], address)
        for part in [data.decode("latin-1"), str(message["Subject"]), html_of(data)]:
            tap.lacks(part, "{{", address)
            tap.lacks(part, "{FirstName", address)


@tap.case
def pixel_needs_consent():
    for address, data in mails().items():
        tap.equal("/o/" in html_of(data), address in TRACKED, f"a pixel for {address}")


@tap.case
def people_get_different_blocks():
    texts = {address: html_of(data) for address, data in mails().items()}
    tap.contains(texts["lucja@example.com"], "Gold member", "badge")
    tap.lacks(texts["zoe@example.com"], "Gold member", "no badge")
    tap.contains(texts["zoe@example.com"], "good to have you back", "returning customer")
    tap.contains(texts["nils@example.com"], "HELLO10", "new customer")


tap.main()
