# SPDX-License-Identifier: Apache-2.0
"""A Postfix that knows nothing of Merganser joins by the tool's verb, and leaves by it."""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, ORDINARY, OUT, campaign  # noqa: E402
from tests.postfix import mta_world  # noqa: E402


def postconf(config, *arguments):
    return subprocess.run(["postconf", "-c", str(config), *arguments], check=True,
                          capture_output=True, text=True).stdout


def state(config):
    """What must come back byte for byte, and no file that stays."""
    names = sorted(path.name for path in config.iterdir())
    return (config / "main.cf").read_text().splitlines(), postconf(config, "-M"), names


def verb(world, *arguments, config=None, code=0, env=None):
    """Runs the verb as root, who alone may change a Postfix; the result has its output."""
    result = subprocess.run(
        [world.merganser.build / "merganser", "-c", world.merganser.conf, "mta", "postfix",
         "--config-dir", config or world.postfix.config, *map(str, arguments)],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env)
    tap.equal(result.returncode, code, f"exit of {arguments}: {result.stdout}{result.stderr}")
    return result


def split(world, *arguments, **options):
    return verb(world, "--split", "--submission", f"127.0.0.1:{world.ports['submission']}",
                "--port", world.ports["hop"], *arguments, **options)


def direct(world, *arguments, **options):
    return verb(world, "--direct", "--port", world.ports["direct"], *arguments, **options)


def leave(world, copy, *arguments, reload="exit 0", **options):
    """Removal from a copy, which no Postfix runs with: the script stands for postfix reload."""
    with world.programs(postfix=reload) as environment:
        return verb(world, *arguments, "--remove", "--reload", config=copy.config,
                    env=environment, **options)


def doctor(world, config=None, *arguments, systemctl="exit 1", **options):
    # The timers of the machine that the tests run on are not in question.
    with world.programs(systemctl=systemctl) as environment:
        result = world.merganser.tool(
            "doctor", "--json", "--config-dir", config or world.postfix.config, *arguments,
            check=False, env=environment, **options)
    tap.equal(result.stderr, "", "what doctor says to stderr")
    report = json.loads(result.stdout)
    tap.equal(result.returncode, 78 if report["errors"] else 0, "exit of doctor")
    return report


class Copy:
    """A copy of the configuration to try changes on."""

    def __init__(self, world):
        self.config = pathlib.Path(tempfile.mkdtemp(dir=world.directory)) / "config"
        shutil.copytree(world.postfix.config, self.config)
        self.config.parent.chmod(0o755)


def untouched(world, message, recipients):
    world.sink.clear()
    world.send_and_wait(message, recipients)
    (copy,) = world.sink.deliveries()
    tap.equal(copy.recipients, recipients, "recipients")
    return copy


@tap.case
def split_shape_comes_and_goes(world):
    before = state(world.postfix.config)
    dry = split(world, "--dry-run").stdout
    tap.contains(dry, "+ merganser_destination_recipient_limit = 1", "dry run")
    tap.equal(state(world.postfix.config), before, "configuration after a dry run")
    done = split(world, "--apply").stdout
    tap.contains(done, "reload", "what to do next")
    world.postfix.reload()
    world.postfix.wait_for_port("hop")

    after = state(world.postfix.config)
    tap.contains(split(world, "--apply").stdout, "nothing to do", "second run")
    tap.contains(verb(world, "--split", "--apply").stdout, "nothing to do", "third run")
    tap.equal(state(world.postfix.config), after, "configuration after a second run")
    tap.equal(doctor(world), {"findings": [], "errors": 0, "warnings": 0}, "doctor")

    world.sink.clear()
    world.send_and_wait(campaign(number="joined"), [ANN, BOB, OUT])
    copies = world.sink.by_recipient()
    tap.equal(sorted(copies), [ANN, BOB], "recipients")
    tap.contains(copies[ANN].text("plain"), "Hi Änn,", "text/plain")
    world.sink.clear()
    world.postfix.sendmail(campaign(number="piped").replace(b"\r\n", b"\n"),
                           "news@sandbox.test", [ANN, BOB])
    world.postfix.wait_until_empty()
    tap.equal(sorted(world.sink.by_recipient()), [ANN, BOB], "recipients of sendmail(1)")
    tap.contains(untouched(world, ORDINARY, [ANN, BOB]).data, b"{{lunch}}", "ordinary mail")

    verb(world, "--remove", "--reload")
    world.postfix.wait_for_port("hop", is_open=False)
    tap.equal(state(world.postfix.config), before, "configuration after --remove")
    tap.contains(verb(world, "--remove").stdout, "nothing to do", "second removal")
    copy = untouched(world, campaign(number="left"), [ANN, BOB])
    tap.contains(copy.data, b"{FirstName|there}", "campaign without Merganser")
    tap.contains(untouched(world, ORDINARY, [ANN, BOB]).data, b"{{lunch}}", "ordinary mail")


