# SPDX-License-Identifier: Apache-2.0
"""OpenDKIM behind Merganser: what arrives verifies."""

import contextlib
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
# Another Python than Debian's does not see its packages.
sys.path.append("/usr/lib/python3/dist-packages")

from sandbox.opendkim import OpenDkim  # noqa: E402
from sandbox.postfix import SandboxError  # noqa: E402
from tests import tap  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, ORDINARY, campaign  # noqa: E402
from tests.postfix import mta_world  # noqa: E402

STALE = "DKIM-Signature: v=1; a=rsa-sha256; d=sandbox.test; s=old; h=from; bh=AAAA; b=AAAA"


class Signer(OpenDkim):
    def verifies(self, data):
        import dkim

        def lookup(name, timeout=5):
            return self.record if name.rstrip(b".") == b"s1._domainkey.sandbox.test" else b""
        return dkim.verify(data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), dnsfunc=lookup)


@contextlib.contextmanager
def world(order="$merganser_milter,unix:{}"):
    tap.need_root()
    try:
        signer = Signer().start()
    except SandboxError as reason:
        raise tap.Skip(reason) from reason
    with signer, mta_world(NO_CAP, hop_milters=order.format(signer.socket)) as made:
        made.signer = signer
        yield made


def signatures(data):
    head = data.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    unfolded = re.sub(rb"\n[ \t]+", b" ", head).decode()
    return [line for line in unfolded.split("\n") if line.lower().startswith("dkim-signature:")]


def signed_headers(signature):
    (names,) = re.findall(r"[ ;]h=([^;]*)", signature)
    return [name.strip().lower() for name in names.split(":")]


@tap.case
def every_copy_verifies(made):
    made.send_and_wait(campaign(number="dkim"), [ANN, BOB])
    copies = made.sink.deliveries()
    tap.equal(len(copies), 2, "copies")
    for copy in copies:
        tap.equal(len(signatures(copy.data)), 1, "signatures")
        tap.true(made.signer.verifies(copy.data), f"the copy of {copy.recipient} does not verify")
        tap.true(not made.signer.verifies(copy.data.replace(b"Hi", b"Ho")), "a changed copy verifies")


@tap.case
def unsubscription_headers_are_signed(made):
    """RFC 8058, 4."""
    made.sink.clear()
    made.send_and_wait(campaign(number="unsubscribe"), [ANN])
    (copy,) = made.sink.deliveries()
    names = signed_headers(signatures(copy.data)[0])
    for name in ("list-unsubscribe", "list-unsubscribe-post"):
        tap.contains(names, name, "signed headers")
    message = copy.message()
    tap.equal(message["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click", "header")
    without = copy.data.replace(b"List-Unsubscribe-Post:", b"X-Other:")
    tap.true(not made.signer.verifies(without), "a copy without the header verifies")


@tap.case
def an_older_signature_goes(made):
    made.sink.clear()
    made.send_and_wait(campaign(number="stale", first=[STALE]), [ANN])
    (copy,) = made.sink.deliveries()
    tap.equal(len(signatures(copy.data)), 1, "signatures")
    tap.lacks(copy.data, b"s=old", "copy")
    tap.true(made.signer.verifies(copy.data), "the copy does not verify")
    tap.contains(made.merganser.log_text(), "signatures_removed=1", "log")


@tap.case
def ordinary_mail_is_signed_as_ever(made):
    """It does not meet the merging hop."""
    made.sink.clear()
    made.send_and_wait(ORDINARY, [ANN])
    (copy,) = made.sink.deliveries()
    tap.equal(signatures(copy.data), [], "signatures")


@tap.case
def the_other_order_breaks_what_it_signs(_):
    with world("unix:{},$merganser_milter") as wrong:
        wrong.send_and_wait(campaign(number="wrong"), [ANN])
        (copy,) = wrong.sink.deliveries()
        tap.true(not signatures(copy.data) or not wrong.signer.verifies(copy.data),
                 "what was signed before it was merged verifies")


tap.main(world)
