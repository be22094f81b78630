# SPDX-License-Identifier: Apache-2.0
"""An MTA that speaks the milter protocol (version 6) and does what Postfix does with edits.

A test plays the events one by one, in any order, and sees every reply and every edit:
which libmilter's own tools do not show.  The protocol is the one in sendmail's source,
include/libmilter/mfdef.h.
"""

import dataclasses
import struct

from sandbox.daemon import connect

VERSION = 6
ALL_ACTIONS = 0x1FF
ALL_STEPS = 0x1FFFFF
BODY_CHUNK = 65535

# Steps that a milter may ask the MTA to leave out, or not to answer (mfapi.h, SMFIP_).
NO_STEP = {"C": 0x1, "H": 0x2, "M": 0x4, "R": 0x8, "B": 0x10, "L": 0x20, "N": 0x40, "T": 0x200}
NO_REPLY = {"L": 0x80, "C": 0x1000, "H": 0x2000, "M": 0x4000, "R": 0x8000, "T": 0x10000,
            "N": 0x40000, "B": 0x80000}
HEADER_LEADING_SPACE = 0x100000

ANSWERS = {"a": "accept", "c": "continue", "d": "discard", "r": "reject", "t": "tempfail",
           "s": "skip", "f": "connection-fail", "4": "shutdown"}
EDITS = "+2-bhimqelo"


class Gone(Exception):
    """The milter closed the connection, or did not answer in time."""


@dataclasses.dataclass
class Reply:
    """What the milter said to one event.  text is the SMTP reply where it chose one."""

    answer: str
    text: str = ""
    edits: list = dataclasses.field(default_factory=list)
    has_leading_space: bool = False  # negotiated: values begin behind the colon

    def refusal(self):
        """The SMTP code as Postfix would give it: 5xx, 4xx, or None for no refusal."""
        if self.text:
            return int(self.text[:3])
        return {"reject": 550, "tempfail": 451}.get(self.answer)

    def apply(self, data):
        """The message after the edits, with CRLF; (message, [other edits])."""
        return apply_edits(data, self.edits, self.has_leading_space)


