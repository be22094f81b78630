# SPDX-License-Identifier: Apache-2.0
"""Unsubscription and the preference centre."""

import json
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.collector import PREFERENCES, UNSUBSCRIBE  # noqa: E402
from tests import tap  # noqa: E402
from tests.collector import ANN, BOB, World  # noqa: E402


def fresh_person(number):
    return f"{number:032x}"


def the_form(world, person, **fields):
    body = "&".join(f"{name}={value}" for name, value in fields.items())
    return world.collector.post(f"/p/{world.collector.token(PREFERENCES, person)}", body)


@tap.case
def looking_at_the_page_changes_nothing(world):
    person = fresh_person(1)
    token = world.collector.token(UNSUBSCRIBE, person)
    for method in ("GET", "HEAD"):
        tap.equal(world.collector.request(method, f"/u/{token}").status, 200, method)
    answer = world.collector.get(f"/u/{token}")
    tap.equal(answer.text.count("<button"), 1, "buttons")
    tap.contains(answer.headers["Content-Security-Policy"], "default-src 'none'", "policy")
    tap.contains(answer.headers["Content-Security-Policy"], "frame-ancestors 'none'", "policy")
    tap.equal(answer.headers["Referrer-Policy"], "no-referrer", "Referrer-Policy")
    tap.lacks(answer.text, "<script", "page")
    tap.true((person, "all") not in world.suppressions(), "a GET unsubscribed")


@tap.case
def the_button_unsubscribes(world):
    person = fresh_person(2)
    world.new_hits()
    answer = world.collector.post(f"/u/{world.collector.token(UNSUBSCRIBE, person)}", "from=page")
    tap.equal(answer.status, 200, "status")
    tap.contains(answer.text, "You are unsubscribed", "page")
    tap.equal(world.suppressions().get((person, "all")), "unsubscribed", "suppression")
    hit, = world.new_hits()
    tap.equal((hit["kind"], hit["flags"], hit["scope"]), ("4", "8", "all"), "hit")


@tap.case
def one_click_needs_no_page(world):
    multipart = ('--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
                 "One-Click\r\n--b--\r\n")
    for number, (body, kind) in enumerate([
            ("List-Unsubscribe=One-Click", "application/x-www-form-urlencoded"),
            (multipart, "multipart/form-data; boundary=b")], 10):
        world.new_hits()
        token = world.collector.token(UNSUBSCRIBE, fresh_person(number))
        answer = world.collector.post(f"/u/{token}", body, kind)
        tap.equal((answer.status, answer.text), (200, "Unsubscribed.\n"), kind)
        tap.equal(world.suppressions().get((fresh_person(number), "all")), "unsubscribed", kind)
        tap.equal([hit["kind"] for hit in world.new_hits()], ["5"], kind)


@tap.case
def twice_is_as_good_as_once(world):
    token = world.collector.token(UNSUBSCRIBE, fresh_person(20))
    for _ in "twice":
        tap.equal(world.collector.post(f"/u/{token}").status, 200, "status")


@tap.case
def a_page_speaks_the_persons_language(world):
    bob = world.collector.token(PREFERENCES, world.person(BOB))
    tap.contains(world.collector.get(f"/p/{bob}").text, "Ihre E-Mail-Einstellungen", "profile")
    ann = world.collector.token(PREFERENCES, world.person(ANN))
    for accepted, words in [("fr-CA, en;q=0.9", "Vos préférences"), ("xx, es;q=0.4", "Sus prefer"),
                            ("en;q=0.1, fa", 'lang="fa" dir="rtl"'), ("xx", "Your mail"),
                            ("", "Your mail"), (",;q=,de;q=0,", "Your mail")]:
        page = world.collector.get(f"/p/{ann}", **{"Accept-Language": accepted}).text
        tap.contains(page, words, accepted)


@tap.case
def every_language_has_every_text(world):
    folder = world.merganser.directory / "collect" / "texts"
    keys = {}
    for file in folder.glob("*.conf"):
        lines = file.read_text().splitlines()
        keys[file.stem] = {line.split("=")[0].strip() for line in lines
                           if "=" in line and not line.startswith(("#", "class_"))}
    tap.true(len(keys) >= 5, "languages")
    for language, found in keys.items():
        tap.equal(keys["en"] - found - {"sender"}, set(), f"missing in {language}")


@tap.case
def classes_are_left_and_joined_one_by_one(world):
    ann = world.person(ANN)
    page = the_form(world, ann, action="save", class_news="on", tracking="on")
    tap.equal(page.status, 200, "status")
    tap.contains(page.text, "News &lt;monthly&gt;", "a title")
    tap.true(re.search(r'name="class_news" checked', page.text), "news")
    tap.true(re.search(r'name="class_promo"(?! checked)', page.text), "promo")
    tap.equal(world.suppressions().get((ann, "class:promo")), "unsubscribed", "promo")
    the_form(world, ann, action="save", class_news="on", class_promo="on", tracking="on")
    tap.true((ann, "class:promo") not in world.suppressions(), "promo again")