@tap.case
def direct_shape_comes_and_goes(world):
    before = state(world.postfix.config)
    direct(world, "--apply", "--reload")
    world.postfix.wait_for_port("direct")
    after = state(world.postfix.config)
    tap.contains(verb(world, "--direct", "--apply").stdout, "nothing to do", "second run")
    tap.equal(state(world.postfix.config), after, "configuration after a second run")
    tap.equal(doctor(world)["errors"], 0, "errors of doctor")
    world.sink.clear()
    world.send_and_wait(campaign(number="direct"), [ANN], port="direct")
    tap.contains(world.sink.by_recipient()[ANN].text("plain"), "Hi Änn,", "text/plain")
    verb(world, "--direct", "--remove", "--reload")
    world.postfix.wait_for_port("direct", is_open=False)
    tap.equal(state(world.postfix.config), before, "configuration after --remove")


@tap.case
def shapes_share_what_both_need(world):
    copy = Copy(world)
    before = state(copy.config)
    split(world, "--apply", config=copy.config)
    alone = postconf(copy.config, "-n"), postconf(copy.config, "-M")
    direct(world, "--apply", config=copy.config)
    leave(world, copy, "--direct")
    tap.equal((postconf(copy.config, "-n"), postconf(copy.config, "-M")), alone, "split alone")
    direct(world, "--apply", config=copy.config)
    leave(world, copy, "--split")
    tap.contains(postconf(copy.config, "-n"), "merganser_milter = unix:", "main.cf")
    leave(world, copy)
    tap.equal(state(copy.config), before, "configuration after both left")


@tap.case
def what_was_there_is_kept_and_comes_back(world):
    """A signer goes behind us, own header checks go on, and awkward values return."""
    copy = Copy(world)
    door = f"127.0.0.1:{world.ports['submission']}/inet"
    postconf(copy.config, "-e", "smtpd_milters=inet:127.0.0.1:8891, { inet:127.0.0.1:11332, "
             "default_action=accept }", "header_checks=regexp:/etc/own, pcre:/etc/other",
             "milter_default_action=accept")
    line = postconf(copy.config, "-M", door).strip()
    postconf(copy.config, "-M", "-e",
             f"{door}={line} -v -o {{milter_macro_daemon_name=one two}} "
             "-o milter_default_action=accept")
    before = state(copy.config)
    said = split(world, "--apply", config=copy.config).stdout
    tap.contains(said, "note: ", "daemon name that is replaced")
    tap.contains(split(world, "--apply", config=copy.config).stdout, "nothing to do", "again")
    options = postconf(copy.config, "-P")
    milters = "$merganser_milter,inet:127.0.0.1:8891,{ inet:127.0.0.1:11332, default_action=accept }"
    for service in (door, f"127.0.0.1:{world.ports['hop']}/inet"):
        tap.contains(options.replace("{inet", "{ inet").replace("accept}", "accept }"),
                     f"{service}/smtpd_milters = {milters}", "milters")
        tap.contains(options, f"{service}/milter_default_action = tempfail", "default action")
    own = "regexp:/etc/own, pcre:/etc/other"
    checks = copy.config / "merganser_header_checks"
    tap.contains(options, f"campaign-cleanup/unix/header_checks = regexp:{checks},{own}", "checks")
    tap.contains(options, f"campaign-cleanup/unix/mime_header_checks = {own}", "checks")
    leave(world, copy)
    tap.equal(state(copy.config), before, "configuration after --remove")


