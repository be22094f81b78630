# SPDX-License-Identifier: Apache-2.0
"""What is answered is in the journal: full, killed, torn, limited, slow, and at the end."""

import pathlib
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.collector import CLICK, OPEN, UNSUBSCRIBE  # noqa: E402
from sandbox.postfix import wait_for  # noqa: E402
from tests import tap  # noqa: E402
from tests.collector import World  # noqa: E402


@tap.case
def a_full_journal_is_said():
    with World({"journal_max_bytes": "1K"}) as world:
        token = world.collector.token(OPEN)
        answers = [world.collector.get(f"/o/{token}.gif") for _ in range(20)]
        statuses = [answer.status for answer in answers]
        tap.equal(set(statuses), {200, 503}, "statuses")
        tap.equal(statuses.count(200), len(world.collector.hits()), "hits")
        tap.true(answers[-1].headers["Retry-After"], "Retry-After")
        tap.equal(world.collector.get(f"/c/{world.collector.token(CLICK, link=1)}").status, 503,
                  "a link")
        # The store has it: that is as good.
        person = "0" * 31 + "7"
        answer = world.collector.post(f"/u/{world.collector.token(UNSUBSCRIBE, person)}",
                                      "List-Unsubscribe=One-Click")
        tap.equal(answer.status, 200, "one click")
        tap.equal(world.suppressions().get((person, "all")), "unsubscribed", "suppression")
        newest = max(world.collector.journal.glob("*.journal"))
        for segment in world.collector.journal.glob("*.journal"):
            if segment != newest:
                segment.unlink()
        wait_for(lambda: world.collector.get(f"/o/{token}.gif").status == 200, 10, "room")


class Clients:
    """Threads that ask for pixels and count what was answered well."""

    def __init__(self, world, n=4):
        self.tokens = world.collector.tokens(
            [(OPEN, f"{i:032x}", 1, i + 1, 0, "") for i in range(n)])
        self.port = world.collector.port
        self.answered = [0] * n
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(n)]

    def run(self, number):
        request = f"GET /o/{self.tokens[number]}.gif HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as client:
                while True:
                    client.sendall(request)
                    answer = b""
                    while not answer.endswith(b";"):
                        chunk = client.recv(4096)
                        if not chunk:
                            return
                        answer += chunk
                    if b" 200 " in answer:
                        self.answered[number] += 1
        except OSError:
            return

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        for thread in self.threads:
            thread.join()


def count_by_message(world, n=4):
    counts = [0] * n
    for hit in world.collector.hits():
        counts[int(hit["message"]) - 1] += 1
    return counts


@tap.case
def what_was_answered_survives_a_kill():
    with World({"rate_token": "0"}) as world:
        before = [0] * 4
        for _ in range(3):
            with Clients(world) as clients:
                time.sleep(0.3)
                world.collector.kill()
            counts = count_by_message(world)
            for was, now, answered in zip(before, counts, clients.answered):
                # The last request of each may be recorded and not answered.
                tap.true(was + answered <= now <= was + answered + 1,
                         f"{was} + {answered} answered, {now} recorded")
            before = counts
            world.collector.start()
        tap.true(sum(before) > 100, f"only {sum(before)} hits")


@tap.case
def a_torn_tail_costs_nothing_that_follows():
    with World() as world:
        token = world.collector.token(OPEN)
        for _ in range(3):
            world.collector.get(f"/o/{token}.gif")
        world.collector.kill()
        newest = max(world.collector.journal.glob("*.journal"))
        newest.write_bytes(newest.read_bytes()[:-5])
        world.collector.start()
        world.collector.get(f"/o/{token}.gif")
        tap.equal(len(world.collector.hits()), 3, "hits")


@tap.case
def an_end_answers_what_has_begun():
    with World({"rate_token": "0"}) as world:
        with Clients(world) as clients:
            time.sleep(0.3)
            world.collector.stop_well()
        for recorded, answered in zip(count_by_message(world), clients.answered):
            tap.true(answered <= recorded <= answered + 1, f"{answered} and {recorded}")
        world.collector.start()


@tap.case
def two_daemons_do_not_share_a_journal():
    with World() as world:
        result = world.collector.run_to_end()
        tap.equal(result.returncode, 69, "exit code")
        tap.contains(result.stderr, "another process writes the journal", "error")


@tap.case
def one_token_is_recorded_so_often_and_no_more():
    with World({"rate_token": "5"}) as world:
        while time.time() % 60 > 50:  # within one minute
            time.sleep(0.5)
        token = world.collector.token(OPEN)
        answers = [world.collector.get(f"/o/{token}.gif").status for _ in range(9)]
        tap.equal(set(answers), {200}, "answers")
        tap.equal(len(world.collector.hits()), 5, "hits")
        other = world.collector.token(OPEN, message=2)
        world.collector.get(f"/o/{other}.gif")
        tap.equal(len(world.collector.hits()), 6, "another token")
        unsubscribe = world.collector.token(UNSUBSCRIBE)
        statuses = [world.collector.post(f"/u/{unsubscribe}").status for _ in range(7)]
        tap.equal(statuses, [200] * 5 + [429] * 2, "a form")


@tap.case
def one_address_may_ask_so_often():
    with World({"rate_address": "20"}) as world:
        while time.time() % 60 > 50:
            time.sleep(0.5)
        ask = {"X-Forwarded-For": "203.0.113.5"}
        statuses = [world.collector.get("/nothing", **ask).status for _ in range(25)]
        tap.equal(statuses, [404] * 20 + [429] * 5, "statuses")
        tap.equal(world.collector.get("/nothing", **{"X-Forwarded-For": "203.0.113.6"}).status,
                  404, "another address")
        token = world.collector.token(OPEN)
        tap.equal(world.collector.get(f"/o/{token}.gif", **ask).status, 200, "a pixel")


@tap.case
def who_is_slow_is_let_go():
    with World({"timeout": "1s"}) as world:
        started = time.monotonic()
        with socket.create_connection(("127.0.0.1", world.collector.port), timeout=20) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\n")
            try:
                for letter in b"X-Slow: " + b"a" * 200:
                    client.sendall(bytes([letter]))
                    time.sleep(0.1)
                    client.settimeout(0.01)
                    try:
                        if client.recv(100) == b"":
                            break
                    except TimeoutError:
                        pass
            except OSError:
                pass
        tap.true(time.monotonic() - started < 10, "a slow request was waited for")
        tap.equal(world.collector.get("/healthz").status, 200, "afterwards")


if __name__ == "__main__":
    tap.main()
