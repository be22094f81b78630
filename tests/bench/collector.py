# SPDX-License-Identifier: Apache-2.0
"""How many pixels and clicks a second the collector answers, beside nginx and a static GIF.

Both have the same number of workers, keep-alive and an access log that is written in
batches, and take turns; wrk runs on the same machine.  The collector opens a token of its
own for each request and writes each hit to its journal.  Needs nginx and wrk.

    MRG_BUILD=build/test python3 -B tests/bench/collector.py
"""

import argparse
import os
import pathlib
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE))

from sandbox.collector import CLICK, OPEN, Collector, free_port  # noqa: E402
from sandbox.daemon import Merganser  # noqa: E402
from sandbox.postfix import wait_for  # noqa: E402

SCRIPT = SOURCE / "tests" / "bench" / "collector.lua"
CONNECTIONS = 64
LINKS = 20
NGINX = """
worker_processes {workers};
pid {directory}/nginx.pid;
error_log {directory}/nginx-error.log;
events {{ worker_connections 1024; }}
http {{
    access_log {directory}/nginx-access.log combined buffer=64k flush=1s;
    sendfile on;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    types {{ image/gif gif; }}
    server {{
        listen 127.0.0.1:{port};
        root {directory}/static;
        add_header Cache-Control "no-store";
    }}
}}
"""


class Nginx:
    def __init__(self, directory, workers):
        self.port = free_port()
        (directory / "static").mkdir()
        (directory / "static" / "pixel.gif").write_bytes(b"GIF89a" + b"\0" * 37)
        conf = directory / "nginx.conf"
        conf.write_text(NGINX.format(workers=workers, directory=directory, port=self.port))
        self.command = ["nginx", "-p", str(directory), "-c", str(conf)]

    def __enter__(self):
        self.process = subprocess.Popen([*self.command, "-g", "daemon off;"])
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        self.process.wait()


class Round:
    """What wrk says: requests, requests a second, latencies in milliseconds."""

    def __init__(self, port, paths, seconds, connections=CONNECTIONS, delay_ms=0):
        environment = {**os.environ, "PATHS": str(paths)}
        if delay_ms:
            environment["DELAY"] = str(delay_ms)
        result = subprocess.run(
            ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "-s", str(SCRIPT),
             f"http://127.0.0.1:{port}"],
            env=environment, capture_output=True, text=True, check=True)
        line = next(x for x in result.stdout.splitlines() if x.startswith("RESULT"))
        requests, took_us, half_us, most_us, worst_us, self.errors = map(int, line.split()[1:])
        self.requests = requests
        self.rate = requests * 1e6 / took_us
        self.p50, self.p99, self.worst = half_us / 1e3, most_us / 1e3, worst_us / 1e3

    def __str__(self):
        return (f"{self.rate:8.0f}/s  p50 {self.p50:.2f} ms  p99 {self.p99:.2f} ms  "
                f"worst {self.worst:.1f} ms  errors {self.errors}")


def put_links(merganser):
    with sqlite3.connect(merganser.database) as database:
        database.execute("INSERT INTO campaign (number, name) VALUES (1, 'bench')")
        database.executemany(
            "INSERT INTO link (campaign, number, hash, target) VALUES (1, ?, ?, ?)",
            [(n, f"{n:064x}", f"https://shop.example.com/page/{n}")
             for n in range(1, LINKS + 1)])


def write_paths(collector, file, n):
    pick = random.Random(1)
    wanted = [(OPEN if i % 2 else CLICK, f"{pick.getrandbits(128):032x}", 1, i + 1,
               0 if i % 2 else pick.randint(1, LINKS), "") for i in range(n)]
    tokens = collector.tokens(wanted)
    file.write_text("".join(
        f"/o/{token}.gif\n" if want[0] == OPEN else f"/c/{token}\n"
        for want, token in zip(wanted, tokens)))


def metric(collector, name):
    for line in collector.get("/metrics").text.splitlines():
        if line.startswith(f"merganser_collector_{name} "):
            return int(line.split()[1])
    raise KeyError(name)


def answered(collector):
    return sum(int(line.split()[1]) for line in collector.get("/metrics").text.splitlines()
               if 'route="open",status="2xx"' in line or 'route="click",status="3xx"' in line)


def round_at(target, port, paths, seconds):
    """A round with at least the target rate.  A connection that waits 20 ms before each
    request makes nearly 50 a second, fewer where the answer or wrk itself is late."""
    connections = round(target / 47)
    for _ in range(6):
        tried = Round(port, paths, 2, connections, 20)
        if tried.rate >= target:
            break
        connections = round(connections * min(1.5, 1.05 * target / tried.rate))
    return Round(port, paths, seconds, connections, 20)


def measure(options, directory):
    merganser = Merganser(directory / "merganser")
    collector = Collector(merganser, {"threads": options.workers, "rate_address": 0})
    merganser.prepare()
    put_links(merganser)
    collector.prepare().start()
    paths, static = directory / "paths", directory / "static-paths"
    write_paths(collector, paths, options.tokens)
    static.write_text("/pixel.gif\n")
    ours, theirs = [], []
    with Nginx(directory, options.workers) as nginx:
        wait_for(lambda: pathlib.Path(f"{directory}/nginx.pid").exists(), 10, "nginx")
        Round(nginx.port, static, 1)
        Round(collector.port, paths, 1)
        for number in range(options.rounds):
            theirs.append(Round(nginx.port, static, options.seconds))
            ours.append(Round(collector.port, paths, options.seconds))
            print(f"round {number + 1}  nginx      {theirs[-1]}")
            print(f"round {number + 1}  collector  {ours[-1]}", flush=True)
    rate = statistics.median(r.rate for r in ours)
    ratio = rate / statistics.median(r.rate for r in theirs)
    print(f"collector {rate:.0f}/s, {ratio:.2f} of nginx")
    half = round_at(0.52 * rate, collector.port, paths, options.seconds)
    print(f"at {half.rate / rate:.2f} of that    {half}")
    report_journal(collector)


def report_journal(collector):
    n_answered, n_recorded = answered(collector), metric(collector, "journal_records_total")
    collector.stop_well()
    n_read = subprocess.run(
        f"{collector.merganser.build}/tests/fake/hits {collector.journal} | wc -l",
        shell=True, capture_output=True, text=True, check=True).stdout.strip()
    size = sum(f.stat().st_size for f in collector.journal.iterdir())
    print(f"answered {n_answered}, recorded {n_recorded}, read back {n_read}, "
          f"{size / max(1, n_recorded):.0f} bytes a hit")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=200000)
    options = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="merganser-bench-"))
    directory.chmod(0o755)
    try:
        measure(options, directory)
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
