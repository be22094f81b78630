# SPDX-License-Identifier: Apache-2.0
"""Held copies in a real Postfix: until when, and what becomes of them."""

import contextlib
import datetime
import json
import pathlib
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.postfix import SOURCE, wait_for  # noqa: E402
from tests import tap  # noqa: E402
from tests.people import NO_CAP, campaign  # noqa: E402
from tests.postfix import mta_world  # noqa: E402


# In a program that a release runs: ends the release, whose keeper is the program's parent.
KILL = "kill -9 $(cut -d' ' -f4 /proc/$PPID/stat)"
SETTINGS = {
    **NO_CAP,
    "policy": {"household_field": "interest"},
    "cap home": {"limit": "1", "per": "3s", "class": "home", "scope": "household",
                 "on_exceed": "hold"},
}


def later(seconds):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.replace(microsecond=0).isoformat()


def holds(world):
    return json.loads(world.merganser.tool("hold", "list", "--json").stdout)


def new_people(world, n):
    """Whom no other case has sent anything, and who share a household."""
    new_people.n += 1
    people = sorted(f"p{i}-{new_people.n}@example.com" for i in range(n))
    world.merganser.import_profiles([{"address": person, "first_name": "Person",
                                      "interest": f"house {new_people.n}"} for person in people])
    world.sink.clear()
    return people


new_people.n = 0


def two_people(world):
    return new_people(world, 2)


def n_held(world):
    return sum(entry["queue_name"] == "hold" for entry in world.postfix.queue_entries())


def hold(world, number, people, seconds=3600, first=()):
    """Sends copies that are held; the record of them."""
    expected = n_held(world) + len(people)
    header = f"X-Campaign-Send-At: {later(seconds)}"
    world.send(campaign(number=number, first=[header, *first]), people)
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
def what_a_released_copy_carries_is_on_record(world):
    """Rates are of the copies that carried something, and the record of the hold is older."""
    people = two_people(world)
    world.merganser.tool("consent", "grant", people[0], "track_open")
    expected = n_held(world) + 2
    mail = campaign(number="carried", first=[f"X-Campaign-Send-At: {later(3600)}"])
    world.send(mail.replace(b"X-Campaign: spring", b"X-Campaign: carried"), people)
    wait_for(lambda: n_held(world) == expected, 30, "copies in the hold queue")
    tap.contains(release(world, "--campaign", "carried"), "2 released", "release")
    delivered(world, 2)
    for _ in range(2):
        stats = json.loads(world.merganser.tool("stats", "carried", "--json").stdout)
        tap.equal((stats["sent"], stats["opens"]["of"]), (2, 1), "sent, and with a pixel")
        change(world, "DELETE FROM event WHERE verdict = 4 AND campaign = 'carried'")


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
    hold(world, "dies", people)
    with world.programs(postsuper="echo it cannot >&2\nexit 1") as environment:
        text = release(world, "--all", code=69, env=environment)
    tap.contains(text, "postsuper failed: it cannot; what is left, the next run does", "message")
    tap.equal((n_held(world), [row["settled"] for row in holds(world)]),
              (2, ["deliver", "deliver"]), "held copies")
    # Who unsubscribes until the next run does not get what the dead one would have let go.
    world.merganser.tool("suppress", "add", people[1], "--reason", "unsubscribed")
    tap.contains(release(world), "1 released, 1 deleted", "the next run")
    tap.equal((delivered(world, 1), holds(world)), ([people[0]], []), "recipients and holds")
    last = [world.merganser.why(person)[0] for person in people]
    tap.equal([(row["verdict"], row["reason"]) for row in last],
              [("deliver", "ok: under every cap"),
               ("drop", "suppressed: unsubscribed (the run that was to release it died)")],
              "the last word on each")


