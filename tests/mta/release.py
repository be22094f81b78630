# SPDX-License-Identifier: Apache-2.0
"""Held copies in a real Postfix: until when, and what becomes of them."""

import contextlib
import datetime
import json
import pathlib
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.postfix import SOURCE, wait_for  # noqa: E402
from tests import tap  # noqa: E402
from tests.people import NO_CAP, campaign  # noqa: E402
from tests.postfix import mta_world  # noqa: E402


def later(seconds):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.replace(microsecond=0).isoformat()


def holds(world):
    return json.loads(world.merganser.tool("hold", "list", "--json").stdout)


def two_people(world):
    """Whom no other case has sent anything."""
    two_people.n += 1
    people = [f"{name}{two_people.n}@example.com" for name in ("ann", "bob")]
    world.merganser.import_profiles([{"address": person, "first_name": "Person"}
                                     for person in people])
    world.sink.clear()
    return people


two_people.n = 0


def n_held(world):
    return sum(entry["queue_name"] == "hold" for entry in world.postfix.queue_entries())


def hold(world, number, people, seconds=3600):
    """Sends copies that are held; the record of them."""
    expected = n_held(world) + len(people)
    header = f"X-Campaign-Send-At: {later(seconds)}"
    world.send(campaign(number=number, first=[header]), people)
    wait_for(lambda: n_held(world) == expected, 30, "copies in the hold queue")
    return holds(world)


def command(world, *arguments):
    merganser = world.merganser
    return [str(argument) for argument in (merganser.build / "merganser", "-c", merganser.conf,
                                           "release", "--config-dir", world.postfix.config,
                                           *arguments)]


def release(world, *arguments, code=0, before=(), **options):
    """As root, which postsuper asks for, while everything belongs to another user."""
    result = subprocess.run([*before, *command(world, *arguments)], capture_output=True, text=True,
                            check=False, **options)
    tap.equal(result.returncode, code, f"exit code ({result.stdout} {result.stderr})")
    tap.equal(owners(world), {world.merganser.directory.stat().st_uid}, "owners of files")
    return result.stdout + result.stderr


def owners(world):
    """Of everything but the log, which the sandbox opens."""
    return {path.stat().st_uid for path in world.merganser.directory.iterdir()
            if path != world.merganser.log}


@contextlib.contextmanager
def programs(world, **scripts):
    """PATH with the scripts in place of programs, and the other programs of Postfix."""
    with tempfile.TemporaryDirectory(dir=world.directory) as folder:
        folder = pathlib.Path(folder)
        for name in ("postqueue", "postsuper", "postkick"):
            if name in scripts:
                (folder / name).write_text("#!/bin/sh\n" + scripts[name])
                (folder / name).chmod(0o755)
            else:
                (folder / name).symlink_to(shutil.which(name))
        yield {"PATH": f"{folder}:/usr/bin:/bin"}


def delivered(world, n):
    """The recipients of the copies, once there are so many of them."""
    wait_for(lambda: len(world.sink.deliveries()) >= n, 30, "copies at the far end")
    return sorted(copy.recipient for copy in world.sink.deliveries())


def postsuper(world, *arguments):
    subprocess.run(["postsuper", "-c", world.postfix.config, *arguments], check=True,
                   capture_output=True)


def change(world, statement, *values):
    """In the database, behind the tool's back."""
    with contextlib.closing(sqlite3.connect(world.merganser.database)) as connection:
        connection.execute(statement, values)
        connection.commit()


def make_older(world, seconds):
    change(world, "UPDATE hold SET at = at - ?", seconds * 1000000)


@tap.case
def a_copy_is_held_until_its_time(world):
    people = two_people(world)
    (row,) = hold(world, "later", [people[0]])
    tap.equal((row["campaign"], row["class"], row["settled"]), ("spring", "promo", None), "hold")
    tap.equal(world.merganser.why(people[0])[0]["reason"], "schedule: to be sent later", "reason")
    tap.contains(release(world), "0 released, 0 deleted, 0 stay", "release of what is due")
    tap.equal((n_held(world), len(world.sink.deliveries())), (1, 0), "held and sent")
    tap.contains(release(world, "--all", "--dry-run"), "nothing is changed; it would be: 1 released",
                 "dry run")
    tap.equal(len(holds(world)), 1, "holds after a dry run")
    tap.contains(release(world, "--all"), "1 released", "release of all")
    tap.equal(delivered(world, 1), [people[0]], "recipients")
    tap.equal(holds(world), [], "holds")
    tap.lacks(world.sink.deliveries()[0].data.lower(), b"x-campaign", "copy")
    tap.equal([r["verdict"] for r in world.merganser.why(people[0])][:2], ["deliver", "hold"], "record")
    tap.contains(release(world, "--all"), "0 released", "a second run")
    tap.equal(len(world.sink.deliveries()), 1, "copies")


@tap.case
def what_is_due_goes_and_the_rest_stays(world):
    people = two_people(world)
    hold(world, "soon", [people[0]], seconds=2)
    hold(world, "late", [people[1]])
    time.sleep(2.1)  # until the wall clock says that it is due
    tap.contains(release(world), "1 released, 0 deleted, 0 stay", "release")
    tap.equal(delivered(world, 1), [people[0]], "recipients")
    tap.contains(release(world, "--campaign", "spring"), "1 released", "release of a campaign")
    tap.equal(delivered(world, 2), people, "recipients")