@tap.case
def later_changes_by_others_survive_removal(world):
    copy = Copy(world)
    split(world, "--apply", config=copy.config)
    door = f"127.0.0.1:{world.ports['submission']}/inet"
    postconf(copy.config, "-P", f"{door}/milter_command_timeout=5s",
             f"{door}/smtpd_milters=$merganser_milter,inet:127.0.0.1:8891")
    said = leave(world, copy).stdout
    tap.contains(said, "milter_command_timeout was changed since", "note")
    options = postconf(copy.config, "-P")
    tap.contains(options, "milter_command_timeout = 5s", "changed by others")
    tap.contains(options, "smtpd_milters = inet:127.0.0.1:8891", "added by others")
    for word in ("merganser_milter", "campaign-c", "merganser_header_checks"):
        tap.lacks(postconf(copy.config, "-n") + options, word, "configuration")


NEEDED = "merganser_header_checks merganser_milter merganser_destination_recipient_limit".split()


def needed(config):
    """What the services of a Postfix that has not reloaded still name."""
    there = [path.name for path in config.iterdir()] + (config / "main.cf").read_text().split()
    return [name for name in NEEDED if name in there]


@tap.case
def a_running_postfix_keeps_what_it_needs_until_it_reloads(world):
    config = world.postfix.config
    before = state(config)
    split(world, "--apply", "--reload")
    world.postfix.wait_for_port("hop")
    said = verb(world, "--remove").stdout
    tap.contains(said, f"postfix -c {config} reload", "what to type")
    tap.equal(needed(config), NEEDED, "what stays")
    tap.equal([name for name in NEEDED if f"note: {name}" in said.replace(f"{config}/", "")],
              NEEDED, "notes")
    tap.lacks(postconf(config, "-M"), "campaign", "services")
    world.sink.clear()
    world.send_and_wait(campaign(number="between"), [ANN, BOB])
    tap.equal(sorted(world.sink.by_recipient()), [ANN, BOB], "recipients before the reload")
    tap.contains(world.sink.by_recipient()[ANN].text("plain"), "Hi Änn,", "text/plain")
    world.postfix.reload()
    world.postfix.wait_for_port("hop", is_open=False)
    tap.lacks(verb(world, "--remove").stdout, "reload", "second removal")
    tap.equal(state(config), before, "configuration after the second removal")


@tap.case
def removal_reloads_before_it_takes_away_what_is_needed(world):
    copy = Copy(world)
    before = state(copy.config)
    split(world, "--apply", config=copy.config)
    seen = copy.config.parent / "seen"
    look = f"ls {copy.config} >{seen}; cat {copy.config}/main.cf {copy.config}/master.cf >>{seen}"
    said = leave(world, copy, reload=f"{look}; exit 1", code=78)
    tap.contains(said.stdout, "type mta postfix --remove again", "next step of a failed reload")
    tap.equal(needed(copy.config), NEEDED, "what stays when Postfix does not reload")
    leave(world, copy, reload=look)
    for name in NEEDED:
        tap.contains(seen.read_text(), name, "configuration at the time of the reload")
    tap.lacks(seen.read_text(), "campaign-cleanup", "services at the time of the reload")
    tap.equal(state(copy.config), before, "configuration after --remove")


@tap.case
def conflicts_are_refused_with_the_next_step(world):
    copy = Copy(world)
    before = state(copy.config)
    door = f"127.0.0.1:{world.ports['submission']}/inet"
    hop = f"127.0.0.1:{world.ports['hop']}"
    for edit, words in (
            ([f"{hop}/inet={hop} inet n - n - - smtpd"], "--port 10027"),
            ([f"{door}={door.split('/')[0]} inet n - n - - smtpd -o cleanup_service_name=own"],
             "postconf -c"),
            ([f"{door}={door.split('/')[0]} inet n - y - - smtpd"], "is chrooted in"),
    ):
        other = Copy(world)
        postconf(other.config, "-M", "-e", *edit)
        changed = state(other.config)
        tap.contains(split(world, "--apply", config=other.config, code=78).stderr, words, "error")
        tap.equal(state(other.config), changed, "configuration after an error")
    said = verb(world, "--split", "--submission", "nosuch", "--apply", config=copy.config, code=78)
    tap.contains(said.stderr, "there is no smtpd service nosuch", "error")
    verb(world, "--split", "--apply", config=copy.config / "nosuch", code=78)
    verb(world, "--split", "--direct", "--apply", code=64)
    verb(world, "--apply", code=64)
    tap.equal(state(copy.config), before, "configuration")
    said = subprocess.run(
        [world.merganser.build / "merganser", "-c", world.merganser.conf, "mta", "postfix",
         "--split", "--apply", "--config-dir", copy.config],
        capture_output=True, text=True, user="nobody", group="nogroup", extra_groups=[])
    tap.equal(said.returncode, 77, "exit for nobody")
    tap.contains(said.stderr, "run this as root", "error for nobody")


