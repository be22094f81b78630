# SPDX-License-Identifier: Apache-2.0
"""Collector and loader are killed in the middle of their work: what was acknowledged is in the
database, and nothing twice."""

import collections
import os
import pathlib
import random
import socket
import sqlite3
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.collector import OPEN  # noqa: E402
from tests import tap  # noqa: E402
from tests.collector import ANN, World  # noqa: E402

KILLS = int(os.environ.get("MRG_KILLS", "20"))
N_CLIENTS, N_TOKENS = 4, 20000


class Loader:
    def __init__(self, world):
        self.merganser = world.merganser
        self.start()

    def command(self, *arguments):
        return [str(self.merganser.build / "merganser"), "-c", str(self.merganser.conf), "events",
                "load", *arguments]

    def start(self):
        self.process = subprocess.Popen(
            self.command("--follow"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, **self.merganser._identity())

    def kill(self):
        self.process.kill()
        self.process.wait()


class Client(threading.Thread):
    """Asks for its pixels one after the other, each once."""

    def __init__(self, port, tokens):
        super().__init__()
        self.port, self.tokens = port, tokens
        self.asked, self.answered = [], []
        self.is_over = False

    def ask(self, client, token):
        client.sendall(f"GET /o/{token}.gif HTTP/1.1\r\nHost: x\r\nUser-Agent: Mozilla/5.0 (X11)"
                       "\r\n\r\n".encode())
        answer = b""
        while not answer.endswith(b";"):
            chunk = client.recv(4096)
            if not chunk:
                raise OSError("closed")
            answer += chunk
        return b" 200 " in answer

    def run(self):
        while not self.is_over and self.tokens:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=10) as client:
                    while not self.is_over and self.tokens:
                        number, token = self.tokens.pop()
                        self.asked.append(number)
                        if self.ask(client, token):
                            self.answered.append(number)
            except OSError:
                time.sleep(0.02)


def clients_of(world):
    person = world.person(ANN)
    tokens = list(enumerate(world.collector.tokens(
        [(OPEN, person, 1, n + 1, 0, "") for n in range(N_TOKENS)]), 1))
    return [Client(world.collector.port, tokens[n::N_CLIENTS]) for n in range(N_CLIENTS)]


def recorded(world):
    with sqlite3.connect(world.merganser.database) as database:
        return collections.Counter(
            row[0] for row in database.execute("SELECT message FROM hit WHERE kind = 1"))


@tap.case
def what_was_acknowledged_is_recorded_once():
    chance = random.Random(time.time_ns())
    with World({"rate_token": "0", "rate_address": "0"}) as world:
        loader, clients = Loader(world), clients_of(world)
        for client in clients:
            client.start()
        try:
            for _ in range(KILLS):
                time.sleep(chance.uniform(0.05, 0.35))
                victim = chance.choice((world.collector, loader))
                victim.kill()
                victim.start()
        finally:
            for client in clients:
                client.is_over = True
            for client in clients:
                client.join()
        loader.kill()
        world.merganser.tool("events", "load", "--journal", world.collector.journal)
        counts = recorded(world)
        asked = {number for client in clients for number in client.asked}
        answered = {number for client in clients for number in client.answered}
        tap.note(f"{len(answered)} acknowledged, {sum(counts.values())} recorded")
        tap.true(len(answered) > 100, f"only {len(answered)} answers")
        tap.equal(answered - set(counts), set(), "acknowledged and not recorded")
        tap.equal([n for n, count in counts.items() if count > 1], [], "recorded twice")
        tap.equal(set(counts) - asked, set(), "recorded and not asked for")


tap.main()