@tap.case
def who_is_suppressed_gets_nothing(world):
    people = two_people(world)
    hold(world, "stopped", people)
    world.merganser.tool("suppress", "add", people[0], "--reason", "manual")
    start = time.monotonic()
    tap.contains(release(world), "0 released, 1 deleted", "release")
    took = time.monotonic() - start
    tap.note(f"suppressed mail was removed in {took:.2f} s")
    tap.equal(n_held(world), 1, "held copies")
    tap.contains(release(world, "--all"), "1 released, 0 deleted", "release of the other")
    tap.equal(delivered(world, 1), [people[1]], "recipients")
    tap.equal(world.merganser.why(people[0])[0]["reason"], "suppressed: manual", "reason")


@tap.case
def erased_people_leave_the_queue(world):
    people = two_people(world)
    hold(world, "erased", [people[1]])
    world.merganser.tool("profile", "erase", people[1], "--yes")
    tap.contains(release(world), "0 released, 1 deleted", "release")
    tap.equal((n_held(world), holds(world)), (0, []), "what is left")


@tap.case
def other_mail_in_the_hold_queue_is_not_ours(world):
    """A row whose queue id another message has now, and a message that an admin holds."""
    people = two_people(world)
    (row,) = hold(world, "reused", [people[0]])
    postsuper(world, "-d", row["queue_id"])
    # It may be about to come: the ledger knows of it first.
    tap.contains(release(world, "--all"), "0 released, 0 deleted, 1 stay, 0 were gone", "release")
    make_older(world, 3600)
    tap.contains(release(world, "--all"), "0 released, 0 deleted, 0 stay, 1 were gone", "release")
    hold(world, "mine", [people[0]])
    make_older(world, 86400)  # as if the row spoke of a copy of yesterday
    tap.contains(release(world, "--all"), "1 more messages are held here", "release")
    tap.equal(n_held(world), 1, "held messages")
    postsuper(world, "-d", "ALL")


@tap.case
def a_run_that_dies_is_finished_by_the_next(world):
    """postqueue is there, and postsuper fails after the ledger has been told."""
    people = two_people(world)
    hold(world, "dies", [people[0]])
    with programs(world, postsuper="echo it cannot >&2\nexit 1\n") as path:
        text = release(world, "--all", code=69, env=path)
    tap.contains(text, "postsuper failed: it cannot; what is left, the next run does", "message")
    tap.equal((n_held(world), holds(world)[0]["settled"]), (1, "deliver"), "held copies")
    tap.contains(release(world), "1 released", "the next run")
    tap.equal((delivered(world, 1), holds(world)), ([people[0]], []), "recipients and holds")


@tap.case
def a_store_that_fails_lets_nothing_go(world):
    """Nobody was judged, so that nothing may leave, and every hold is known afterwards."""
    people = two_people(world)
    hold(world, "locked", people)
    for person in people:
        world.merganser.tool("suppress", "add", person, "--reason", "manual")
    change(world, "CREATE TRIGGER broken BEFORE UPDATE OF settlement ON hold "
                  "BEGIN SELECT RAISE(ABORT, 'the disk broke'); END")
    tap.contains(release(world, code=69), "constraint failed", "message")
    change(world, "DROP TRIGGER broken")
    tap.equal((n_held(world), len(holds(world))), (2, 2), "held copies and holds")
    tap.contains(release(world), "0 released, 2 deleted", "the next run")
    tap.equal((n_held(world), holds(world)), (0, []), "what is left")
    world.postfix.wait_until_empty()
    tap.equal(world.sink.deliveries(), [], "copies at the far end")


@tap.case
def two_runs_at_once_release_once(world):
    people = two_people(world)
    hold(world, "twice", people)
    runs = [subprocess.Popen(command(world, "--all"), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
            for _ in range(3)]
    codes = [run.communicate() and run.returncode for run in runs]
    tap.true(set(codes) <= {0, 75} and 0 in codes, f"exit codes {codes}")
    delivered(world, 2)
    release(world, "--all")
    world.postfix.wait_until_empty()
    tap.equal(delivered(world, 2), people, "recipients")


@tap.case
def the_capabilities_of_the_unit_are_enough(world):
    people = two_people(world)
    hold(world, "unit", people)
    world.merganser.tool("suppress", "add", people[0], "--reason", "manual")
    unit = (SOURCE / "conf" / "systemd" / "merganser-release.service").read_text()
    names = re.search(r"^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE)[1].split()
    kept = "".join("," + name.lower().replace("cap_", "+") for name in names)
    setpriv = ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all{kept}"]
    tap.contains(release(world, "--all", before=setpriv), "1 released, 1 deleted, 0 stay", "release")
    tap.equal(delivered(world, 1), [people[1]], "recipients")


@tap.case
def root_leaves_nothing_that_locks_the_daemon_out(world):
    """Where no daemon runs, the release itself makes the files beside the database; killed, it
    leaves them.  The last case, since Postfix takes a while to come back to the milter."""
    people = two_people(world)
    hold(world, "owners", [people[0]])
    world.merganser.stop_well()
    listing = world.directory / "listing"
    script = f"ls -ln {world.merganser.directory} >{listing}\nkill -9 $(ps -o ppid= $PPID)\n"
    with programs(world, postqueue=script) as path:
        release(world, "--all", code=-signal.SIGKILL, env=path)
    tap.contains(listing.read_text(), "merganser.db-wal", "files while it ran")
    tap.true((world.merganser.directory / "merganser.db-wal").exists(), "files are left")
    world.merganser.tool("suppress", "add", people[1], "--reason", "manual")
    world.merganser.start()
    tap.contains(release(world, "--all"), "1 released", "release")
    tap.equal(delivered(world, 1), [people[0]], "recipients")


# An account that every Debian has, and that nobody uses.
tap.main(lambda: mta_world(NO_CAP, user="games"))