class FakeMta:
    """One milter connection."""

    def __init__(self, path, timeout=60, steps=ALL_STEPS):
        self.socket = connect(path, timeout)
        self.offered = steps
        self.steps = 0
        self.actions = 0
        self.symbols = {}
        self.is_deaf = False
        self._negotiate()

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        try:
            self._send("Q")
        except OSError:
            pass
        self.close()

    # -- wire ---------------------------------------------------------------------------

    def _send(self, command, data=b""):
        self.socket.sendall(struct.pack("!I", len(data) + 1) + command.encode() + data)

    def _read(self, length):
        data = b""
        while len(data) < length:
            try:
                more = self.socket.recv(length - len(data))
            except (OSError, TimeoutError) as reason:
                raise Gone(str(reason)) from reason
            if not more:
                raise Gone("closed")
            data += more
        return data

    def _receive(self):
        (length,) = struct.unpack("!I", self._read(4))
        packet = self._read(length)
        return packet[:1].decode("latin-1"), packet[1:]

    def _negotiate(self):
        self._send("O", struct.pack("!III", VERSION, ALL_ACTIONS, self.offered))
        command, data = self._receive()
        if command != "O":
            raise Gone(f"negotiation was answered by {command!r}")
        _, self.actions, self.steps = struct.unpack("!III", data[:12])
        self.symbols = self._read_symbols(data[12:])

    @staticmethod
    def _read_symbols(data):
        """The macros that the milter asks for: {stage number: names}."""
        symbols = {}
        while len(data) >= 5:
            (stage,) = struct.unpack("!I", data[:4])
            names, _, data = data[4:].partition(b"\0")
            symbols[stage] = names.decode().split()
        return symbols

    # -- events -------------------------------------------------------------------------

    def macros(self, step, values):
        data = step.encode()
        for name, value in values.items():
            data += name.encode() + b"\0" + value.encode() + b"\0"
        self._send("D", data)

    def _event(self, command, data=b""):
        """Plays one event unless the milter does not want it; a Reply."""
        if self.steps & NO_STEP.get(command, 0):
            return Reply("continue")
        self._send(command, data)
        if self.steps & NO_REPLY.get(command, 0):
            return Reply("continue")
        return self._reply()

    def _reply(self):
        edits = []
        while True:
            command, data = self._receive()
            if command == "p":
                continue
            if command == "y":
                text = data.rstrip(b"\0").decode()
                return self._answer("reject" if text[0] == "5" else "tempfail", text, edits)
            if command in ANSWERS:
                return self._answer(ANSWERS[command], "", edits)
            if command not in EDITS:
                raise Gone(f"unknown reply {command!r}")
            edits.append((command, data))

    def _answer(self, answer, text, edits):
        return Reply(answer, text, edits, bool(self.steps & HEADER_LEADING_SPACE))

    def connect(self, daemon="merganser", address="127.0.0.1"):
        self.macros("C", {"j": "mta.sandbox.test", "{daemon_name}": daemon, "v": "fake 1.0"})
        data = b"localhost\0" + b"4" + struct.pack("!H", 4711) + address.encode() + b"\0"
        return self._event("C", data)

    def helo(self, name="localhost"):
        return self._event("H", name.encode() + b"\0")

    def mail(self, sender="<news@sandbox.test>", login=None):
        if login:
            self.macros("M", {"{auth_type}": "PLAIN", "{auth_authen}": login})
        return self._event("M", sender.encode() + b"\0")

    def recipient(self, address):
        """As Postfix gives it: with angle brackets over SMTP."""
        self.macros("R", {"{rcpt_addr}": address.strip("<>")})
        return self._event("R", address.encode() + b"\0")

    def data(self):
        return self._event("T")

    def header(self, name, value):
        """value as in the message, behind the colon; folds are LF on this wire."""
        if not self.steps & HEADER_LEADING_SPACE and value[:1] == b" ":
            value = value[1:]
        return self._event("L", name + b"\0" + value + b"\0")

    def end_of_headers(self):
        return self._event("N")

    def body(self, chunk):
        return self._event("B", chunk)

    def end_of_message(self, queue_id="4FAKE1"):
        self.macros("E", {"i": queue_id})
        self._send("E")
        return self._reply()

    def abort(self):
        self._send("A")

    # -- whole messages -----------------------------------------------------------------

    def message(self, data, recipients, sender="<news@sandbox.test>", login=None):
        """MAIL to the end of the message; stops at the first answer that is final.

        Returns (name of the last event, its Reply)."""
        events = [("mail", lambda: self.mail(sender, login))]
        events += [("rcpt", lambda r=r: self.recipient(r)) for r in recipients]
        events += [("data", self.data), *self.content_events(data)]
        for name, play in events:
            reply = play()
            if reply.answer == "skip":
                continue
            if reply.answer != "continue":
                return name, reply
        return "eom", self.end_of_message()

    def content_events(self, data):
        headers, body = split_message(data)
        events = [("header", lambda n=n, v=v: self.header(n, v)) for n, v in headers]
        events.append(("eoh", self.end_of_headers))
        for start in range(0, len(body), BODY_CHUNK):
            chunk = body[start:start + BODY_CHUNK]
            events.append(("body", lambda c=chunk: self.body(c)))
        return events


def split_message(data):
    """([(name, value)], body) of a message with CRLF or LF; values keep their folds as LF,
    the body has CRLF."""
    data = data.replace(b"\r\n", b"\n")
    head, _, body = data.partition(b"\n\n")
    headers = []
    for line in head.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            name, value = headers[-1]
            headers[-1] = (name, value + b"\n" + line)
        else:
            name, _, value = line.partition(b":")
            headers.append((name, value))
    return headers, body.replace(b"\n", b"\r\n")


def add_space(value, has_leading_space):
    """Without the negotiated flag the MTA puts the space behind the colon itself."""
    return value if has_leading_space else b" " + value


def change_header(headers, data, has_leading_space):
    (index,) = struct.unpack("!I", data[:4])
    name, value = data[4:].split(b"\0")[:2]
    places = [i for i, (n, _) in enumerate(headers) if n.lower() == name.lower()]
    if index < 1 or index > len(places):
        if value:
            headers.append((name, add_space(value, has_leading_space)))
    elif value:
        headers[places[index - 1]] = (name, add_space(value, has_leading_space))
    else:
        del headers[places[index - 1]]


def apply_edits(data, edits, has_leading_space):
    headers, body = split_message(data)
    new_body, others = [], []
    for command, argument in edits:
        if command == "m":
            change_header(headers, argument, has_leading_space)
        elif command == "h":
            name, value = argument.split(b"\0")[:2]
            headers.append((name, add_space(value, has_leading_space)))
        elif command == "i":
            (index,) = struct.unpack("!I", argument[:4])
            name, value = argument[4:].split(b"\0")[:2]
            headers.insert(index, (name, add_space(value, has_leading_space)))
        elif command == "b":
            new_body.append(argument)
        else:
            others.append((command, argument))
    head = b"".join(n + b":" + v.replace(b"\n", b"\r\n") + b"\r\n" for n, v in headers)
    return head + b"\r\n" + (b"".join(new_body) if new_body else body), others
