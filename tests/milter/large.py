# SPDX-License-Identifier: Apache-2.0
"""The largest mail that is let in: in memory at most twice, every byte there; more is refused."""

import base64
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.bench import Bench, refused  # noqa: E402
from tests.people import ANN, NO_CAP, campaign  # noqa: E402

MAX_BODY = 25 << 20  # [milter] max_body, as it is by default
# Beside the two: what a chunk on its way takes, the plan and the allocator's own.
SLACK = 2 << 20

LINE = base64.b64encode(b"{" + b"a line of a message. " * 2 + b"So long. ,;" ) + b"\r\n"
SHAPES = {
    "a file": b"Content-Type: image/png\r\nContent-Disposition: attachment; filename=a.png\r\n"
              b"Content-Transfer-Encoding: base64\r\n\r\n",
    "a file that is text": b"Content-Type: text/html; charset=iso-8859-1\r\n"
                           b"Content-Disposition: attachment\r\n\r\n",
    "a message": b"Content-Type: message/rfc822\r\n\r\nSubject: forwarded\r\n\r\n",
    "text of another kind": b"Content-Type: text/csv\r\nContent-Transfer-Encoding: base64\r\n\r\n",
}


def large(shape, size, number):
    """A campaign message whose body has this many bytes, most of them in one part."""
    head, body = campaign(number=number).split(b"\r\n\r\n", 1)
    head = head.replace(b"multipart/alternative", b"multipart/mixed")
    start = body.replace(b"--b1--\r\n", b"--b1\r\n" + SHAPES[shape])
    end = b"--b1--\r\n"
    room = size - len(start) - len(end)
    lines = LINE * (room // len(LINE) - 1)
    rest = room - len(lines)
    filler = b"A" * (rest // 2 - 2) + b"\r\n" + b"A" * (rest - rest // 2 - 2) + b"\r\n"
    data = head + b"\r\n\r\n" + start + lines + filler + end
    tap.equal(len(data) - len(head) - 4, size, "size of the body")
    return data


def memory(bench, what):
    status = pathlib.Path(f"/proc/{bench.merganser.process.pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(what))


def is_sanitized(bench):
    maps = pathlib.Path(f"/proc/{bench.merganser.process.pid}/maps").read_text()
    return "libasan" in maps or "libtsan" in maps


def peak_of(bench, work):
    """Bytes that the daemon took for the work, over what it had."""
    before = memory(bench, "VmRSS")
    pathlib.Path(f"/proc/{bench.merganser.process.pid}/clear_refs").write_text("5")
    result = work()
    return memory(bench, "VmHWM") - before, result


def add_case(shape):
    def run(bench):
        bench.merged(campaign(number="warm"))
        size = MAX_BODY - 4096
        data = large(shape, size, number=shape.replace(" ", "-"))
        taken, copy = peak_of(bench, lambda: bench.merged(data, ANN))
        tap.contains(copy, b"Hiking", "copy")
        tap.true(copy.endswith(data[-size // 2:]), "the bytes of the part changed")
        tap.note(f"{shape}: {taken / size:.2f} times the message")
        if not is_sanitized(bench):
            tap.true(taken <= 2 * size + SLACK, f"{taken} bytes for a message of {size}")

    run.__name__ = f"{shape} of 25 MB is in memory at most twice"
    tap.case(run)


for shape_name in SHAPES:
    add_case(shape_name)


@tap.case
def what_is_over_the_maximum_is_refused_and_not_cut(bench):
    event, reply = bench.send(large("a file", MAX_BODY + 1, number="over"))
    tap.equal(event, "eom", "event")
    refused(reply, 552, "5.3.4")
    bench.assert_alive()


@tap.case
def a_copy_that_outgrows_the_maximum_is_refused_and_not_cut(bench):
    """The message itself would fit; its copy is some bytes longer."""
    event, reply = bench.send(large("a file", MAX_BODY, number="grows"))
    tap.equal(event, "eom", "event")
    refused(reply, 552, "5.3.4", "larger than 26214400 bytes")


tap.main(lambda: Bench(NO_CAP))
