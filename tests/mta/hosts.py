# SPDX-License-Identifier: Apache-2.0
"""Two hosts, each with a Postfix, release what they hold; they share a PostgreSQL."""

import contextlib
import pathlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.pgsql import Pgsql  # noqa: E402
from sandbox.postfix import SandboxError, new_directory, wait_for  # noqa: E402
from tests import tap  # noqa: E402
from tests.people import NO_CAP, campaign  # noqa: E402
from tests.postfix import mta_world  # noqa: E402

NAMES = ("a.example.com", "b.example.com")


class Hosts:
    """The worlds of both, with the same keys; a context manager."""

    def __init__(self):
        self.directory = new_directory()
        self.server = Pgsql(self.directory / "pgsql")
        self.worlds = [mta_world({
            **NO_CAP, "policy": {"host": name}, "plugin sqlite": None,
            "store": {"plugin": "pgsql", "deadline": "5s"},
            "plugin pgsql": {"conninfo": self.server.conninfo, "pool": "8"},
        }, user="games") for name in NAMES]

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
            try:
                stack.enter_context(self.server)
            except SandboxError as reason:
                raise tap.Skip(reason) from reason
            first, second = (stack.enter_context(world) for world in self.worlds)
            shutil.copy(first.merganser.keys, second.merganser.keys)
            second.merganser.stop_well()
            second.merganser.start()
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exception):
        self.stack.__exit__(*exception)

    def logs(self):
        return "\n".join(world.logs() for world in self.worlds)


def command(world):
    return [str(word) for word in (world.merganser.build / "merganser", "-c", world.merganser.conf,
                                   "release", "--all", "--config-dir", world.postfix.config)]


def n_held(world):
    return sum(entry["queue_name"] == "hold" for entry in world.postfix.queue_entries())


def hold(world, number, n):
    people = sorted(f"{number}{i}@example.com" for i in range(n))
    world.sink.clear()
    world.send(campaign(number=number, first=["X-Campaign-Send-At: 2099-01-01T00:00:00Z"]), people)
    wait_for(lambda: n_held(world) == n, 30, "copies in the hold queue")
    return people


def assert_each_got_one(world, people):
    world.postfix.flush()
    world.postfix.wait_until_empty()
    tap.equal(sorted(copy.recipient for copy in world.sink.deliveries()), people, "recipients")


@tap.case
def two_hosts_release_at_once(hosts):
    people = [hold(world, name, 20) for world, name in zip(hosts.worlds, "ab")]
    tap.equal(hosts.server.ask("SELECT host, count(*) FROM merganser.hold GROUP BY 1 ORDER BY 1"),
              "a.example.com|20\nb.example.com|20", "holds")
    runs = [subprocess.Popen(command(world), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            for world in hosts.worlds for _ in range(2)]
    said = [run.communicate()[0] for run in runs]
    tap.true({run.returncode for run in runs} <= {0, 75}, f"exit codes: {said}")
    tap.equal(sum("20 released" in text for text in said), 2, f"runs that released: {said}")
    for world, expected in zip(hosts.worlds, people):
        assert_each_got_one(world, expected)
    tap.equal(hosts.server.ask("SELECT count(*) FROM merganser.hold"), "0", "holds")


@tap.case
def a_database_that_dies_in_the_middle_loses_and_doubles_nothing(hosts):
    """Before anybody is judged, and when Postfix has let them go."""
    world, server = hosts.worlds[0], hosts.server
    people = hold(world, "c", 20)
    stop = f"kill -QUIT $(head -n 1 {server.data}/postmaster.pid)\nsleep 0.5\n"
    scripts = [{"postqueue": f"{stop}exec {shutil.which('postqueue')} \"$@\""},
               {"postsuper": f"{shutil.which('postsuper')} \"$@\"\n{stop}"}]
    for script, n_left in zip(scripts, (20, 0)):
        with world.programs(**script) as environment:
            result = subprocess.run(command(world), env=environment, capture_output=True, text=True,
                                    check=False)
        tap.true(result.returncode in (69, 75), f"exit code: {result.returncode} {result.stderr}")
        tap.equal(n_held(world), n_left, "held copies")
        server.start()
    subprocess.run(command(world), check=True, capture_output=True)
    assert_each_got_one(world, people)
    tap.equal(server.ask("SELECT count(*) FROM merganser.hold"), "0", "holds")


tap.main(Hosts)
