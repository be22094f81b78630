# SPDX-License-Identifier: Apache-2.0
"""The sandbox's world with the tests' people, or a reason to skip."""

import contextlib
import os
import pathlib
import shutil
import smtplib
import tempfile

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

    @contextlib.contextmanager
    def programs(self, **scripts):
        """An environment in which the scripts stand for programs of that name."""
        with tempfile.TemporaryDirectory(dir=self.directory) as folder:
            folder = pathlib.Path(folder)
            folder.chmod(0o755)
            for name, script in scripts.items():
                (folder / name).write_text(f"#!/bin/sh\n{script}\n")
                (folder / name).chmod(0o755)
            yield {**os.environ, "PATH": f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin"}

    def logs(self):
        return (f"--- milter\n{self.merganser.log_text()[-3000:]}\n"
                f"--- postfix\n{self.postfix.log_text()[-6000:]}")


def mta_world(settings=None, make=MtaWorld, **options):
    tap.need_root()
    if not shutil.which("postfix"):
        raise tap.Skip("postfix is not installed")
    try:
        return make(settings=settings, **options)
    except SandboxError as reason:
        raise tap.Skip(reason) from reason