@tap.case
def a_setting_that_nothing_refers_to_is_somebodys(world):
    """postconf -n does not show it.  One that is as we need it is kept, by removal too."""
    limit = "merganser_destination_recipient_limit"
    for value, spelt in (("50", f"{limit}=50\n"), ("1 2", f"{limit} =\n# why\n  1\n  2\n")):
        copy = Copy(world)
        main = copy.config / "main.cf"
        main.write_text(main.read_text() + spelt)
        tap.lacks(postconf(copy.config, "-n"), limit, "what postconf shows")
        before = state(copy.config)
        said = split(world, "--apply", config=copy.config, code=78).stderr
        tap.contains(said, f"{limit} = {value} of its own", "error")
        tap.contains(said, f"postconf -c {copy.config} -X {limit}", "next step")
        tap.equal(state(copy.config), before, "configuration after an error")
        postconf(copy.config, "-X", limit)
        split(world, "--apply", config=copy.config)
        leave(world, copy)
        tap.lacks(main.read_text(), limit, "main.cf")
    copy = Copy(world)
    postconf(copy.config, "-e", f"{limit}=1", f"merganser_milter=unix:{world.merganser.socket}")
    before = state(copy.config)
    split(world, "--apply", config=copy.config)
    leave(world, copy)
    tap.equal(state(copy.config), before, "configuration after --remove")
    split(world, "--apply", config=copy.config)
    postconf(copy.config, "-e", f"{limit}=7")
    split(world, "--apply", config=copy.config, code=78)
    copy = Copy(world)
    split(world, "--apply", config=copy.config)
    postconf(copy.config, "-e", f"{limit}=7")
    split(world, "--apply", config=copy.config)
    tap.contains(postconf(copy.config, "-n"), f"{limit} = 1", "our own, mended")


def joined(world):
    copy = Copy(world)
    split(world, "--apply", config=copy.config)
    tap.equal(doctor(world, copy.config)["errors"], 0, "errors before anything is broken")
    return copy


def breakages(world):
    """(postconf's arguments, level, words of the finding)"""
    door = f"127.0.0.1:{world.ports['submission']}/inet"
    outside = f"127.0.0.1:{world.ports['outside']}/inet"
    hop = f"127.0.0.1:{world.ports['hop']}/inet"
    first = "smtpd_milters=inet:127.0.0.1:8891,$merganser_milter"
    return (
        (["-e", "merganser_destination_recipient_limit=50"], "error", "recipient_limit = 50"),
        (["-X", "merganser_destination_recipient_limit"], "error", "several recipients"),
        (["-e", "merganser_milter=unix:elsewhere"], "error", "does not reach the milter"),
        (["-P", f"{hop}/smtpd_milters="], "error", "smtpd_milters = nothing"),
        (["-P", f"{hop}/{first}"], "error", "127.0.0.1:8891 before Merganser"),
        (["-P", f"{door}/{first}"], "error", "127.0.0.1:8891 before Merganser"),
        (["-P", f"{hop}/smtpd_milters=inet:127.0.0.1:99,$merganser_milter"], "warning",
         "127.0.0.1:99 before Merganser"),
        (["-P", f"{hop}/milter_default_action=accept"], "error", "templates leave"),
        (["-P", f"{door}/milter_default_action=accept"], "error", "templates leave"),
        (["-P", f"{hop}/milter_default_action=quarantine"], "warning", "does not wait"),
        (["-P", f"{hop}/milter_macro_daemon_name=other"], "error", "milter_macro_daemon_name"),
        (["-P", f"{door}/milter_macro_daemon_name=other"], "error", "milter_macro_daemon_name"),
        (["-PX", f"{door}/cleanup_service_name"], "error", "are not split"),
        (["-PX", "pickup/unix/cleanup_service_name"], "warning", "pickup/unix are not split"),
        (["-PX", "campaign-cleanup/unix/header_checks"], "error", "are not split"),
        (["-PX", "campaign-cleanup/unix/mime_header_checks"], "warning", "attached"),
        (["-P", f"{outside}/cleanup_service_name=campaign-cleanup"], "error", "strangers' mail"),
        (["-e", "header_checks=regexp:{config}/merganser_header_checks"], "error",
         "strangers' mail"),
        (["-M", "-e", "smtp/inet=smtp inet n - n - - smtpd -o smtpd_milters=$merganser_milter "
          "-o milter_macro_daemon_name=merganser"], "warning", "whoever delivers mail there"),
        (["-M", "-e", "smtpd/pass=smtpd pass - - n - - smtpd -o smtpd_milters=$merganser_milter "
          "-o milter_macro_daemon_name=campaign-check"], "warning", "whoever delivers mail there"),
        (["-M", "-e", "smtp/inet=smtp inet n - n - - smtpd "
          "-o cleanup_service_name=campaign-cleanup"], "error", "strangers' mail"),
        (["-PX", f"{hop}/receive_override_options"], "error", "no_header_body_checks"),
        (["-P", f"{hop}/receive_override_options=no_header_body_checks"], "warning", "aliases"),
        (["-P", f"{hop}/content_filter=smtp:127.0.0.1:9"], "error", "content_filter"),
        (["-F", f"{hop}/chroot=y"], "error", "is chrooted in"),
        (["-MX", hop], "error", "where no smtpd of master.cf listens"),
        (["-MX", "merganser/unix"], "error", "which master.cf lacks"),
    )


