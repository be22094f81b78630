# SPDX-License-Identifier: Apache-2.0
"""Postfix, Merganser and a sink together: all that a message meets on its way."""

import shutil
import smtplib

from sandbox.daemon import Merganser, copy_build, find_build
from sandbox.postfix import PrivatePostfix, new_directory
from sandbox.sink import Sink


class World:
    """Use it as a context manager.  Merganser is started, unless told otherwise."""

    def __init__(self, build=None, profiles=None, settings=None, postfix_settings=None,
                 is_joined=True, hop_milters="$merganser_milter", user=None, feedback=None):
        """user: whom Merganser runs as, instead of the owner of the build.  feedback: the
        name of a program below the directory that reports are piped to as that user."""
        self.directory = new_directory()
        if user:
            build = copy_build(build or find_build(), self.directory / "build", user)
        self.merganser = Merganser(self.directory / "merganser", build, settings)
        self.postfix = PrivatePostfix(
            self.directory / "postfix", self.merganser.socket, settings=postfix_settings,
            is_joined=is_joined, hop_milters=hop_milters,
            feedback=(user, self.directory / feedback) if feedback else None,
        )
        self.ports = self.postfix.ports
        self.sink = Sink(self.directory, self.ports["sink"])
        self.profiles = profiles

    def start(self):
        try:
            self.merganser.prepare(self.profiles)
            self.merganser.start()
            self.sink.start()
            self.postfix.start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        self.postfix.stop()
        self.sink.stop()
        self.merganser.stop_well()

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *exception):
        try:
            self.stop()
        finally:
            self.remove()

    def send(self, message, recipients, sender="news@sandbox.test", port="submission"):
        """Over SMTP, byte for byte; message has CRLF or LF line ends.  Raises what smtplib
        raises for a refusal."""
        data = message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        with smtplib.SMTP("127.0.0.1", self.ports[port], timeout=60) as smtp:
            smtp.ehlo("sender.sandbox.test")
            return smtp.sendmail(sender, recipients, data, ["BODY=8BITMIME"])

    def send_and_wait(self, *arguments, **options):
        self.send(*arguments, **options)
        self.postfix.wait_until_empty()
