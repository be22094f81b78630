# SPDX-License-Identifier: Apache-2.0
"""What doctor says of a Sendmail, by files that m4 makes of conf/sendmail as the sandbox does."""

import contextlib
import json
import pathlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.postfix import SandboxError  # noqa: E402
from sandbox.sendmail import FRAGMENTS, HOST_BEGIN, HOST_END, unpacked  # noqa: E402
from tests import tap  # noqa: E402
from tests.bench import Bench  # noqa: E402
from tests.people import NO_CAP  # noqa: E402

TIMES = "T=C:10s;S:30s;R:5m;E:5m"


class Files:
    """Both configurations, with the socket of the daemon; a context manager."""

    def __init__(self):
        if not shutil.which("m4"):
            raise tap.Skip("m4 is not installed")
        try:
            self.root = unpacked()
        except SandboxError as reason:
            raise tap.Skip(reason) from reason
        self.bench = Bench(NO_CAP)

    def __enter__(self):
        self.bench.__enter__()
        self.directory = self.bench.merganser.directory
        self.socket = f"local:{self.bench.merganser.socket}"
        self.split = (FRAGMENTS / "split.mc").read_text()
        self.host = HOST_BEGIN + (FRAGMENTS / "hop.mc").read_text() + HOST_END
        return self

    def __exit__(self, *exception):
        self.bench.__exit__(*exception)

    def make(self, name, text, changes=()):
        text = text.replace("/usr/share/sendmail", f"{self.root}/usr/share/sendmail")
        text = text.replace("local:/run/merganser/milter", self.socket)
        for old, new in changes:
            tap.contains(text, old, name)
            text = text.replace(old, new)
        made = subprocess.run(["m4"], input=text, capture_output=True, text=True, check=True)
        path = self.directory / name
        path.write_text(made.stdout)
        return path

    def paths(self, split=(), host=()):
        return [self.make("campaign.cf", self.split, split),
                self.make("sendmail.cf", self.host, host)]

    def doctor(self, *paths, code=None):
        # The timers of the machine that the tests run on are not in question.
        words = [word for path in paths for word in ("--sendmail", path)]
        empty = self.directory / "programs"
        empty.mkdir(exist_ok=True)
        result = subprocess.run(
            [self.bench.merganser.build / "merganser", "-c", self.bench.merganser.conf, "doctor",
             "--json", *words], capture_output=True, text=True, check=False,
            env={"PATH": str(empty)})
        report = json.loads(result.stdout)
        tap.equal(result.returncode, code if code is not None else 78 if report["errors"] else 0,
                  "exit code")
        return report["findings"]


@contextlib.contextmanager
def files():
    with Files() as made:
        yield made


@tap.case
def the_samples_are_as_they_should_be(made):
    tap.equal(made.doctor(*made.paths(), code=0), [], "findings")
    said = made.doctor(*made.paths(), made.directory / "nosuch.cf", code=78)
    tap.equal([f["level"] for f in said], ["error"], "a file that is not there")
    tap.contains(said[0]["type"], "--sendmail /etc/mail/sendmail.cf", "what to type")


