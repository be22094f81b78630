# SPDX-License-Identifier: Apache-2.0
"""People through the tool: faults of imports, export and erasure, consents, suppressions, caps,
the register of processing."""

import contextlib
import datetime
import json
import os
import pathlib
import pty
import re
import sqlite3
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.bench import Bench, refused  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, OUT, campaign  # noqa: E402

USAGE, DATA, UNAVAILABLE = 64, 65, 69
CAPS = {"cap daily": {"limit": "2", "per": "24h"}}


def run(bench, *words, given=""):
    """As on a command line without a terminal: exit code, stdout, stderr."""
    data = given if isinstance(given, bytes) else given.encode()
    result = subprocess.run(
        [bench.merganser.build / "merganser", "-c", bench.merganser.conf, *map(str, words)],
        input=data, capture_output=True, timeout=60, check=False)
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def does(bench, *words, given=""):
    """What a verb prints that must not fail."""
    code, out, err = run(bench, *words, given=given)
    tap.equal(code, 0, f"exit code of {words[:2]} ({err})")
    return out


def tells(bench, *words, given=""):
    return json.loads(does(bench, *words, "--json", given=given))


def imports(bench, *people):
    given = "".join(json.dumps(person) + "\n" for person in people)
    return tells(bench, "profile", "import", "--format", "jsonl", "-", given=given)


def next_copy(bench, address, *words):
    return tells(bench, "cap", "status", address, *words)["next"]


def key_of(bench, address):
    return tells(bench, "profile", "export", address)["key"]