@tap.case
def doctor_names_each_setting_that_is_broken(world):
    copy = joined(world)
    files = {name: (copy.config / name).read_text() for name in ("main.cf", "master.cf")}
    for arguments, level, words in breakages(world):
        postconf(copy.config, *(a.replace("{config}", str(copy.config)) for a in arguments))
        found = [f for f in doctor(world, copy.config)["findings"]
                 if f["level"] == level and words in f["what"]]
        tap.true(found, f"doctor does not say '{words}' after postconf {arguments}: "
                        f"{doctor(world, copy.config)}")
        tap.true(found[0]["type"], f"no remedy for {words}")
        if arguments[0] not in ("-F", "-e") or "milter" in arguments[1]:
            split(world, "--apply", config=copy.config)
        for name, text in files.items():
            (copy.config / name).write_text(text)
    (copy.config / "merganser_header_checks").unlink()
    tap.contains(str(doctor(world, copy.config)), "cannot be read", "missing table")


@tap.case
def doctor_sees_socket_and_files(world):
    copy = joined(world)
    socket = world.merganser.socket
    mode = socket.stat().st_mode & 0o777
    socket.chmod(0o600)
    tap.contains(str(doctor(world, copy.config)["findings"]), "may not connect", "closed socket")
    socket.chmod(mode)
    world.merganser.directory.chmod(0o700)
    tap.contains(str(doctor(world, copy.config)["findings"]), "may not pass", "closed folder")
    world.merganser.directory.chmod(0o755)
    moved = world.merganser.keys.with_suffix(".away")
    world.merganser.keys.rename(moved)
    tap.contains(str(doctor(world, copy.config)["findings"]), "keys", "missing key ring")
    moved.rename(world.merganser.keys)
    world.merganser.stop_well()
    tap.contains(str(doctor(world, copy.config)["findings"]), "nobody listens", "no daemon")
    world.merganser.start()
    report = doctor(world, copy.config, "--verbose")
    tap.equal(report["errors"], 0, "errors at the end")
    tap.contains(str(report), "the daemon listens", "what is right")


def changed_conf(world, name, *changes):
    text = world.merganser.conf.read_text()
    for old, new in changes:
        tap.contains(text, old, "merganser.conf")
        text = text.replace(old, new)
    conf = world.merganser.directory / name
    conf.write_text(text)
    world.merganser.own(conf)
    return conf


