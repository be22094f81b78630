# SPDX-License-Identifier: Apache-2.0
"""The end of the road: Postfix's own smtp-sink, one file per message, and a reader.

smtp-sink writes some X- lines with the SMTP arguments and a Received line of its own in
front of each message, and an empty line behind it; the reader takes them off, so that what
remains is what Postfix sent.
"""

import dataclasses
import email
import email.policy
import pathlib
import re
import shutil
import subprocess

from sandbox.postfix import SandboxError, port_answers, wait_for

OWN_LINE = re.compile(rb"X-(Client-Addr|Client-Proto|Helo-Args|Mail-Args|Rcpt-Args): (.*)\n")


@dataclasses.dataclass
class Delivery:
    """One message as the sink got it; data has LF line ends."""

    sender: str
    recipients: list
    data: bytes

    @property
    def recipient(self):
        if len(self.recipients) != 1:
            raise ValueError(f"{len(self.recipients)} recipients in one delivery")
        return self.recipients[0]

    def message(self):
        """Parsed by Python's own parser: one that Merganser has nothing to do with."""
        return email.message_from_bytes(self.data, policy=email.policy.default)

    def text(self, subtype):
        """The decoded text of the first text/SUBTYPE part."""
        for part in self.message().walk():
            if part.get_content_type() == f"text/{subtype}":
                return part.get_content()
        return None

    @property
    def body(self):
        return self.data.partition(b"\n\n")[2]


def path_in(argument):
    return re.search(r"<([^>]*)>", argument).group(1)


def parse_dump(data):
    """A Delivery from the text of one of smtp-sink's files."""
    sender, recipients = None, []
    while match := OWN_LINE.match(data):
        name, value = match.group(1).decode(), match.group(2).decode(errors="replace")
        if name == "Mail-Args":
            sender = path_in(value)
        elif name == "Rcpt-Args":
            recipients.append(path_in(value))
        data = data[match.end():]
    # Its own Received field: one line and those that continue it.
    received = re.match(rb"Received: .*\n([ \t].*\n)*", data)
    if sender is None or not recipients or not received:
        raise SandboxError("smtp-sink: unexpected dump format")
    return Delivery(sender, recipients, data[received.end():].removesuffix(b"\n"))


class Sink:
    """smtp-sink on a loopback port, dumping into directory/mail."""

    def __init__(self, directory, port):
        self.mail = pathlib.Path(directory) / "mail"
        self.log = pathlib.Path(directory) / "sink.log"
        self.port = port
        self.process = None

    def start(self):
        if not shutil.which("smtp-sink"):
            raise SandboxError("smtp-sink is not installed (Debian: postfix)")
        self.mail.mkdir(parents=True, exist_ok=True)
        shutil.chown(self.mail, "nobody")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["smtp-sink", "-u", "nobody", "-d", f"{self.mail}/%s.",
                 f"inet:127.0.0.1:{self.port}", "100"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )
        wait_for(lambda: port_answers(self.port), 10, "smtp-sink")
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()

    def deliveries(self):
        """All messages so far, oldest first.  Complete once the queue is empty."""
        files = sorted(self.mail.iterdir(), key=lambda f: f.stat().st_mtime_ns)
        return [parse_dump(f.read_bytes()) for f in files if f.stat().st_size]

    def by_recipient(self):
        return {d.recipient: d for d in self.deliveries()}

    def clear(self):
        for file in self.mail.iterdir():
            file.unlink()
