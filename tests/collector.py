# SPDX-License-Identifier: Apache-2.0
"""A collector with people, links and sites, for the tests in tests/collect."""

import json
import shutil
import sqlite3

from sandbox.collector import CLICK, OPEN, PREFERENCES, UNSUBSCRIBE, Collector  # noqa: F401
from sandbox.daemon import Merganser
from sandbox.postfix import SandboxError, new_directory
from tests import tap

ANN, BOB = "ann@example.com", "bob@example.com"
PEOPLE = [
    {"address": ANN, "first_name": "Ann",
     "consent": {"track_open": True, "track_click": True}},
    {"address": BOB, "first_name": "Bob", "language": "de"},
]
LINKS = {1: "https://shop.example.com/one", 2: "http://other.example/two?a=b#c"}
KEY, ORIGIN = "write-key-of-the-shop", "https://shop.example.com"
TEXTS = "[texts]\nclass_promo = Offers & sales\nclass_news = News <monthly>\n"
SCHEMA = """[field first_name]
type = string
[field language]
type = string
[field mail_frequency]
type = string
"""
SETTINGS = {
    "render": {"locale_field": "language"},
    "policy": {"frequency_field": "mail_frequency"},
    "site shop": {"key": KEY, "origins": ORIGIN},
}


class World:
    """settings: of [collector]."""

    def __init__(self, settings=None, others=None):
        self.directory = new_directory()
        try:
            self.merganser = Merganser(self.directory / "merganser", schema=SCHEMA,
                                       settings={**SETTINGS, **(others or {})})
        except SandboxError as reason:
            raise tap.Skip(reason) from reason
        self.collector = Collector(self.merganser, {"classes": "promo news", **(settings or {})})

    def __enter__(self):
        try:
            self.merganser.prepare()
            self.merganser.import_profiles(PEOPLE)
            self.put_links()
            self.collector.prepare()
            texts = self.merganser.directory / "collect" / "texts" / "en.conf"
            texts.write_text(texts.read_text() + TEXTS.partition("\n")[2])
            self.collector.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        try:
            self.collector.stop_well()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def logs(self):
        return self.collector.log_text()[-4000:]

    def put_links(self):
        with sqlite3.connect(self.merganser.database) as database:
            database.execute("INSERT INTO campaign (number, name) VALUES (1, 'spring')")
            database.executemany(
                "INSERT INTO link (campaign, number, hash, target) VALUES (1, ?, ?, ?)",
                [(n, f"{n:064x}", target) for n, target in LINKS.items()])

    def person(self, address):
        """Their key, in hex."""
        return key_in(self.merganser.tool("profile", "export", address, "--json").stdout)

    def suppressions(self):
        """{(key, scope): reason} of what holds now."""
        listed = json.loads(self.merganser.tool("suppress", "list", "--json").stdout)
        return {(each["key"], each["scope"]): each["reason"] for each in listed}

    def new_hits(self):
        """The hits since the last call."""
        hits = self.collector.hits()
        fresh = hits[getattr(self, "seen", 0):]
        self.seen = len(hits)
        return fresh


def key_in(exported):
    return next(word for word in exported.replace('"', " ").split()
                if len(word) == 32 and all(c in "0123456789abcdef" for c in word))
