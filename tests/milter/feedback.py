# SPDX-License-Identifier: Apache-2.0
"""What comes back: complaints, delivery reports and the mail log, and what follows from them."""

import concurrent.futures
import contextlib
import email
import json
import pathlib
import re
import shutil
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.pgsql import Pgsql  # noqa: E402
from sandbox.postfix import SandboxError, new_directory  # noqa: E402
from tests import tap  # noqa: E402
from tests.bench import Bench  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, campaign  # noqa: E402

CORPUS = pathlib.Path(__file__).resolve().parents[1] / "fuzz/corpus/report"


def token_of(copy):
    """That of the one-click link, which every copy has."""
    header = str(email.message_from_bytes(copy)["List-Unsubscribe"])
    return re.search(r"/u/([\w-]{87})", header)[1]


def report(kind, copy, **changes):
    text = (CORPUS / kind).read_text().replace("%UNS%", token_of(copy) if copy else "x" * 87)
    for old, new in changes.items():
        text = text.replace({"status": "5.1.1", "type": "abuse", "ann": ANN}[old], new)
    return text


def feed(bench, text, *arguments):
    return json.loads(bench.merganser.tool("feedback", "--json", *arguments, input=text).stdout)


def maildir(bench, mails):
    folder = pathlib.Path(bench.merganser.directory) / "maildir"
    for name in ("new", "cur", "tmp"):
        (folder / name).mkdir(parents=True)
    for name, text in mails.items():
        (folder / "new" / name).write_text(text)
    bench.merganser.own(folder)
    return folder


def reasons(bench, address):
    rows = json.loads(bench.merganser.tool("suppress", "list", "--json", address).stdout)
    return sorted(row["reason"] for row in rows)


def states(bench):
    with sqlite3.connect(bench.merganser.database) as database:
        return database.execute("SELECT state, code FROM delivery ORDER BY state, code").fetchall()


@tap.case
def who_complains_is_suppressed():
    with Bench(NO_CAP) as bench:
        copy = bench.merged(campaign(number="complaint"))
        tap.equal(feed(bench, report("arf", copy))["suppressed"], 1, "suppressed")
        tap.equal(reasons(bench, ANN), ["complained"], "reasons")
        tap.equal(states(bench), [(4, "")], "deliveries")
        row = bench.merganser.tool("cap", "report", "--json").stdout
        tap.contains(row, "complain", "the report of complaints")


def complaints(bench, address):
    told = json.loads(bench.merganser.tool("profile", "export", address).stdout)
    return told["engagement"]["complaints"]


@tap.case
def a_complaint_of_a_copy_counts_once():
    with Bench(NO_CAP) as bench:
        first, second = [bench.merged(campaign(number=f"again-{n}")) for n in range(2)]
        for n in range(3):
            told = feed(bench, report("arf", first))
            tap.equal((told["suppressed"], told["repeated"]), (1, min(n, 1)), f"time {n}")
        tap.equal(feed(bench, report("arf", first, type="opt-out"))["repeated"], 0, "opt-out")
        tap.equal(feed(bench, report("arf", first))["repeated"], 1, "behind an opt-out")
        tap.equal((len(complaints(bench, ANN)), states(bench)), (1, [(4, "")]), "one copy")
        tap.equal(feed(bench, report("arf", second))["repeated"], 0, "of another copy")
        tap.equal(len(complaints(bench, ANN)), 2, "complaints")


@tap.case
def an_opt_out_hides_no_complaint():
    with Bench(NO_CAP) as bench:
        copy = bench.merged(campaign(number="hidden"))
        for n, kind in enumerate(("opt-out", "opt-out", "abuse", "abuse")):
            told = feed(bench, report("arf", copy, type=kind))
            tap.equal(told["repeated"], int(n == 3), f"{n}: {kind}")
        tap.equal(len(complaints(bench, ANN)), 1, "complaints")
        tap.equal(reasons(bench, ANN), ["complained", "unsubscribed"], "reasons")


