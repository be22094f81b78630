# SPDX-License-Identifier: Apache-2.0
"""How the daemon starts, refuses to start, and stops."""

import itertools
import os
import pathlib
import shutil
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.postfix import free_ports, wait_for  # noqa: E402
from tests import tap  # noqa: E402
from tests.bench import Bench, refused  # noqa: E402
from tests.people import ANN, NO_CAP, campaign  # noqa: E402


def fails_to_start(bench, *words):
    """Exit 78, and every word in what it says."""
    result = bench.merganser.run_to_end()
    tap.equal(result.returncode, 78, f"exit code ({result.stderr})")
    for word in words:
        tap.contains(result.stderr, word, "error text")


def unstarted():
    return Bench(is_started=False, people=None)


def change(bench, settings):
    for section, values in settings.items():
        bench.merganser.settings.setdefault(section, {}).update(values)
    bench.merganser.write_conf()


@tap.case
def unknown_key_is_named_with_the_nearest():
    with unstarted() as bench:
        change(bench, {"milter": {"sockett_mode": "0660"}})
        fails_to_start(bench, "merganser.conf:", "'sockett_mode'", "'socket_mode'")


@tap.case
def unknown_section_is_named():
    with unstarted() as bench:
        change(bench, {"trusts": {"senders": "a"}})
        fails_to_start(bench, "merganser.conf:", "trusts")


@tap.case
def malformed_value_is_named():
    for section, key, value in (
        ("milter", "max_body", "many"), ("store", "deadline", "5 parsecs"),
        ("cap daily", "limit", "-1"), ("cap daily", "per", "soon"),
        ("policy", "unknown_recipient", "perhaps"), ("milter", "socket_mode", "rw"),
    ):
        with unstarted() as bench:
            change(bench, {section: {key: value}})
            fails_to_start(bench, "merganser.conf:", key)


@tap.case
def missing_configuration_is_an_error():
    with unstarted() as bench:
        result = bench.merganser.run_to_end(bench.directory / "nowhere.conf")
        tap.equal(result.returncode, 78, f"exit code ({result.stderr})")
        tap.contains(result.stderr, "nowhere.conf", "error text")


@tap.case
def key_file_that_others_can_read_is_refused():
    with unstarted() as bench:
        bench.merganser.keys.chmod(0o644)
        fails_to_start(bench, str(bench.merganser.keys))


@tap.case
def missing_key_file_is_refused():
    with unstarted() as bench:
        bench.merganser.keys.unlink()
        fails_to_start(bench, str(bench.merganser.keys))


@tap.case
def malformed_schema_is_refused():
    with unstarted() as bench:
        (bench.merganser.directory / "schema.conf").write_text("[field a]\ntype = colour\n")
        fails_to_start(bench, "schema.conf:2:", "'type'")


@tap.case
def missing_plugin_is_named():
    with unstarted() as bench:
        change(bench, {"store": {"plugin": "nosuch"}})
        fails_to_start(bench, "nosuch")


@tap.case
def plugin_that_others_can_write_is_refused():
    with unstarted() as bench:
        copy = bench.directory / "plugins"
        shutil.copytree(bench.merganser.settings["milter"]["plugin_dir"], copy)
        change(bench, {"milter": {"plugin_dir": copy}})
        bench.merganser.own(copy)
        for file in copy.iterdir():
            file.chmod(0o777)
            bench.merganser.own(file)
        fails_to_start(bench, "sqlite")


@tap.case
def sigterm_stops():
    with Bench(NO_CAP) as bench:
        tap.equal(bench.merganser.stop(), 0, "exit code")


@tap.case
def sigterm_stops_with_a_message_half_way():
    with Bench(NO_CAP) as bench, bench.mta() as mta:
        mta.mail()
        mta.recipient(f"<{ANN}>")
        tap.equal(bench.merganser.stop(), 0, "exit code")


@tap.case
def sigterm_stops_however_early_it_comes():
    """From the first instruction on; what blocks the signal may not have run yet."""
    with unstarted() as bench:
        ends = set()
        for n in range(40):
            bench.merganser.launch()
            time.sleep(n * 0.001)
            ends.add(bench.merganser.stop())
        tap.true(ends <= {0, -signal.SIGTERM}, f"exit codes {ends}")


@tap.case
def daemon_that_was_killed_can_start_again():
    with Bench(NO_CAP) as bench:
        bench.merged(campaign(number="before"))
        bench.merganser.kill()
        bench.merganser.start()
        bench.merged(campaign(number="after"))
        tap.equal(len(bench.merganser.why(ANN)), 2, "records")


@tap.case
def socket_is_for_its_group_alone():
    with Bench(NO_CAP) as bench:
        # The group is let in when the daemon listens, not when the socket appears.
        bench.assert_alive()
        tap.equal(oct(bench.merganser.socket.stat().st_mode & 0o777), "0o660", "mode")


@tap.case
def tcp_serves_as_well():
    port = free_ports(["milter"])["milter"]
    with Bench({**NO_CAP, "milter": {"socket": f"inet:{port}@127.0.0.1"}}) as bench:
        bench.assert_alive()


@tap.case
def reload_takes_a_good_configuration_and_keeps_the_old_for_a_bad_one():
    with Bench(NO_CAP) as bench:
        bench.merganser.settings["policy"]["unknown_recipient"] = "reject"
        bench.merganser.write_conf()
        os.kill(bench.merganser.process.pid, signal.SIGUSR1)
        # A message of its own each time: what was delivered once is delivered again.
        numbers = itertools.count()
        wait_for(lambda: bench.send(campaign(number=f"try{next(numbers)}"),
                                    "new@example.com")[1].refusal() == 550, 10,
                 "the new configuration")
        bench.merganser.conf.write_text("[milter]\nnonsense = 1\n")
        size = len(bench.merganser.log_text())
        os.kill(bench.merganser.process.pid, signal.SIGUSR1)
        wait_for(lambda: "nonsense" in bench.merganser.log_text()[size:], 10, "the complaint")
        refused(bench.send(campaign(number="last"), "new@example.com")[1], 550)
        bench.assert_alive()


@tap.case
def policy_of_the_scheduler_is_batch_unless_somebody_chose():
    with Bench(NO_CAP) as bench:
        tap.equal(os.sched_getscheduler(bench.merganser.process.pid), os.SCHED_BATCH, "policy")
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    try:
        with Bench(NO_CAP) as bench:
            tap.equal(os.sched_getscheduler(bench.merganser.process.pid), os.SCHED_IDLE, "chosen")
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


tap.main()