def dump(bench):
    """The whole database as bytes: no SQL stands between a row and the search."""
    with contextlib.closing(sqlite3.connect(bench.merganser.database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return bench.merganser.database.read_bytes()


# ---- import -------------------------------------------------------------------------------


@tap.case
def every_fault_is_told_with_its_line(bench):
    text = ("address,first_name,user_points\n"
            "good@fault.test,SECRET,1\n"
            "type@fault.test,SECRET,SECRET\n"
            'quote@fault.test,"SECRET,1\n'
            "GOOD@fault.test,SECRET,2\n"
            'quote2@fault.test,SEC"RET,1\n'
            "cells@fault.test,SECRET\n").encode() + b"utf@fault.test,\xff,1\n" + b"bad,x,1\n"
    code, _, err = run(bench, "profile", "import", "--format", "csv", "-", given=text)
    tap.equal(code, DATA, "exit code")
    tap.lacks(err, "SECRET", "faults")
    for line, word in ((3, "number"), (4, "quoting"), (5, "line 2 already"), (6, "quoting"),
                       (7, "2 cells"), (8, "UTF-8"), (9, "malformed")):
        fault = [row for row in err.splitlines() if f"stdin:{line}:1: " in row]
        tap.equal(len(fault), 1, f"faults of line {line} in {err}")
        tap.contains(fault[0], word, f"fault of line {line}")
    tap.contains(err, "faults: 7, rows: 8", "summary")
    tap.equal(run(bench, "profile", "get", "good@fault.test")[0], DATA, "a row of it is taken")


@tap.case
def many_faults_are_counted(bench):
    text = "address\n" + "nobody\n" * 1000
    code, out, err = run(bench, "profile", "import", "--format", "csv", "-", "--json", given=text)
    result = json.loads(out)
    tap.equal((code, result["n_faults"], result["rows"], result["imported"]),
              (DATA, 1000, 1000, 0), "result")
    tap.equal(len(result["faults"]), 50, "faults that are shown")
    tap.contains(err, "950 more", "message")


@tap.case
def undeclared_fields_are_refused_and_the_nearest_is_named(bench):
    code, _, err = run(bench, "profile", "import", "--format", "csv", "-",
                       given="address,frist_name\na@undeclared.test,A\n")
    tap.equal(code, DATA, "exit code")
    tap.contains(err, "stdin:1:1: ", "place")
    tap.contains(err, "did you mean 'first_name'", "message")
    code, _, err = run(bench, "profile", "import", "--format", "jsonl", "-",
                       given='{"address": "a@undeclared.test", "shoe": 1}\n')
    tap.equal(code, DATA, "exit code")
    tap.contains(err, "stdin:1:1: the schema declares no field 'shoe'", "message")
    does(bench, "profile", "import", "--undeclared", "--format", "jsonl", "-",
         given='{"address": "a@undeclared.test", "shoe": 1}\n')
    tap.equal(tells(bench, "profile", "get", "a@undeclared.test"), {"shoe": 1}, "fields")


@tap.case
def a_dry_run_changes_nothing(bench):
    result = tells(bench, "profile", "import", "--dry-run", "--format", "csv", "-",
                   given="address,first_name\nd@dry.test,D\n")
    tap.equal((result["rows"], result["imported"], result["dry_run"]), (1, 0, True), "result")
    tap.equal(run(bench, "profile", "get", "d@dry.test")[0], DATA, "the profile")
    code, _, err = run(bench, "profile", "import", "--dry-run", "--format", "csv", "-",
                       given="address\nnobody\n")
    tap.equal(code, DATA, "exit code of a file with a fault")
    tap.contains(err, "stdin:2:1: ", "place")


@tap.case
def values_get_the_type_that_the_schema_says(bench):
    does(bench, "profile", "import", "--format", "csv", "-",
         given='address,first_name,user_points,user_has_bought,picks\n'
               't@types.test,007,12,true,"[{""name"": ""x""}]"\n')
    tap.equal(tells(bench, "profile", "get", "t@types.test"),
              {"first_name": "007", "user_points": 12, "user_has_bought": True,
               "picks": [{"name": "x"}]}, "fields")


@tap.case
def import_never_resubscribes(bench):
    imports(bench, {"address": "gone@sub.test", "first_name": "G"})
    does(bench, "suppress", "add", "--reason", "unsubscribed", "gone@sub.test")
    imports(bench, {"address": "gone@sub.test", "consent": {"receive": True}})
    tap.equal(next_copy(bench, "gone@sub.test")["reason"], "suppressed: unsubscribed", "reason")


@tap.case
def import_without_a_time_takes_back_no_withdrawal(bench):
    address = "no@sub.test"
    for given, text in (("true", "at an unknown time"), ("false", "denied")):
        does(bench, "profile", "import", "--format", "csv", "-",
             given=f"address,consent.receive\n{address},{given}\n")
        tap.contains(does(bench, "consent", "log", address), text, "record")
    for _ in range(2):
        imports(bench, {"address": address, "consent": {"receive": True}})
        tap.equal(next_copy(bench, address)["reason"], "consent: receive denied", "reason")
    tap.equal([(r["granted"], bool(r["at"])) for r in tells(bench, "consent", "log", address)],
              [(True, False), (False, True)], "record")
    imports(bench, {"address": address, "consent": {"receive": {
        "granted": True, "at": datetime.datetime.now(datetime.timezone.utc).isoformat()}}})
    tap.equal(next_copy(bench, address)["verdict"], "deliver", "with a time")


@tap.case
def one_person_has_one_profile_however_the_address_is_written(bench):
    imports(bench, {"address": "Ann.B+News@Bücher.test", "first_name": "One"})
    for other in ("<ann.b+news@bücher.test>", '"ann.b+news"@xn--bcher-kva.test',
                  "ANN.B+NEWS@xn--bcher-kva.TEST."):
        tap.equal(tells(bench, "profile", "get", other), {"first_name": "One"}, other)
    for stranger in ("ann.b@bücher.test", "annb+news@bücher.test"):
        tap.equal(run(bench, "profile", "get", stranger)[0], DATA, stranger)


@tap.case
def progress_shows_on_a_terminal(bench):
    """Rate and time left, and the line is wiped at the end."""
    leader, follower = pty.openpty()
    text = "address\n" + "".join(f"p{n}@progress.test\n" for n in range(5000))
    file = bench.merganser.directory / "progress.csv"
    file.write_text(text)
    process = subprocess.run(
        [bench.merganser.build / "merganser", "-c", bench.merganser.conf, "profile", "import",
         "--dry-run", file], stdout=subprocess.DEVNULL, stderr=follower, check=False, timeout=60)
    os.close(follower)
    shown = b""
    with contextlib.suppress(OSError):
        while piece := os.read(leader, 4096):
            shown += piece
    os.close(leader)
    tap.equal(process.returncode, 0, "exit code")
    for part in (b"profiles, ", b"/s", b" left", b"%"):
        tap.contains(shown, part, "terminal")
    tap.true(shown.endswith(b"\r\x1b[K"), "the line is not wiped")


# ---- profiles -----------------------------------------------------------------------------


@tap.case
def set_and_get_are_typed(bench):
    address = "set@edit.test"
    does(bench, "profile", "set", address, "FirstName=00 7", "user_points=12",
         'recent_activity={"cart": "x"}')
    tap.equal(tells(bench, "profile", "get", address),
              {"first_name": "00 7", "user_points": 12, "recent_activity": {"cart": "x"}}, "fields")
    does(bench, "profile", "set", address, "user_points=")
    tap.equal(does(bench, "profile", "get", address, "first_name", "user_points"),
              "first_name=00 7\n", "fields")
    for word, text in (("user_points=SECRET", "must be a number"), ("shoe=1", "declares no field"),
                       ("recent_activity=[]", "must be an object"), ("first_name", "NAME=VALUE")):
        code, _, err = run(bench, "profile", "set", address, word)
        tap.equal(code, USAGE, f"exit code of {word}")
        tap.contains(err, text, f"message of {word}")
        tap.lacks(err, "SECRET", "message")


@tap.case
def export_tells_everything_and_explains_it(bench):
    address = "all@export.test"
    imports(bench, {"address": address, "first_name": "Allie", "opens": ["2026-01-02T03:04:05Z"]})
    does(bench, "consent", "grant", "--source", "form 7", "--text-version", "v3", address,
         "track_open", "receive:promo")
    does(bench, "suppress", "add", "--scope", "class:digest", address)
    bench.merged(campaign(number="export"), address)
    told = tells(bench, "profile", "export", address)
    tap.equal(told["address"], address, "address")
    tap.equal(told["profile"]["first_name"]["value"], "Allie", "a field")
    tap.equal(told["profile"]["first_name"]["purpose"], "Salutation.", "purpose of a field")
    tap.equal({(c["purpose"], c["source"], c["text_version"]) for c in told["consents"]},
              {("track_open", "form 7", "v3"), ("receive:promo", "form 7", "v3")}, "consents")
    tap.equal([(s["scope"], s["reason"]) for s in told["suppressions"]],
              [("class:digest", "manual")], "suppressions")
    tap.equal(told["engagement"]["opens"], ["2026-01-02T03:04:05Z"], "opens")
    tap.equal([m["verdict"] for m in told["mails"]], ["deliver"], "mails")
    tap.true(set(told) - {"exported_at", "explained"} <= set(told["explained"]), "explanations")
    tap.true(told["rows"]["event"] and told["rows"]["field"], "rows as stored")


@tap.case
def what_is_exported_can_be_imported(bench):
    person = {"address": "round@trip.test", "first_name": "Ronja", "user_points": 89.9,
              "opens": ["2026-01-02T03:04:05.000006Z"], "clicks": ["2026-01-03T00:00:00Z"],
              "consent": {"track_open": {"granted": False, "at": "2026-01-01T00:00:00Z",
                                         "source": "web", "text_version": "2"}},
              "suppressed": [{"scope": "list:a", "reason": "unsubscribed",
                              "at": "2026-01-01T00:00:00Z", "until": "2090-01-01T00:00:00Z"}]}
    imports(bench, person)
    tap.contains(does(bench, "profile", "get", "round@trip.test"), "user_points=89.9\n", "a number")
    first = does(bench, "profile", "export", "--all")
    tap.contains(first, '"user_points":89.9}', "the number")
    with Bench(CAPS, people=None, is_started=False) as other:
        does(other, "profile", "import", "--undeclared", "--format", "jsonl", "-", given=first)
        second = does(other, "profile", "export", "--all")
    tap.equal(sorted(second.splitlines()), sorted(first.splitlines()), "the second export")
    row = next(json.loads(line) for line in first.splitlines() if "round@trip.test" in line)
    record = row["consent"].pop("track_open")
    tap.equal([{k: v for k, v in record[0].items() if k != "purpose"}],
              [person["consent"]["track_open"]], "consent")
    tap.equal({k: v for k, v in row.items() if k != "consent"},
              {k: v for k, v in person.items() if k != "consent"}, "the rest")


@tap.case
def erase_leaves_a_mark_and_nothing_else(bench):
    address, other = "eve@erase.test", "steve@erase.test"
    imports(bench, {"address": address, "first_name": "Evangeline-Unique"},
            {"address": other, "first_name": "S"})
    bench.merged(campaign(number="erase"), address)
    code, _, err = run(bench, "profile", "erase", address)
    tap.equal(code, USAGE, "exit code without --yes")
    tap.contains(err, "--yes", "message")
    tap.equal(tells(bench, "profile", "get", address), {"first_name": "Evangeline-Unique"}, "kept")
    for _ in range(2):
        told = tells(bench, "profile", "erase", "--yes", address)
        tap.equal(told["address_found"], 0, "rows with the address")
    after = tells(bench, "profile", "export", address)
    tap.equal((after["profile"], after["mails"], after["consents"]), ({}, [], []), "what is held")
    tap.equal([s["reason"] for s in after["suppressions"]], ["erased"], "suppressions")
    tap.equal(next_copy(bench, address, "--class", "transactional")["reason"], "suppressed: erased",
              "receipts")
    tap.lacks(dump(bench), b"Evangeline-Unique", "the database file")
    tap.equal(tells(bench, "profile", "get", other), {"first_name": "S"}, "somebody else")


# ---- consents -----------------------------------------------------------------------------


@tap.case
def consents_are_a_record_that_only_grows(bench):
    address = "con@sent.test"
    does(bench, "consent", "grant", "--source", "form", "--text-version", "2026-11", address,
         "receive", "track_open")
    does(bench, "consent", "withdraw", address, "track_open")
    log = tells(bench, "consent", "log", address)
    tap.equal([(r["purpose"], r["granted"]) for r in log],
              [("receive", True), ("track_open", True), ("track_open", False)], "record")
    tap.equal((log[0]["source"], log[0]["text_version"], log[2]["source"]),
              ("form", "2026-11", "manual"), "sources")
    tap.equal(len(tells(bench, "consent", "log", address, "receive")), 1, "record of a purpose")
    tap.contains(does(bench, "consent", "log", address), "form (text 2026-11)", "as text")
    for words, text in (((address, "fly"), "receive:CLASS"), ((address,), "which purpose"),
                        (("--source", "a;b", address, "receive"), "without ;")):
        code, _, err = run(bench, "consent", "grant", *words)
        tap.equal(code, USAGE, f"exit code of {words}")
        tap.contains(err, text, f"message of {words}")


@tap.case
def consent_for_a_class_counts_before_receive(bench):
    address = "class@sent.test"
    imports(bench, {"address": address})
    does(bench, "consent", "withdraw", address, "receive:promo")
    tap.contains(next_copy(bench, address, "--class", "promo")["reason"], "consent: ", "promo")
    tap.equal(next_copy(bench, address, "--class", "digest")["verdict"], "deliver", "digest")
    does(bench, "consent", "withdraw", address, "receive")
    does(bench, "consent", "grant", address, "receive:promo")
    tap.equal(next_copy(bench, address, "--class", "promo")["verdict"], "deliver", "promo")
    tap.contains(next_copy(bench, address, "--class", "digest")["reason"], "consent: ", "digest")


# ---- suppressions -------------------------------------------------------------------------


@tap.case
def suppressions_begin_and_end(bench):
    address = "sup@press.test"
    does(bench, "suppress", "add", "--scope", "class:promo", "--until", "30d", address)
    tap.contains(next_copy(bench, address)["reason"], "suppressed", "promo")
    tap.equal(next_copy(bench, address, "--class", "digest")["verdict"], "deliver", "digest")
    listed = tells(bench, "suppress", "list", address)
    tap.equal([(s["scope"], s["reason"], s["key"]) for s in listed],
              [("class:promo", "manual", key_of(bench, address))], "list")
    days = (datetime.datetime.fromisoformat(listed[0]["until"][:19])
            - datetime.datetime.fromisoformat(listed[0]["at"][:19])).days
    tap.equal(days, 30, "days")
    code, _, err = run(bench, "suppress", "remove", address)
    tap.equal(code, USAGE, "exit code without --yes")
    tap.contains(err, "--yes", "message")
    tap.equal(tells(bench, "suppress", "remove", "--yes", "--scope", "all", address)["ended"], 0,
              "of another scope")
    tap.contains(does(bench, "suppress", "remove", "--yes", address), "pause", "message")
    tap.equal(tells(bench, "suppress", "list", address), [], "list after that")
    tap.lacks(next_copy(bench, address)["reason"], "suppressed", "promo after that")
    for words, text in ((("--until", "2001-01-01"), "time to come"), (("--scope", "x"), "--scope"),
                        (("--reason", "erased"), "--reason")):
        code, _, err = run(bench, "suppress", "add", *words, address)
        tap.equal(code, USAGE, f"exit code of {words}")
        tap.contains(err, text, f"message of {words}")


@tap.case
def foreign_lists_are_hashed_on_entry(bench):
    key = key_of(bench, "k@foreign.test")
    text = f"One@Foreign.test\n\n  two@foreign.test \none@foreign.test\n{key}\n"
    told = tells(bench, "suppress", "import", "--reason", "complained", "-", given=text)
    tap.equal((told["suppressed"], told["doubled"], told["faults"]), (3, 1, 0), "result")
    for address in ("one@foreign.test", "two@foreign.test", "k@foreign.test"):
        tap.equal(next_copy(bench, address)["reason"], "suppressed: complained", address)
    tap.lacks(dump(bench), b"foreign.test", "the database file")


@tap.case
def foreign_csv_is_found_its_column(bench):
    text = '"Name","Email Address"\n"A, B",a@column.test\nC,c@column.test\n'
    told = tells(bench, "suppress", "import", "--format", "csv", "-", given=text)
    tap.equal(told["suppressed"], 2, "people")
    code, _, err = run(bench, "suppress", "import", "--format", "csv", "-", given="a,b\n1,2\n")
    tap.equal(code, DATA, "exit code")
    tap.contains(err, "--column", "message")


@tap.case
def foreign_lists_with_faults_are_taken_only_if_told_so(bench):
    text = "x@half.test\nSECRET\ny@half.test\n"
    code, _, err = run(bench, "suppress", "import", "-", given=text)
    tap.equal(code, DATA, "exit code")
    tap.contains(err, "stdin:2:1: ", "place")
    tap.contains(err, "--skip-faults", "message")
    tap.lacks(err, "SECRET", "message")
    tap.equal(tells(bench, "suppress", "list", "x@half.test"), [], "half of it")
    told = tells(bench, "suppress", "import", "--skip-faults", "-", given=text)
    tap.equal((told["suppressed"], told["faults"]), (2, 1), "result")


@tap.case
def a_list_that_cannot_be_read_to_its_end_is_not_taken(bench):
    code, _, err = run(bench, "suppress", "import", "--skip-faults", "--format", "lines",
                       bench.merganser.directory)
    tap.equal(code, DATA, "exit code")
    tap.contains(err, "nothing is imported", "message")
    code, _, err = run(bench, "profile", "import", "--format", "jsonl", bench.merganser.directory)
    tap.equal(code, 74, "exit code of profile import")


# ---- caps ---------------------------------------------------------------------------------


@tap.case
def simulation_says_what_other_caps_would_withhold(_bench):
    with Bench(CAPS) as bench:
        for n in range(4):
            bench.send(campaign(number=f"sim-{n}"), ANN)
        bench.send(campaign(number="sim-bob"), BOB)
        bench.send(campaign(number="sim-out"), OUT)
        before = dump(bench)
        told = tells(bench, "cap", "simulate", "--cap", "tight limit=1 per=7d")
        tap.equal((told["mails"], told["withheld"], told["were_withheld"], told["people_affected"]),
                  (5, 3, 2, 1), "under the tight cap")
        tap.equal(told["classes"], [{"class": "promo", "mails": 5, "withheld": 3}], "classes")
        tap.equal(told["caps"], [{"cap": "tight", "withheld": 3}], "caps")
        tap.equal(tells(bench, "cap", "simulate")["withheld"], 2, "under the caps in force")
        tap.equal(tells(bench, "cap", "simulate", "--cap", "wide limit=9 per=7d")["withheld"], 0,
                  "under a wide cap")
        tap.contains(does(bench, "cap", "simulate", "--cap", "tight limit=1 per=7d"), "60.0%", "table")
        other = bench.merganser.directory / "other.conf"
        other.write_text("[schema]\nfile =\n[cap tight]\nlimit = 1\nper = 7d\n")
        tap.equal(tells(bench, "cap", "simulate", "--conf", other)["caps"], told["caps"],
                  "under another configuration")
        tap.equal(dump(bench), before, "the database")
        for words in (("--cap", "limit=1"), ("--cap", "x limit"), ("--since", "tomorrow")):
            tap.equal(run(bench, "cap", "simulate", *words)[0], USAGE, f"exit code of {words}")
        code, _, err = run(bench, "cap", "simulate", "--cap", "x limit=1 pre=7d")
        tap.equal(code, 78, "exit code of an unknown setting")
        tap.contains(err, "'pre'", "message")


def put_events(bench, *rows):
    """Copies that went out: whom to, and how many days ago."""
    with contextlib.closing(sqlite3.connect(bench.merganser.database)) as connection:
        for key, days in rows:
            connection.execute(
                "INSERT INTO event (at, key, campaign, class, verdict, reason, message) "
                "VALUES (?, ?, 'spring', 'promo', 0, 'ok: under every cap', randomblob(16))",
                (time.time_ns() // 1000 - int(days * 86400e6), bytes.fromhex(key)))
        connection.commit()


@tap.case
def shared_caps_are_simulated_on_the_accounts_that_the_milter_uses(_bench):
    """Ann and Bob are of one household; Outis of none; of a key the domain is not known."""
    with Bench({"policy": {"household_field": "interest"}, **NO_CAP}) as bench:
        imports(bench, {"address": ANN, "interest": "house"}, {"address": BOB, "interest": "house"},
                {"address": "far@example.org", "interest": "tower"})
        ann, bob, out, far = (key_of(bench, address)
                              for address in (ANN, BOB, OUT, "far@example.org"))
        put_events(bench, (ann, 6), (bob, 5), (out, 4), (far, 3), (far, 2), ("77" * 16, 1))
        for cap, withheld, strays in (("person", 1, 0), ("household", 2, 0), ("domain", 3, 1)):
            told = tells(bench, "cap", "simulate", "--cap", f"x limit=1 per=7d scope={cap}")
            tap.equal((told["mails"], told["people"], told["withheld"],
                       told["people_of_unknown_domain"]), (6, 5, withheld, strays), cap)
        tap.contains(does(bench, "cap", "simulate", "--cap", "x limit=1 per=7d scope=domain"),
                     "1 of the people have no profile", "table")
        tap.lacks(does(bench, "cap", "simulate", "--cap", "x limit=1 per=7d"), "profile", "table")
        conf = bench.merganser.conf
        conf.write_text(conf.read_text() + "[cap home]\nlimit = 2\nper = 7d\nscope = household\n")
        caps = {cap["cap"]: cap["people_at_it"] for cap in tells(bench, "cap", "report")["caps"]}
        tap.equal(caps["home"], 3, "of which household or own account is at the cap")


@tap.case
def a_household_of_many_is_simulated_as_the_milter_counts(_bench):
    """More copies than an account keeps, of which the cap counts a few."""
    with Bench({"policy": {"household_field": "interest"}, **NO_CAP}) as bench:
        imports(bench, {"address": ANN, "interest": "house"}, {"address": BOB, "interest": "house"})
        ann, bob = key_of(bench, ANN), key_of(bench, BOB)
        put_events(bench, (ann, 6.9), *((bob, 6.5 - n / 1000) for n in range(1500)), (ann, 0.1))
        with contextlib.closing(sqlite3.connect(bench.merganser.database)) as connection:
            connection.execute("UPDATE event SET class = 'digest' WHERE key = ?",
                               (bytes.fromhex(bob),))
            connection.commit()
        told = tells(bench, "cap", "simulate", "--cap", "x limit=1 per=7d class=promo scope=household",
                     "--cap", "all limit=unlimited per=7d scope=household")
        tap.equal((told["mails"], told["withheld"]), (1502, 1), "mails and withheld")


@tap.case
def adaptive_caps_are_simulated_by_what_people_did(_bench):
    """Ann clicks after her third mail; Bob has not agreed, and Outis complains."""
    cap = "x limit=2 per=28d limit_min=1 limit_max=5 adaptive_window=20d"
    with Bench(NO_CAP) as bench:
        ann, bob, out = (key_of(bench, address) for address in (ANN, BOB, OUT))
        for address in (ANN, OUT):
            does(bench, "consent", "grant", address, "profile")
        put_events(bench, *((key, days) for key in (ann, bob, out) for days in (9, 8, 7, 6)))
        now_us = time.time_ns() // 1000
        day = 86400 * 1000000
        clicks = "".join(f"{now_us - int(6.5 * day) + n} click\n" for n in range(2))
        with contextlib.closing(sqlite3.connect(bench.merganser.database)) as connection:
            for key, lines in ((ann, clicks), (bob, clicks),
                               (out, f"{now_us - int(8.5 * day)} complaint\n")):
                connection.execute("UPDATE person SET engagement = ? WHERE key = ?",
                                   (lines, bytes.fromhex(key)))
            connection.commit()
        # Ann: two, and one more after the clicks.  Bob: two.  Outis: one, and then one at most.
        told = tells(bench, "cap", "simulate", "--cap", cap)
        tap.equal((told["mails"], told["withheld"], told["mails_without_all_acts"]), (12, 6, 0),
                  "mails and withheld")
        tap.contains(does(bench, "cap", "simulate", "--cap", cap),
                     "for 0 mails they look further back", "table")
        conf = bench.merganser.conf
        conf.write_text(conf.read_text() + "[retention]\nengagement = 636h\n")
        # Those of the two who agreed, when the window began before 26.5 days ago.
        tap.equal(tells(bench, "cap", "simulate", "--cap", cap)["mails_without_all_acts"], 6,
                  "mails that look further back than acts are kept")


@tap.case
def report_shows_frequency_and_who_leaves(_bench):
    with Bench(CAPS) as bench:
        for n in range(3):
            bench.send(campaign(number=f"rep-{n}"), ANN)
        bench.send(campaign(number="rep-bob"), BOB)
        does(bench, "suppress", "add", "--reason", "unsubscribed", ANN)
        does(bench, "suppress", "add", "--reason", "complained", BOB)
        told = tells(bench, "cap", "report", "--since", "7d")
        weeks = {w["mails_a_week_at_most"]: w for w in told["weeks"]}
        tap.equal((weeks[1]["people"], weeks[1]["complained"]), (1, 1), "one a week")
        tap.equal((weeks[2]["people"], weeks[2]["unsubscribed"]), (1, 1), "two a week")
        tap.equal(told["caps"], [{"cap": "daily", "people_at_it": 1}], "at the cap")
        tap.contains(does(bench, "cap", "report"), "at cap daily", "table")


@tap.case
def a_copy_that_was_held_and_released_is_one(_bench):
    with Bench(CAPS) as bench:
        bench.merged(campaign(number="once"), BOB)
        with contextlib.closing(sqlite3.connect(bench.merganser.database)) as connection:
            for verdict, reason in ((4, "quiet: night"), (4, "quiet: night"), (0, "ok: release")):
                connection.execute(
                    "INSERT INTO event (at, key, campaign, class, verdict, reason, message) "
                    "SELECT max(at) + 1, ?, 'c', 'promo', ?, ?, zeroblob(16) FROM event",
                    (bytes.fromhex(key_of(bench, ANN)), verdict, reason))
            connection.commit()
        told = tells(bench, "cap", "simulate", "--cap", "tight limit=1 per=7d")
        tap.equal((told["mails"], told["withheld"]), (2, 0), "simulated")
        weeks = tells(bench, "cap", "report", "--since", "7d")["weeks"]
        tap.equal([(w["mails_a_week_at_most"], w["people"]) for w in weeks if w["people"]],
                  [(1, 2)], "reported")


@tap.case
def reset_lets_mail_go_again(_bench):
    with Bench(CAPS) as bench:
        for n in range(3):
            bench.send(campaign(number=f"reset-{n}"), ANN)
        tap.contains(next_copy(bench, ANN)["reason"], "cap: daily", "before")
        cap = tells(bench, "cap", "status", ANN)["caps"][0]
        tap.equal((cap["used"], cap["limit"], cap["is_reached"]), (2, 2, True), "the cap")
        tap.true(cap["until"] > datetime.datetime.now(datetime.timezone.utc).isoformat(),
                 "the end of it is past")
        code, _, err = run(bench, "cap", "reset", ANN)
        tap.equal(code, USAGE, "exit code without --yes")
        tap.contains(err, "2 sends", "message")
        tap.equal(tells(bench, "cap", "reset", "--yes", ANN), {"forgotten": 2}, "result")
        tap.equal(next_copy(bench, ANN)["verdict"], "deliver", "after")
        tap.equal(len(bench.merganser.why(ANN)), 3, "the record")


@tap.case
def status_shows_what_a_household_and_a_domain_got(_bench):
    shared = {"policy": {"household_field": "user_points"},
              "cap home": {"limit": "1", "per": "24h", "scope": "household"},
              "cap site": {"limit": "9", "per": "24h", "scope": "domain"}, **NO_CAP}
    with Bench(shared) as bench:
        does(bench, "profile", "set", BOB, "user_points=1500")  # as Ann's
        bench.merged(campaign(number="shared"), ANN)
        status = tells(bench, "cap", "status", BOB)
        caps = {cap["cap"]: cap for cap in status["caps"]}
        tap.equal([(caps[name]["scope"], caps[name]["used"], caps[name]["is_reached"])
                   for name in ("home", "site", "daily")],
                  [("household", 1, True), ("domain", 1, False), ("person", 0, False)], "caps")
        tap.contains(status["next"]["reason"], "cap: home", "the next one")
        tap.contains(does(bench, "cap", "status", BOB),
                     "1 of 1 in 24h for the whole household (all but transactional)", "table")
        by_key = tells(bench, "cap", "status", key_of(bench, BOB))
        caps = {cap["cap"]: cap for cap in by_key["caps"]}
        tap.equal((caps["home"]["used"], caps["site"]["used"]), (1, None), "by key")
        tap.contains(does(bench, "cap", "status", key_of(bench, BOB)), "give the address", "table")


@tap.case
def a_damaged_history_is_told_and_can_be_reset(_bench):
    with Bench(CAPS) as bench:
        bench.merged(campaign(number="damage"), ANN)
        key = key_of(bench, ANN)
        with contextlib.closing(sqlite3.connect(bench.merganser.database)) as connection:
            connection.execute("UPDATE person SET history = 'nonsense' WHERE key = ?",
                               (bytes.fromhex(key),))
            connection.commit()
        refused(bench.send(campaign(number="damage-2"), ANN)[1], 451, "4.3.0")
        code, _, err = run(bench, "cap", "status", ANN)
        tap.equal(code, DATA, "exit code")
        tap.contains(err, f"person {key}: history", "message")
        tap.contains(err, "cap reset", "message")
        does(bench, "cap", "reset", "--yes", key)
        bench.merged(campaign(number="damage-2"), ANN)


@tap.case
def every_verb_has_help_and_speaks_json(bench):
    for verb in json.loads(does(bench, "help", "--json")):
        out = does(bench, *verb["name"].split(), "--help")
        tap.contains(out, verb["name"], "help")
        tap.contains(out, "--json", f"help of {verb['name']}")
    for words in (["profile", "get", ANN], ["profile", "set", ANN, "interest=Hiking"],
                  ["consent", "log", ANN], ["consent", "grant", ANN, "receive"],
                  ["suppress", "list"], ["cap", "simulate"], ["cap", "report"], ["db", "status"],
                  ["db", "migrate"], ["db", "retain"], ["privacy", "report"]):
        tells(bench, *words)


# ---- the register, and retention ----------------------------------------------------------


@tap.case
def sensitive_fields_never_render(bench):
    schema = bench.merganser.directory / "schema.conf"
    with Bench(CAPS, is_started=False) as other:
        text = schema.read_text() + "\n[field diagnosis]\npurpose = Care.\nsensitive = yes\n"
        (other.merganser.directory / "schema.conf").write_text(text)
        other.merganser.start()
        _, reply = other.send(campaign(plain="{{diagnosis}}"))
        refused(reply, 550, "5.6.0", "field 'diagnosis' is marked sensitive")
        _, reply = other.send(campaign(plain="{{#if diagnosis}}x{{/if}}"), daemon="campaign-check")
        refused(reply, 550, "5.6.0", "'diagnosis'")


@tap.case
def check_warns_of_a_field_that_is_kept_for_something_else(bench):
    schema = bench.merganser.directory / "other.conf"
    schema.write_text("[field score]\ntype = number\nused_for = predict, caps\n"
                      "[field first_name]\n")
    template = bench.merganser.directory / "score.hbs"
    template.write_text("{{first_name}}\n{{score}}\n")
    out = tells(bench, "check", "--schema", schema, template)
    tap.equal([(w["line"], "used_for" in w["message"]) for w in out[0]["warnings"]], [(2, True)],
              "warnings")


@tap.case
def the_register_names_fields_and_readers(bench):
    message = bench.merganser.directory / "reg.eml"
    message.write_bytes(campaign())
    told = tells(bench, "privacy", "report", message)
    field = next(f for f in told["fields"] if f["name"] == "user_points")
    tap.equal((field["purpose"], field["type"], field["used_for"]),
              ("Badge of loyal customers.", "number", "mail"), "field")
    tap.contains(field["read_by"], str(message), "readers")
    kept = {r["what"]: r["kept"] for r in told["records"]}
    tap.equal(kept["record of copies"], "400d", "how long events are kept")
    tap.contains(does(bench, "privacy", "report"), "Badge of loyal customers.", "as text")


@tap.case
def retention_removes_what_is_old(_bench):
    with Bench({**CAPS, "retention": {"events": "7d", "engagement": "7d"}}) as bench:
        bench.merged(campaign(number="old"), ANN)
        tap.equal(tells(bench, "db", "retain")["removed"], 0, "too early")
        with contextlib.closing(sqlite3.connect(bench.merganser.database)) as connection:
            connection.execute("UPDATE event SET at = at - 8 * 86400000000")
            connection.commit()
        tap.equal(tells(bench, "db", "retain")["removed"], 1, "rows")
        tap.equal(bench.merganser.why(ANN), [], "the record")


@tap.case
def keys_retire_and_tokens_tell_what_they_mean(_bench):
    with Bench({**CAPS, "stamp": {"base_url": "https://news.example.com"}}) as bench:
        copy = bench.merged(campaign(number="token"), ANN)
        token = re.search(rb"X-Report-Ref:\s*([\w-]+)", bytes(copy)).group(1).decode()
        told = tells(bench, "token", "show", token)
        tap.equal((told["purpose"], told["key"]), ("report", 1), "token")
        tap.true(key_of(bench, ANN).startswith(told["person"]), "the person")
        tap.contains(does(bench, "token", "show", f"https://x/u/{token}?y"), told["campaign"],
                     "as text, from an address")
        code, _, err = run(bench, "token", "show", token[:-1])
        tap.equal(code, 65, f"exit code of a cut token ({err})")
        code, _, err = run(bench, "key", "retire", "1")
        tap.equal(code, 78, f"exit code of retiring the last ({err})")
        does(bench, "key", "new")
        does(bench, "key", "retire", "2")
        tap.equal(tells(bench, "key", "list")["token_keys"],
                  [{"id": 1, "state": "seals"}, {"id": 2, "state": "retired"}], "list")


@tap.case
def tables_tell_their_version(bench):
    told = tells(bench, "db", "status")
    tap.equal((told["ok"], told["version"]), (True, told["needed"]), "status")
    tap.equal(tells(bench, "db", "migrate")["version"], told["version"], "after another run")
    with Bench(CAPS, people=None, is_started=False) as other:
        for file in other.merganser.directory.glob("merganser.db*"):
            file.unlink()
        code, _, err = run(other, "db", "status")
        tap.equal(code, UNAVAILABLE, f"exit code without tables ({err})")
        does(other, "db", "migrate")
        does(other, "db", "status")


tap.main(lambda: Bench(CAPS))
