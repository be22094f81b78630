# SPDX-License-Identifier: Apache-2.0
"""Stage mode in a real Postfix: nothing leaves for its real recipient."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.people import ANN, BOB, NOBODY, OUT, campaign  # noqa: E402
from tests.postfix import mta_world  # noqa: E402

STAGE = "stage@example.org"
ALL = [ANN, BOB, OUT, NOBODY]


@tap.case
def every_copy_goes_to_the_stage(world):
    world.send_and_wait(campaign(number="stage"), ALL)
    copies = world.sink.deliveries()
    tap.equal({copy.recipient for copy in copies}, {STAGE}, "recipients")
    tap.equal(sorted(str(m.message()["To"]).strip("<>") for m in copies),
              sorted(set(ALL) - {OUT}), "To")
    for copy in copies:
        tap.equal(copy.message()["X-Merganser-Stage"], "deliver, ok: under every cap", "stage")
        tap.lacks(copy.data.lower(), b"x-campaign", "copy")


@tap.case
def nobody_is_counted_or_recorded(world):
    """The cap of one a day holds for nobody, since nobody got anything."""
    world.sink.clear()
    for number in ("first", "second"):
        world.send_and_wait(campaign(number=number), [ANN])
    tap.equal(len(world.sink.deliveries()), 2, "copies")
    tap.equal(world.merganser.why(ANN), [], "records")
    tap.contains(world.merganser.log_text(), "stage=deliver", "log")


@tap.case
def broken_template_is_refused_as_ever(world):
    code, text = world.refusal(campaign(plain="{{#if}}"), [ANN])
    tap.equal(code, 550, "code")
    tap.contains(text, b"5.6.0", "text")


@tap.case
def without_an_address_copies_are_discarded(world):
    with mta_world({"milter": {"mode": "stage"}}) as other:
        other.send_and_wait(campaign(number="nowhere"), [ANN, BOB])
        tap.equal(other.sink.deliveries(), [], "copies")
        tap.equal(other.merganser.log_text().count("stage=deliver"), 2, "lines of the log")
    tap.true(world.merganser.is_alive(), "the daemon died")


tap.main(lambda: mta_world({"milter": {"mode": "stage", "stage_address": STAGE}}))
