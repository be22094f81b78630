# SPDX-License-Identifier: Apache-2.0
"""Templates that call blocks of the library, and choose them by the block map."""

import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.postfix import SOURCE, wait_for  # noqa: E402
from tests import tap  # noqa: E402
from tests.bench import Bench, refused  # noqa: E402
from tests.people import BOB, NO_CAP, campaign  # noqa: E402

MAP = """(gt user_points 1000) | cta  | "Your reward" | 10
                      | cta  | "Have a look" |    | yes
(eq interest "Hiking") | hero | hero/hiking  |
                      | hero | hero/plain    |    | yes
"""


class Library:
    def __init__(self, bench):
        self.folder = bench.merganser.directory / "blocks"

    def put(self, name, text):
        file = self.folder / f"{name}.hbs"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def bench_with_blocks():
    bench = Bench(NO_CAP)
    directory = bench.merganser.directory
    bench.merganser.settings["render"] = {
        "blocks": f"{directory}/blocks", "block_map": f"{directory}/blocks/blocks.map"}
    library = Library(bench)
    library.put("footer", "-- \n{{> sign}}\n")
    library.put("sign", "The {{interest}} team")
    library.put("lines", "two\nlines\n")
    library.put("hero/hiking", "<h1>Mountains, {{first_name}}</h1>\n")
    library.put("hero/plain", "<h1>Hello</h1>\n")
    (library.folder / "blocks.map").write_text(MAP)
    return bench


def message(number, plain="{{> footer}}\n", html='<p>{{> (block_for "hero")}}</p>',
            subject='{{block_for "cta"}}'):
    return campaign(plain=plain, html=html, subject=subject, number=number)


@tap.case
def blocks_are_merged_in(bench):
    copy = bench.merged(message("merged"))
    tap.contains(copy, b"Subject: Your reward\r\n", "subject")
    tap.contains(copy, b"The Hiking team", "text/plain")
    tap.contains(copy, b"<h1>Mountains, =C3=84nn</h1>", "text/html")
    copy = bench.merged(message("merged"), BOB)
    tap.contains(copy, b"Subject: Have a look\r\n", "subject")
    tap.contains(copy, b"<h1>Hello</h1>", "text/html")


@tap.case
def subject_stays_one_line(bench):
    """A file ends with a newline, and this one has another inside."""
    data = message("lines", subject="{{> lines}}!")
    tap.contains(bench.merged(data), b"Subject: two lines!\r\n", "subject")


@tap.case
def unknown_block_is_refused_with_its_place(bench):
    _, reply = bench.send(message("unknown", plain="a\n{{> nowhere}}\n"))
    refused(reply, 550, "5.6.0", "part text/plain:2:5: there is no partial 'nowhere'")
    _, reply = bench.send(message("slot", plain='{{block_for "x"}}\n'))
    refused(reply, 550, "5.6.0", "there is no slot 'x' in the block map, which has cta, hero")


@tap.case
def changed_block_is_used_and_a_broken_one_is_not(bench):
    library = Library(bench)
    data = message("changed")

    def is_reported():
        tap.contains(bench.merged(data), b"The Hiking team", "with a broken block")
        return "the block library stays as it was: " in bench.logs()

    (library.folder / "bad.hbs").write_bytes(b"\xff")
    wait_for(is_reported, 20, "the log line")
    (library.folder / "bad.hbs").unlink()
    library.put("sign", "Your {{interest}} friends")
    wait_for(lambda: b"Your Hiking friends" in bench.merged(data), 20, "the new block")


@tap.case
def a_block_that_breaks_a_running_campaign_makes_its_copies_wait(bench):
    """Nobody's mail is refused for it; at the door the next sender hears what is wrong."""
    library = Library(bench)
    data = message("broken")
    bench.merged(data)
    library.put("sign", "{{#if interest}}never closed")

    def waits():
        reply = bench.send(data)[1]
        return reply.refusal() == 451 and reply
    reply = wait_for(waits, 20, "a reply 451")
    refused(reply, 451, "4.3.5")
    tap.contains(bench.logs(), "blocks: what compiled before does not with the blocks as they are "
                 "now: partial sign:1:1: ", "log")
    refused(bench.send(message("later", plain="New {{> footer}}\n"))[1], 550, "5.6.0", "partial sign:1:1: ")
    refused(bench.send(data, daemon="campaign-check")[1], 550, "5.6.0", "partial sign:1:1: ")
    library.put("sign", "Mended for {{interest}}")
    wait_for(lambda: bench.send(data)[1].answer == "accept", 20, "the mended block")
    tap.contains(bench.merged(data), b"Mended for Hiking", "copy")


@tap.case
def sensitive_fields_stay_hidden_from_blocks(bench):
    """What a block reads is a field like any other."""
    other = bench_with_blocks()
    sample = (SOURCE / "conf" / "samples" / "schema.conf").read_text()
    other.merganser.schema = sample + "\n[field salary]\ntype = number\nsensitive = yes\n"
    Library(other).put("sign", "You earn {{salary}}")
    with other:
        _, reply = other.send(message("sensitive"))
        refused(reply, 550, "", "partial sign:1:12: field 'salary' is marked sensitive")
    bench.assert_alive()


@tap.case
def broken_map_stops_the_start(bench):
    other = bench_with_blocks()
    other.is_started = False
    (other.merganser.directory / "blocks" / "blocks.map").write_text("|hero|hero/plain||\n")
    with other:
        result = other.merganser.tool("conf", "check", check=False)
        tap.equal(result.returncode, 78, "exit code")
        tap.contains(result.stderr, "blocks.map:1:2: the slot has no fallback", "conf check")
    bench.assert_alive()


tap.main(bench_with_blocks)