@tap.case
def doctor_compares_process_limit_and_pool(world):
    """The transport carries 20 messages at a time to the hop."""
    copy = joined(world)
    hop = f"127.0.0.1:{world.ports['hop']}/inet"
    for pool, limit, is_said in ((2, "20", True), (5, "20", False), (5, "-", True)):
        conf = changed_conf(
            world, "pool.conf", ("plugin = sqlite", "plugin = pgsql"),
            ("[plugin sqlite]", f"[plugin pgsql]\nconninfo = host=/nowhere\npool = {pool}\n"
                                "[plugin sqlite]"))
        postconf(copy.config, "-F", f"merganser/unix/process_limit={limit}")
        found = [f for f in doctor(world, copy.config, conf=conf)["findings"]
                 if f"share {pool} connections" in f["what"]]
        tap.equal([f["level"] for f in found], ["warning"] * is_said, f"pool {pool}, limit {limit}")
        if is_said:
            tap.contains(found[0]["what"], hop, "service")
            tap.contains(found[0]["type"], "say pool = ", "what to type")


@tap.case
def doctor_sees_what_late_answers_ask_for(world):
    """One recipient where campaigns are merged, and no door on the same socket."""
    copy = joined(world)
    hop = f"127.0.0.1:{world.ports['hop']}/inet"
    conf = changed_conf(world, "late.conf", ("[milter]\n", "[milter]\nanswers = late\n"))

    def found(word):
        return [f["level"] for f in doctor(world, copy.config, conf=conf)["findings"]
                if word in f["what"]]
    tap.equal(found("the bodies of all its mail"), ["warning"], "the door")
    tap.equal(found("smtpd_recipient_limit"), [], "as the shape has it")
    postconf(copy.config, "-PX", f"{hop}/smtpd_recipient_limit")
    tap.equal(found(f"{hop} has smtpd_recipient_limit = 1000"), ["error"], "without the limit")


@tap.case
def doctor_looks_for_the_loader_where_there_is_a_journal(world):
    copy = joined(world)
    journal = world.merganser.directory / "doctor-journal"
    conf = changed_conf(world, "loader.conf",
                        ("[stamp]", f"[collector]\njournal = {journal}\n[stamp]"))
    off, on = ("echo ActiveState=inactive\necho UnitFileState=disabled",
               "echo ActiveState=active\necho UnitFileState=enabled")

    def found(systemctl):
        return [(f["level"], f["type"]) for f in
                doctor(world, copy.config, conf=conf, systemctl=systemctl)["findings"]
                if "merganser-loader" in f["what"]]

    tap.equal(found(off), [], "findings without a journal")
    journal.mkdir()
    world.merganser.own(journal)
    tap.equal(found(off), [("warning", "systemctl enable --now merganser-loader")], "findings")
    tap.equal((found(on), found("exit 1")), ([], []), "findings where it runs, or no systemd")


@tap.case
def doctor_warns_of_tcp(world):
    copy = joined(world)
    conf = world.merganser.directory / "tcp.conf"
    conf.write_text(world.merganser.conf.read_text().replace(
        f"unix:{world.merganser.socket}", f"inet:{world.ports['direct']}@127.0.0.1"))
    world.merganser.own(conf)
    said = world.merganser.tool("doctor", "--config-dir", copy.config, conf=conf, check=False)
    tap.equal(said.returncode, 78, "exit")
    tap.contains(said.stdout, "warning: socket = inet:", "finding")
    tap.contains(said.stdout, "40 ms", "finding")
    tap.contains(said.stdout, "nobody listens", "finding")


@tap.case
def doctor_on_a_host_without_postfix_says_what_it_does_not_see(world):
    """As on one with Sendmail alone; what it can examine is examined."""
    hide = 'mount --bind /dev/null "$(command -v postconf)" && exec "$@"'
    said = subprocess.run(
        ["unshare", "--mount", "sh", "-c", hide, "sh", world.merganser.build / "merganser", "-c",
         world.merganser.conf, "doctor"], capture_output=True, text=True)
    if "unshare" in said.stderr or "mount:" in said.stderr:
        raise tap.Skip(said.stderr.strip())
    tap.contains(said.stdout, "warning: there is no Postfix on this machine", "finding")
    tap.contains(said.stdout, "/sendmail/split.mc", "finding")
    tap.equal((said.returncode, "error:" in said.stdout), (0, False), f"exit: {said.stdout}")


@tap.case
def settings_are_printed_with_their_reasons(world):
    said = verb(world, "--split").stdout
    for part in (f"merganser_milter = unix:{world.merganser.socket}", "# The door.",
                 f"regexp:{world.postfix.config}/merganser_header_checks", "/^X-Campaign:/"):
        tap.contains(said, part, "settings")


tap.main(lambda: mta_world(NO_CAP, is_joined=False))