@tap.case
def tracking_is_the_persons_choice(world):
    ann = world.person(ANN)
    the_form(world, ann, action="save", class_news="on", class_promo="on")
    log = json.loads(world.merganser.tool("consent", "log", ANN, "--json").stdout)
    last = {each["purpose"]: (each["granted"], each["source"]) for each in log
            if each["source"] != "import"}
    tap.equal(last, {"track_open": (False, "preference centre"),
                     "track_click": (False, "preference centre")}, "consents")
    page = the_form(world, ann, action="save", tracking="on").text
    tap.true(re.search(r'name="tracking" checked', page), "opted in again")


@tap.case
def how_often_is_written_into_the_profile(world):
    ann = world.person(ANN)
    page = the_form(world, ann, action="save", frequency="weekly").text
    tap.true(re.search(r'value="weekly" checked', page), "weekly")
    tap.contains(world.merganser.tool("profile", "export", ANN, "--json").stdout, "weekly",
                 "profile")
    page = the_form(world, ann, action="save", frequency="").text
    tap.true(re.search(r'value="" checked', page), "as it comes")
    the_form(world, ann, action="save", frequency="hourly")
    tap.lacks(world.merganser.tool("profile", "export", ANN, "--json").stdout, "hourly", "profile")


@tap.case
def a_pause_has_an_end(world):
    ann = world.person(ANN)
    tap.contains(the_form(world, ann, action="pause").text, "You get no mail until", "page")
    tap.equal(world.suppressions().get((ann, "all")), "unsubscribed", "suppression")
    tap.contains(the_form(world, ann, action="unpause").text, "Pause for 30 days", "page")
    tap.true((ann, "all") not in world.suppressions(), "the pause goes on")
    tap.contains(the_form(world, ann, action="leave").text, "unsubscribed from everything", "page")
    tap.contains(the_form(world, ann, action="return").text, "Unsubscribe from everything", "page")


@tap.case
def everything_that_is_held_is_shown(world):
    bob = world.person(BOB)
    token = world.collector.token(PREFERENCES, bob)
    tap.contains(world.collector.get(f"/p/{token}?view=data").text, BOB, "page")
    answer = world.collector.get(f"/p/{token}?view=json")
    tap.contains(answer.headers["Content-Disposition"], "attachment", "download")
    tap.equal(json.loads(answer.text)["profile"][0]["address"], BOB, "download")


@tap.case
def a_value_cannot_break_out_of_the_page(world):
    evil = "<script>alert(1)</script>\"'"
    world.merganser.import_profiles([{"address": "eve@example.com", "first_name": evil}])
    token = world.collector.token(PREFERENCES, world.person("eve@example.com"))
    page = world.collector.get(f"/p/{token}?view=data").text
    tap.lacks(page, "<script", "page")
    tap.contains(page, "&lt;script&gt;", "page")


@tap.case
def erasing_takes_a_second_yes(world):
    bob = world.person(BOB)
    token = world.collector.token(PREFERENCES, bob)
    tap.contains(world.collector.get(f"/p/{token}?view=erase").text, 'name="confirm"', "question")
    tap.contains(the_form(world, bob, action="erase").text, 'name="confirm"', "without a yes")
    world.new_hits()
    answer = the_form(world, bob, action="erase", confirm="on")
    tap.contains(answer.text, "Alles ist gelöscht", "page in their language")
    tap.equal(world.suppressions().get((bob, "all")), "erased", "suppression")
    hit, = world.new_hits()
    tap.equal((hit["kind"], hit["token"]), ("11", "0"), "hit without the person")


@tap.case
def a_form_of_nonsense_changes_nothing(world):
    before = world.suppressions()
    person = fresh_person(30)
    for body in ("", "action=", "action=rm", "action=%ff", "&&&=&", "a=b&" * 200, "action=save%00"):
        answer = world.collector.post(f"/p/{world.collector.token(PREFERENCES, person)}", body)
        tap.equal(answer.status, 400, body[:20])
    tap.equal(world.suppressions(), before, "suppressions")


@tap.case
def a_store_that_is_away_keeps_no_wish_from_being_noted(world):
    person = fresh_person(40)
    database = world.merganser.database
    database.rename(database.with_suffix(".away"))
    world.collector.stop_well()
    world.collector.start()
    world.new_hits()
    try:
        unsubscribe = world.collector.token(UNSUBSCRIBE, person)
        tap.equal(world.collector.get(f"/u/{unsubscribe}").status, 200, "page")
        answer = world.collector.post(f"/u/{unsubscribe}", "from=page")
        tap.equal(answer.status, 202, "status")
        tap.contains(answer.text, "We have noted it", "page")
        hit = world.new_hits()[-1]
        tap.equal((hit["kind"], hit["flags"], hit["scope"]), ("4", "0", "all"), "hit")
        answer = the_form(world, person, action="save")
        tap.equal(answer.status, 503, "preferences")
        tap.contains(answer.text, "Nothing was changed", "page")
    finally:
        world.collector.stop_well()
        database.with_suffix(".away").rename(database)
        world.collector.start()


if __name__ == "__main__":
    tap.main(World)