def breakages(made):
    """(changes of split.mc, of the host's, level, words of the finding, of what to type)"""
    flags, hop = "F=T", "Name=merganser, Addr=127.0.0.1, Port=10026"
    filters = "Family=inet, InputMailFilters=merganser"
    signer = "MAIL_FILTER(`dkim', `S=inet:8891@localhost, F=T, T=R:2m')dnl\nDAEMON_OPTIONS(`Name=merg"
    return (
        ((), ((made.socket, "local:/run/other"),), "error", "has S=local:/run/other",
         f"S={made.socket}"),
        ((), (("MAIL_FILTER(`merganser'", "MAIL_FILTER(`other'"),
              (made.socket, "local:/run/other")), "error", "no filter reaches the milter", "MAIL_FILTER"),
        (((flags, "F="),), (), "error", "templates leave as they are", "F=T"),
        ((), ((f" {flags},", ""),), "error", "templates leave as they are", "F=T"),
        ((), ((flags, "F=R"),), "error", "refused for good", "F=T"),
        ((), ((f", {TIMES}", ""),), "warning", "waited for 10 s for an answer", "R:5m"),
        ((), (("E:5m", "E:20m"),), "warning", "waited for 1200 s for the end", "E:5m"),
        ((), (("R:5m", "R:5s"),), "warning", "waited for 5 s for an answer", "R:5m"),
        (((", InputMailFilters=merganser", ""),), (), "error", "campaign-check does not pass",
         "InputMailFilters=merganser"),
        ((), ((filters, "Family=inet"),), "error", "merganser does not pass the milter",
         "InputMailFilters=merganser"),
        ((), (("DAEMON_OPTIONS(`Name=merg", signer), (filters, "Family=inet, InputMailFilters=dkim;merganser")),
         "error", "passes the filter dkim before", "InputMailFilters=merganser;dkim"),
        ((), ((hop, "Name=merganser, Port=10026"),), "warning", "every address", "Addr=127.0.0.1"),
        ((), ((hop, "Name=other, Addr=127.0.0.1, Port=10026"),), "error", "none is called merganser",
         "DAEMON_OPTIONS(`Name=merganser"),
        ((("`SMTP_MAILER_MAXRCPTS', `1'", "`SMTP_MAILER_MAXRCPTS', `50'"),), (), "error",
         "messages for 50 recipients", "SMTP_MAILER_MAXRCPTS"),
        ((("define(`SMTP_MAILER_MAXRCPTS', `1')dnl\n", ""),), (), "error",
         "messages for 100 recipients", "SMTP_MAILER_MAXRCPTS"),
        ((("define(`SMART_HOST', `esmtp:[127.0.0.1]')dnl\n", ""),), (), "error",
         "the smart host is ''", "SMART_HOST"),
        ((("TCP $h 10026", "TCP $h 10027"),), (), "error", "sends to port 10027", "TCP $h 10026"),
        ((("define(`ESMTP_MAILER_ARGS', `TCP $h 10026')dnl\n", ""),), (), "error",
         "sends to port 25", "TCP $h 10026"),
        ((), (("MAILER(`smtp')", "define(`confMILTER_MACROS_CONNECT', `j, _')dnl\nMAILER(`smtp')"),),
         "error", "not told {daemon_name}", "confMILTER_MACROS_CONNECT"),
    )


@tap.case
def each_setting_that_is_broken_is_named(made):
    for split, host, level, words, typed in breakages(made):
        said = made.doctor(*made.paths(split, host))
        found = [f for f in said if f["level"] == level and words in f["what"]]
        tap.true(found, f"doctor does not say '{words}': {said}")
        tap.contains(found[0]["type"], typed, f"what to type where {words}")
        tap.contains(found[0]["type"], "restart Sendmail", f"what to type where {words}")


@tap.case
def what_is_done_another_way_is_no_fault(made):
    """F=4, filters for all daemons, a signer behind us, and no split at all."""
    host = (("F=T", "F=4"), (", InputMailFilters=merganser", ""),
            ("MAIL_FILTER(`merganser'", "INPUT_MAIL_FILTER(`merganser'"),
            ("DAEMON_OPTIONS(`Name=merg", "INPUT_MAIL_FILTER(`dkim', `S=inet:8891@localhost, F=T')dnl\n"
             "DAEMON_OPTIONS(`Name=merg"))
    tap.equal(made.doctor(made.make("sendmail.cf", made.host, host), code=0), [], "findings")


@tap.case
def a_daemon_that_is_away_is_found(made):
    made.bench.merganser.stop_well()
    said = made.doctor(*made.paths(), code=78)
    tap.contains(said[0]["what"], "nobody listens on", "finding")


tap.main(files)
