# SPDX-License-Identifier: Apache-2.0
"""Many campaigns at once while the configuration is read again and again."""

import concurrent.futures
import os
import pathlib
import signal
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.bench import Bench  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, campaign  # noqa: E402

# More contents than a daemon keeps compiled (256), so that some are thrown out while others
# still use them.
CONTENTS = 300
WORKERS = 8
NAMES = {ANN: "Änn", BOB: "Bob"}


def send(bench, number):
    """What is wrong with the copy of message `number`, or None."""
    person = (ANN, BOB)[number % 2]
    other = (BOB, ANN)[number % 2]
    message = campaign(number=number, plain=f"<<{number}>> {{{{first_name}}}}\n", html="x\n",
                       subject=f"no {number}")
    event, reply = bench.send(message, person)
    if (event, reply.answer) != ("eom", "accept"):
        return f"{number}: {event} {reply.answer} {reply.text}"
    copy, _ = reply.apply(message)
    text = copy.replace(b"=C3=84", "Ä".encode()).decode()
    # With the marks around: a sealed token may well hold three letters such as "Bob".
    if f"<<{number}>> {NAMES[person]}" not in text or f">> {NAMES[other]}" in text:
        return f"{number}: the copy of somebody else"
    return None


def reload_until(stopped, pid):
    while not stopped.wait(0.02):
        os.kill(pid, signal.SIGUSR1)


@tap.case
def every_copy_is_its_own_under_reloads(bench):
    stopped = threading.Event()
    reloads = threading.Thread(target=reload_until,
                               args=(stopped, bench.merganser.process.pid))
    reloads.start()
    try:
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            numbers = list(range(CONTENTS)) * 2
            wrong = [w for w in pool.map(lambda n: send(bench, n), numbers) if w]
    finally:
        stopped.set()
        reloads.join()
    tap.equal(wrong[:3], [], "wrong copies")
    tap.contains(bench.merganser.log_text(), "the configuration is read again", "log")
    bench.assert_alive()


tap.main(lambda: Bench(NO_CAP))