def complain_at_once(bench):
    copies = [bench.merged(campaign(number=f"at-once-{n}")) for n in range(4)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda n: feed(bench, report("arf", copies[n // 4])), range(16)))
    tap.equal(sum(one["repeated"] for one in told), 12, "repeated")
    tap.equal(len(complaints(bench, ANN)), 4, "complaints")


@tap.case
def complaints_at_once_count_once():
    with Bench(NO_CAP) as bench:
        complain_at_once(bench)


@tap.case
def complaints_at_once_count_once_on_postgresql():
    directory = new_directory()
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        try:
            server = stack.enter_context(Pgsql(directory / "pgsql"))
        except SandboxError as reason:
            raise tap.Skip(reason) from reason
        settings = {"store": {"plugin": "pgsql"}, "plugin sqlite": None,
                    "plugin pgsql": {"conninfo": server.conninfo}}
        complain_at_once(stack.enter_context(Bench({**NO_CAP, **settings})))


@tap.case
def a_store_in_memory_counts_a_complaint_once():
    """It lasts for one run of the tool, and so does the maildir."""
    with Bench(NO_CAP) as bench:
        first, second = [bench.merged(campaign(number=f"memory-{n}")) for n in range(2)]
        conf = pathlib.Path(bench.merganser.directory) / "memory.conf"
        text = pathlib.Path(bench.merganser.conf).read_text()
        conf.write_text(re.sub(r"(?m)^plugin = sqlite$", "plugin = memory",
                               re.sub(r"(?ms)^\[plugin sqlite\].*?(?=^\[|\Z)", "", text)))
        folder = maildir(bench, {"1.mx": report("arf", first), "2.mx": report("arf", first),
                                 "3.mx": report("arf", second)})
        bench.merganser.own(conf)
        told = json.loads(bench.merganser.tool("feedback", "--json", "--maildir", folder,
                                               conf=conf).stdout)
        tap.equal((told["reports"], told["repeated"]), (3, 1), "reports and repeated")
        tap.equal(complaints(bench, ANN), [], "complaints in the other store")


@tap.case
def who_wants_to_be_left_out_is():
    with Bench(NO_CAP) as bench:
        copy = bench.merged(campaign(number="opt-out"))
        tap.equal(feed(bench, report("arf", copy, type="Opt-Out (list)"))["suppressed"], 1, "one")
        tap.equal(reasons(bench, ANN), ["unsubscribed"], "reasons")


@tap.case
def a_complaint_taken_back_or_of_nobody_changes_nothing():
    with Bench(NO_CAP) as bench:
        copy = bench.merged(campaign(number="taken-back"))
        for kind in ("not-spam", "fraud", "virus", "other", "auth-failure", "new", ""):
            tap.equal(feed(bench, report("arf", copy, type=kind))["suppressed"], 0, kind)
        tap.equal(feed(bench, report("arf", None))["unresolved"], 1, "without a token")
        forged = token_of(copy)[:-1] + ("A" if token_of(copy)[-1] != "A" else "B")
        text = report("arf", copy).replace(token_of(copy), forged)
        tap.equal(feed(bench, text)["unresolved"], 1, "forged token")
        tap.equal(feed(bench, (CORPUS / "mail").read_text())["others"], 1, "another mail")
        tap.equal(reasons(bench, ANN), [], "reasons")
        tap.equal(states(bench), [], "deliveries")


@tap.case
def two_copies_that_bounce_suppress():
    with Bench(NO_CAP) as bench:
        copies = [bench.merged(campaign(number=f"bounce-{n}")) for n in range(2)]
        for _ in range(2):  # told twice, it is one
            tap.equal(feed(bench, report("dsn", copies[0]))["suppressed"], 0, "first")
        tap.equal(feed(bench, report("dsn", copies[1], status="5.2.2"))["suppressed"], 0, "full")
        tap.equal(feed(bench, report("dsn", copies[1]))["suppressed"], 1, "second")
        tap.equal(reasons(bench, ANN), ["bounced"], "reasons")
        tap.equal(states(bench), [(2, "5.2.2"), (3, "5.1.1"), (3, "5.1.1")], "deliveries")


@tap.case
def addresses_count_only_where_the_admin_says_so():
    with Bench({**NO_CAP, "feedback": {"addresses": "yes", "bounces": "1"}}) as bench:
        bench.merganser.import_profiles(json.dumps({"address": "ann@example.com"}))
        tap.equal(feed(bench, report("dsn", None))["suppressed"], 1, "by the address")
        tap.equal(reasons(bench, "ann@example.com"), ["bounced"], "reasons")
        complaint = report("arf", None).replace("ann@", "carl@")
        tap.equal(feed(bench, complaint)["suppressed"], 1, "by the address in a complaint")
        tap.equal(reasons(bench, "carl@example.com"), ["complained"], "reasons")
        verp = report("dsn", None).replace("rfc822; ann@example.com", "rfc822;").replace(
            "rfc822;ann@example.com", "rfc822;")
        bob = BOB.replace("@", "=")
        tap.equal(feed(bench, verp, "--recipient", f"back+{bob}@news.example.com")["suppressed"],
                  1, "by VERP")
        tap.equal(reasons(bench, BOB), ["bounced"], "reasons")


@tap.case
def a_maildir_is_read_once():
    with Bench(NO_CAP) as bench:
        folder = maildir(bench, {"1.mx": report("arf", bench.merged(campaign(number="dir")))})
        for n in (1, 0):
            told = json.loads(bench.merganser.tool("feedback", "--json", "--maildir",
                                                   folder).stdout)
            tap.equal(told["reports"], n, "reports")
        tap.true((folder / "cur/1.mx:2,S").exists(), "the mail is not in cur")


@tap.case
def the_mail_log_says_what_became_of_copies():
    with Bench(NO_CAP) as bench:
        bench.merged(campaign(number="log"))
        ours = next(line for line in bench.merganser.log_text().splitlines() if "copy=" in line)
        queue_id = re.search(r"(\w+): verdict=", ours)[1]
        key = re.search(r"copy=(\w{32})", ours)[1]
        when = "2026-11-27T02:15:31+00:00 mx "
        agent = f"{when}postfix/smtp[8]: {queue_id}: to=<{ANN}>, relay=x, "
        log = pathlib.Path(bench.merganser.directory) / "mail.log"
        log.write_text(
            f"{when}merganser-milter[7]: {ours[ours.index(queue_id):]}\n"
            f"{agent}dsn=4.2.0, status=deferred (try later)\n"
            f"{agent}dsn=2.0.0, status=sent (250 ok)\n"
            f"{when}postfix/smtp[8]: 4OTHER: to=<x@example.com>, dsn=2.0.0, status=sent (250)\n")
        bench.merganser.own(log)
        for _ in range(2):
            told = json.loads(bench.merganser.tool("maillog", "--json", log).stdout)
            tap.equal(told, {"copies": 1, "deliveries": 2, "others": 1}, "told")
        tap.equal(states(bench), [(0, "2.0.0"), (1, "4.2.0")], "deliveries")
        rows = bench.merganser.tool("profile", "export", ANN).stdout
        tap.contains(rows, "4.2.0", "what is held on her")
        stats = json.loads(bench.merganser.tool("stats", "spring", "--json").stdout)
        tap.equal((stats["sent"], stats["delivered"], stats["deferred"]), (1, 1, 1), "stats")
        tap.equal(stats["opens"]["of"], 1, f"copies with a pixel, of {key}")


@tap.case
def errors_say_what_to_do():
    with Bench(NO_CAP) as bench:
        for arguments, code, text in (
                (("feedback", "--maildir", "/nonexistent"), None, "nonexistent"),
                (("maillog", "--follow", "-"), 64, "--follow needs a file"),
                (("maillog", "/nonexistent"), None, "nonexistent"),
                (("stats", "nosuch"), 65, "no copy of campaign")):
            result = bench.merganser.tool(*arguments, check=False, input="")
            tap.true(result.returncode != 0, f"{arguments}: exit")
            if code:
                tap.equal(result.returncode, code, f"{arguments}: exit")
            tap.contains(result.stderr, text, f"{arguments}: stderr")


tap.main()
