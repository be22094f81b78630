# SPDX-License-Identifier: Apache-2.0
"""Mail that is no campaign passes a Postfix with the milter attached byte for byte."""

import hashlib
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.people import ANN, BOB, NO_CAP  # noqa: E402
from tests.postfix import mta_world  # noqa: E402

HEAD = (b"From: a@sandbox.test\nTo: b@example.com\nSubject: =?utf-8?q?=7B=7Bx=7D=7D?=\n"
        b"  folded {{subject}}\nMessage-ID: <o@sandbox.test>\n"
        b"Date: Mon, 01 Jun 2026 10:00:00 +0000\n")
BODIES = {
    "plain": b"Hello {FirstName},\n{{#if x}}\n",
    "8 bit": "Grüße {{name}} – ñ\n".encode() * 50,
    "latin 1": "Gr\xfc\xdfe\n".encode("latin-1"),
    "dots": b".\n..\n...\n.leading\n" * 20,
    "long lines": (b"x" * 900 + b"\n") * 20,
    "spaces at line ends": b"a \nb\t\n \n\n\n",
    "empty": b"",
    "large": bytes(range(33, 127)) + b"\n" + b"0123456789abcdef\n" * 120000,
}


def digest(body):
    return hashlib.sha256(body).hexdigest()


def assert_unchanged(world, port, name, body):
    world.sink.clear()
    world.send_and_wait(HEAD + b"\n" + body, [ANN, BOB], port=port)
    (copy,) = world.sink.deliveries()
    tap.equal(copy.recipients, [ANN, BOB], f"{port}, {name}: recipients")
    tap.equal(digest(copy.body), digest(body), f"{port}, {name}: digest of the body")
    head = copy.data.partition(b"\n\n")[0] + b"\n"
    tap.true(head.endswith(HEAD), f"{port}, {name}: headers were changed: {head}")


@tap.case
def through_the_door(world):
    for name, body in BODIES.items():
        assert_unchanged(world, "submission", name, body)


@tap.case
def from_outside(world):
    for name, body in BODIES.items():
        assert_unchanged(world, "outside", name, body)


@tap.case
def through_the_merging_service(world):
    """One recipient at a time there; nothing else is different."""
    for name, body in BODIES.items():
        world.sink.clear()
        world.send_and_wait(HEAD + b"\n" + body, [ANN], port="direct")
        (copy,) = world.sink.deliveries()
        tap.equal(digest(copy.body), digest(body), f"{name}: digest of the body")


@tap.case
def nothing_of_it_is_stored(world):
    database = world.merganser.directory / "merganser.db"
    before = world.merganser.why(ANN)
    world.send_and_wait(HEAD + b"\nsecret-of-ordinary-mail\n", [ANN], port="direct")
    tap.equal(world.merganser.why(ANN), before, "records")
    for file in database.parent.glob("merganser.db*"):
        tap.lacks(file.read_bytes(), b"secret-of-ordinary-mail", file.name)
    tap.lacks(world.merganser.log_text(), "secret-of-ordinary-mail", "log")


tap.main(lambda: mta_world(NO_CAP))
