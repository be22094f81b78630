# SPDX-License-Identifier: Apache-2.0
"""The sandbox's world with the tests' people, or a reason to skip."""

import shutil
import smtplib

from sandbox.daemon import SAMPLES
from sandbox.postfix import SandboxError
from sandbox.world import World
from tests import tap
from tests.people import PEOPLE


class MtaWorld(World):
    def start(self):
        super().start()
        try:
            self.merganser.import_profiles(PEOPLE)
        except BaseException:
            self.stop()
            raise
        return self

    def refusal(self, message, recipients, **options):
        """(code, text) of the answer to a message that must not be taken."""
        try:
            self.send(message, recipients, **options)
        except smtplib.SMTPResponseException as answer:
            return answer.smtp_code, answer.smtp_error
        except smtplib.SMTPRecipientsRefused as answer:
            return next(iter(answer.recipients.values()))
        raise AssertionError("the message was taken")

    def sample(self, name):
        """A copy of a sample where the tool's user can read it."""
        copy = self.merganser.directory / name
        copy.write_bytes((SAMPLES / name).read_bytes())
        self.merganser.own(copy)
        return copy

    def logs(self):
        return (f"--- milter\n{self.merganser.log_text()[-3000:]}\n"
                f"--- postfix\n{self.postfix.log_text()[-6000:]}")


def mta_world(settings=None, **options):
    tap.need_root()
    if not shutil.which("postfix"):
        raise tap.Skip("postfix is not installed")
    try:
        return MtaWorld(settings=settings, **options)
    except SandboxError as reason:
        raise tap.Skip(reason) from reason