@tap.case
def a_withdrawal_is_on_record_before_the_copy_is_deleted(world):
    """The second run dies, too, and the third one finds what that has settled."""
    people = two_people(world)
    hold(world, "twice dead", people)
    for settled, reason in ((["deliver", "deliver"], None), (["deliver", "drop"], "manual")):
        if reason:
            world.merganser.tool("suppress", "add", people[1], "--reason", reason)
        with world.programs(postsuper=KILL) as environment:
            release(world, "--all", code=-signal.SIGKILL, env=environment)
        tap.equal((n_held(world), sorted(row["settled"] for row in holds(world))), (2, settled),
                  "held copies and settlements")
    tap.equal(world.merganser.why(people[1])[0]["verdict"], "drop", "record")
    world.merganser.tool("suppress", "remove", people[1], "--yes")
    tap.contains(release(world), "1 released, 1 deleted", "the next run")
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
    people = new_people(world, 50)
    hold(world, "twice", people)
    runs = [subprocess.Popen(command(world, "--all"), stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
            for _ in range(3)]
    codes = [run.communicate() and run.returncode for run in runs]
    tap.true(set(codes) <= {0, 75} and 0 in codes, f"exit codes {codes}")
    release(world, "--all")
    world.postfix.wait_until_empty()
    tap.equal((delivered(world, 50), holds(world)), (people, []), "recipients and holds")


@tap.case
def a_run_that_is_killed_in_the_middle_is_finished_by_the_next(world):
    """Before Postfix knows, when it has done a half, and when it has done all."""
    people = new_people(world, 50)
    hold(world, "killed", people)
    # "-c", the folder, and two words for each copy
    half = "set -- $(echo $* | cut -d' ' -f1-52) hold\n"
    real = f"{shutil.which('postsuper')} \"$@\"\n"
    for script, n_left in ((KILL, 50), (half + real + KILL, 25), (real + KILL, 0)):
        with world.programs(postsuper=script) as environment:
            release(world, "--all", code=-signal.SIGKILL, env=environment)
        tap.equal((n_held(world), {row["settled"] for row in holds(world)}),
                  (n_left, {"deliver"}), "held copies and settlements")
    tap.contains(release(world), "0 released, 0 deleted, 0 stay, 50 were gone", "the next run")
    world.postfix.flush()
    world.postfix.wait_until_empty()
    tap.equal((delivered(world, 50), holds(world)), (people, []), "recipients and holds")


@tap.case
def a_run_that_is_killed_while_its_holds_end_is_finished_by_the_next(world):
    """Postfix has done all, half of it release and half deletion; then the store fails in the middle
    of the holds, too, and keeps all of them."""
    people = new_people(world, 20)
    hold(world, "ending", people)
    for person in people[:10]:
        world.merganser.tool("suppress", "add", person, "--reason", "manual")
    listing = f"{shutil.which('postqueue')} \"$@\"\n"
    again = f"[ -e {world.directory}/told ] && {KILL}\n"
    done = f"{shutil.which('postsuper')} \"$@\"\ntouch {world.directory}/told"
    with world.programs(postqueue=again + listing, postsuper=done) as environment:
        release(world, "--all", code=-signal.SIGKILL, env=environment)
    tap.equal((n_held(world), sorted(row["settled"] for row in holds(world))),
              (0, ["deliver"] * 10 + ["drop"] * 10), "held copies and settlements")
    change(world, "CREATE TRIGGER stuck BEFORE DELETE ON hold WHEN (SELECT count(*) FROM hold) < 8 "
                  "BEGIN SELECT RAISE(ABORT, 'the disk broke'); END")
    make_older(world, 3600)  # what was deleted counts as gone only then
    release(world, code=69)
    change(world, "DROP TRIGGER stuck")
    tap.equal(len(holds(world)), 20, "holds of which some could not end")
    tap.contains(release(world), "0 released, 0 deleted, 0 stay, 20 were gone", "the next run")
    world.postfix.wait_until_empty()
    tap.equal((delivered(world, 10), holds(world)), (people[10:], []), "recipients and holds")
    tap.equal({world.merganser.why(person)[0]["verdict"] for person in people[:10]}, {"drop"},
              "the record of who was suppressed")


@tap.case
def a_store_that_fails_in_the_middle_changes_nothing_of_the_outcome(world):
    """For one of three people it cannot settle, and then it cannot forget what is done."""
    people = new_people(world, 3)
    (row, *_) = hold(world, "middle", people)
    change(world, "CREATE TRIGGER broken BEFORE UPDATE OF settlement ON hold WHEN hex(NEW.key) = "
                  f"upper('{row['person']}') BEGIN SELECT RAISE(ABORT, 'the disk broke'); END")
    change(world, "CREATE TRIGGER stuck BEFORE DELETE ON hold "
                  "BEGIN SELECT RAISE(ABORT, 'the disk broke'); END")
    for _ in range(2):
        release(world, "--all", code=69)
    n_left = n_held(world)
    tap.true(n_left, "copies that were not judged are held")
    change(world, "DROP TRIGGER broken")
    change(world, "DROP TRIGGER stuck")
    tap.contains(release(world, "--all"), f"{n_left} released", "release")
    world.postfix.wait_until_empty()
    tap.equal((delivered(world, 3), holds(world)), (people, []), "recipients and holds")


@tap.case
def a_queue_of_any_length_is_read(world):
    """50,000 other messages that are held, some 15 MB to read."""
    people = two_people(world)
    hold(world, "long", [people[0]])
    entry = json.dumps({"queue_name": "hold", "queue_id": "4OTHER", "arrival_time": 1763989200,
                        "sender": "news@example.com", "recipients": [
                            {"address": "ann@example.com", "delay_reason": "x" * 150}]})
    script = f"yes '{entry}' | head -n 50000\nexec {shutil.which('postqueue')} \"$@\""
    with world.programs(postqueue=script) as environment:
        start = time.monotonic()
        text = release(world, "--all", env=environment)
        tap.note(f"with 50,000 other messages a run took {time.monotonic() - start:.2f} s")
    tap.contains(text, "1 released", "release")
    tap.contains(text, "50000 more messages are held here", "others")
    tap.equal(delivered(world, 1), [people[0]], "recipients")


@tap.case
def another_hosts_copies_are_its_own(world):
    people = two_people(world)
    hold(world, "host", people)
    change(world, "UPDATE hold SET host = 'other.example.com' WHERE queue_id = ?",
           holds(world)[0]["queue_id"])
    tap.contains(release(world, "--all"), "1 released, 0 deleted, 0 stay", "release")
    tap.equal((n_held(world), [row["host"] for row in holds(world)]), (1, ["other.example.com"]),
              "what is left")
    change(world, "DELETE FROM hold")
    postsuper(world, "-d", "ALL")


@tap.case
def who_left_the_list_gets_nothing_of_it(world):
    people = two_people(world)
    hold(world, "list", people, first=["X-Campaign-List: weekly"])
    for person, name in zip(people, ("daily", "weekly")):
        world.merganser.tool("suppress", "add", person, "--scope", f"list:{name}", "--reason",
                             "unsubscribed")
    tap.equal([row["list"] for row in holds(world)], ["weekly", "weekly"], "lists")
    tap.contains(release(world), "0 released, 1 deleted, 1 stay", "release")
    tap.contains(release(world, "--all"), "1 released, 0 deleted", "release of all")
    tap.equal(delivered(world, 1), [people[0]], "recipients")


@tap.case
def a_copy_held_for_a_households_cap_goes_when_that_passes(world):
    """The second of a household within the time; on its account, too, its entry is its own."""
    people = two_people(world)
    header = "X-Campaign-Class: home"
    world.send(campaign(number="first", first=[header]), [people[0]])
    delivered(world, 1)
    world.send(campaign(number="second", first=[header]), [people[1]])
    wait_for(lambda: n_held(world) == 1, 30, "a copy in the hold queue")
    tap.contains(world.merganser.why(people[1])[0]["reason"], "cap: home", "reason")
    wait_for(lambda: "1 released" in release(world), 10, "the end of the cap")
    tap.equal(delivered(world, 2), people, "recipients")


@tap.case
def what_would_happen_is_told_with_its_reasons(world):
    people = two_people(world)
    hold(world, "dry", people)
    world.merganser.tool("suppress", "add", people[0], "--reason", "manual")
    text = release(world, "--all", "--dry-run")
    tap.contains(text, "suppressed: manual", "reason of the one")
    tap.contains(text, "nothing is changed; it would be: 1 released, 1 deleted", "what would be")
    copies = json.loads(release(world, "--dry-run", "--json"))["copies"]
    tap.equal([(copy["fate"], copy["reason"]) for copy in copies],
              [("delete", "suppressed: manual")], "copies in JSON")
    text = world.merganser.tool("hold", "list").stdout
    tap.contains(text, "(in 59 min)", "when it is due")
    tap.contains(text, "2 held: 0 due, 2 later, 0 until somebody releases them", "counts")
    tap.contains(world.merganser.tool("hold", "list", "--due").stdout, "1 held", "those to look at")
    tap.contains(world.merganser.tool("hold", "list", "--campaign", "x").stdout, "nothing is held",
                 "those of no campaign")
    tap.contains(release(world, "--all"), "1 released, 1 deleted", "release")
    tap.equal((delivered(world, 1), n_held(world)), ([people[1]], 0), "recipients and holds")


class LostAnswer:
    """Stands between Postfix and its merging hop, and cuts the line once where the hop says that
    it has a message; a context manager."""

    def __init__(self, world):
        self.world = world
        self.checks = world.postfix.config / "header_checks"
        self.was = self.checks.read_text()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.n_cut = 0

    def __enter__(self):
        hop = f"127.0.0.1]:{self.world.ports['hop']}"
        self.checks.write_text(self.was.replace(
            hop, f"127.0.0.1]:{self.listener.getsockname()[1]}"))
        self.world.postfix.reload()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self.listener.close()
        self.checks.write_text(self.was)
        self.world.postfix.reload()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                hop = socket.create_connection(("127.0.0.1", self.world.ports["hop"]))
                for pair in ((client, hop, False), (hop, client, True)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source, target, is_answer):
        with contextlib.suppress(OSError), source, target:
            while data := source.recv(65536):
                if is_answer and b"queued as" in data and not self.n_cut:
                    self.n_cut += 1
                    for end in (source, target):
                        end.shutdown(socket.SHUT_RDWR)
                    return
                target.sendall(data)


@tap.case
def a_copy_that_comes_again_is_sent_once(world):
    """Postfix held it and its answer was lost, so that it sends it once more."""
    people = two_people(world)
    header = f"X-Campaign-Send-At: {later(3600)}"

    def has_come_again():
        world.postfix.flush()  # nothing happens until it is deferred
        return n_held(world) == 2

    with LostAnswer(world) as line:
        world.send(campaign(number="again", first=[header]), [people[0]])
        wait_for(lambda: line.n_cut == 1, 10, "an answer that is lost")
        wait_for(has_come_again, 10, "the second copy")
    tap.contains(release(world), "0 released, 1 deleted", "release of what is due")
    tap.equal((n_held(world), len(holds(world))), (1, 1), "held copies and holds")
    tap.contains(release(world, "--all"), "1 released, 0 deleted", "release of all")
    world.postfix.wait_until_empty()
    tap.equal((delivered(world, 1), holds(world)), ([people[0]], []), "recipients and holds")


def doctor(world, systemctl):
    with world.programs(systemctl=systemctl) as environment:
        result = subprocess.run(
            [world.merganser.build / "merganser", "-c", world.merganser.conf, "doctor", "--json",
             "--config-dir", world.postfix.config], capture_output=True, text=True, check=False,
            env=environment)
    tap.equal(owners(world), {world.merganser.directory.stat().st_uid}, "owners of files")
    return [(f["level"], f["what"], f["type"]) for f in json.loads(result.stdout)["findings"]]


@tap.case
def doctor_sees_what_the_timers_should_have_done(world):
    without, off, on = ("exit 1", "echo ActiveState=inactive\necho UnitFileState=disabled",
                        "echo ActiveState=active\necho UnitFileState=enabled")
    people = two_people(world)
    hold(world, "overdue", people)
    tap.equal((doctor(world, without), doctor(world, on)), ([], []), "findings")
    tap.equal([finding[2] for finding in doctor(world, off)],
              [f"systemctl enable --now merganser-{name}.timer" for name in ("release", "retain")],
              "what to type where timers are off")
    change(world, "UPDATE hold SET until = until - ?", 2 * 3600 * 1000000)
    for systemctl, remedy in ((without, "let root's cron run 'merganser release' every minute"),
                              (off, "systemctl enable --now merganser-release.timer"),
                              (on, "journalctl -u merganser-release")):
        level, what, typed = doctor(world, systemctl)[0]
        tap.contains(what, "held copies of this host are past due: 2, the first since", "finding")
        tap.equal((level, typed), ("error", remedy), "level and what to type")
    release(world, "--all")


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
    with world.programs(postqueue=f"ls {world.merganser.directory} >{listing}\n{KILL}") as environment:
        release(world, "--all", code=-signal.SIGKILL, env=environment)
    tap.contains(listing.read_text(), "merganser.db-wal", "files while it ran")
    tap.true((world.merganser.directory / "merganser.db-wal").exists(), "files are left")
    world.merganser.tool("suppress", "add", people[1], "--reason", "manual")
    world.merganser.start()
    tap.contains(release(world, "--all"), "1 released", "release")
    tap.equal(delivered(world, 1), [people[0]], "recipients")


# An account that every Debian has, and that nobody uses.
tap.main(lambda: mta_world(SETTINGS, user="games"))
