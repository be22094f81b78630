# SPDX-License-Identifier: Apache-2.0
"""The daemon as miltertest(8) sees it: another implementation of the protocol than ours."""

import pathlib
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.bench import Bench  # noqa: E402
from tests.people import NO_CAP  # noqa: E402

SCRIPTS = pathlib.Path(__file__).resolve().parent / "miltertest"


def run(bench, script):
    if not shutil.which("miltertest"):
        raise tap.Skip("miltertest is not installed")
    result = subprocess.run(
        ["miltertest", "-D", f"SOCKET=unix:{bench.merganser.socket}",
         "-D", f"COMMON={SCRIPTS}/common.lua", "-s", SCRIPTS / script],
        capture_output=True, text=True, timeout=60, check=False)
    tap.equal((result.returncode, result.stdout + result.stderr), (0, ""), script)


@tap.case
def campaign_becomes_the_recipients_own(bench):
    run(bench, "merge.lua")


@tap.case
def what_is_not_ours_is_let_go(bench):
    run(bench, "trust.lua")


@tap.case
def broken_template_is_refused(bench):
    run(bench, "refuse.lua")


tap.main(lambda: Bench(NO_CAP))
