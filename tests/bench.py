# SPDX-License-Identifier: Apache-2.0
"""A daemon with a fake MTA, and what is asserted about its answers."""

import re
import shutil

from sandbox.daemon import Merganser
from sandbox.postfix import SandboxError, new_directory
from tests import tap
from tests.fake.mta import FakeMta
from tests.people import ANN, BOB, PEOPLE, campaign


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
        try:
            self.merganser.prepare()
            if self.people:
                self.merganser.import_profiles(self.people)
            if self.is_started:
                self.merganser.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        try:
            self.merganser.stop_well()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def logs(self):
        return self.merganser.log_text()[-2000:]

    def mta(self, daemon="merganser", **options):
        """A connection that was let in."""
        mta = FakeMta(self.merganser.socket, **options)
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
        message, others = reply.apply(data)
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


def let_pass(event, reply):
    """Read to its end and not touched; at the end "continue" says the same as "accept"."""
    tap.equal(event, "eom", "event")
    tap.true(reply.answer in ("accept", "continue"), f"answer {reply.answer} {reply.text}")
    tap.equal(reply.edits, [], "edits")


def same_copy(actual, expected, what="the copy"):
    """Equal but for the sealed tokens, which carry the time."""
    tap.equal(mask_tokens(actual), mask_tokens(expected), what)


def mask_tokens(message):
    """With line ends, folds and soft breaks taken away."""
    text = re.sub(rb"(?<!\?)=\n", b"", message.replace(b"\r\n", b"\n"))
    text = re.sub(rb"\n[ \t]+", b" ", text)
    return re.sub(rb"(https://news\.example\.com/[a-z]/|X-Report-Ref: )[A-Za-z0-9_-]{87}",
                  rb"\1TOKEN", text)
