# SPDX-License-Identifier: Apache-2.0
"""The whole round: a message through Postfix and milter, the mail opened in a browser, a link
followed, unsubscribed by the page and by one click, and what is on record afterwards."""

import http.server
import pathlib
import re
import sqlite3
import sys
import threading
import time
import urllib.request

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.browser import Browser  # noqa: E402
from sandbox.collector import Collector  # noqa: E402
from sandbox.postfix import SandboxError, wait_for  # noqa: E402
from tests import tap  # noqa: E402
from tests.people import NO_CAP, campaign  # noqa: E402
from tests.postfix import MtaWorld  # noqa: E402

WEB, CLICKER = "web@example.com", "clicker@example.com"
CONSENT = {"receive": True, "track_open": True, "track_click": True, "profile": True}
KEY = "the-key-of-the-shop"
HUMAN = 1  # MrgHitClass
OPEN, CLICK, PAGE_SHOWN, BY_PAGE, BY_ONE_CLICK = 1, 2, 3, 4, 5


class Site(http.server.ThreadingHTTPServer):
    """The web site that a link leads to, and the webmail that shows the mail."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SiteHandler)
        self.origin = f"http://127.0.0.1:{self.server_port}"
        self.pages = {}
        self.thread = threading.Thread(target=self.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.shutdown()
        self.thread.join()
        self.server_close()


class SiteHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = self.server.pages.get(self.path.partition("?")[0])
        self.send_response(200 if page else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(page or b"")

    def log_message(self, *arguments):
        pass


class Round(MtaWorld):
    def __init__(self):
        self.site = Site()
        super().__init__(settings={**NO_CAP, "site shop": {
            "key": KEY, "origins": self.site.origin}})
        self.collector = Collector(self.merganser)
        self.browser = Browser(self.directory)

    def __enter__(self):
        super().__enter__()
        self.merganser.import_profiles(
            [{"address": each, "first_name": "Wi", "interest": "Sea", "consent": CONSENT}
             for each in (WEB, CLICKER)])
        self.collector.prepare().start()
        self.site.pages["/landing"] = (
            f'<h1>Landed</h1><script async src="http://127.0.0.1:{self.collector.port}/tag.js" '
            f'data-key="{KEY}"></script>').encode()
        self.site.__enter__()
        self.browser.__enter__()
        return self

    def __exit__(self, *exception):
        try:
            self.browser.__exit__(*exception)
            self.site.__exit__(*exception)
            self.collector.stop_well()
        finally:
            super().__exit__(*exception)

    def message(self, number):
        html = (f'<html><body><h1>Hi {{FirstName|there}}</h1><a id="go" '
                f'href="{self.site.origin}/landing?from=mail#top">Look</a> '
                '<a id="leave" href="{{unsubscribe_url}}">Leave</a></body></html>')
        return campaign(html=html, number=number).replace(
            b"X-Campaign-Track: opens", b"X-Campaign-Track: opens, clicks")

    def copy_for(self, address):
        return next(c for c in self.sink.deliveries() if c.recipient == address)

    def load(self):
        return self.merganser.tool("events", "load", "--once")

    def hits(self):
        with sqlite3.connect(self.merganser.database) as database:
            return database.execute(
                "SELECT kind, class, key IS NOT NULL FROM hit ORDER BY at, id").fetchall()


@tap.case
def the_mail_is_opened_and_a_link_followed(world):
    world.send_and_wait(world.message("first"), [WEB, CLICKER])
    sealed = time.time()
    world.site.pages["/mail"] = world.copy_for(WEB).text("html").encode()
    # Within three seconds nobody reads (MRG_QUICK_S).
    wait_for(lambda: time.time() > sealed + 4, 10, "the time that people take")
    world.browser.open(f"{world.site.origin}/mail")
    tap.equal(world.browser.text("h1"), "Hi Wi", "mail")
    loaded = world.browser.run("const i = document.querySelector('img[src*=\"/o/\"]');"
                               "return [i.complete, i.naturalWidth]")
    tap.equal(loaded, [True, 1], "pixel")
    world.browser.click("#go")
    wait_for(lambda: world.browser.text("h1") == "Landed", 20, "the landing page")
    # The script has taken the sealed id out of the address.
    wait_for(lambda: world.browser.url() == f"{world.site.origin}/landing?from=mail#top", 20,
             "the clean address")
    tap.equal(world.browser.run("return localStorage.length + document.cookie.length"), 0,
              "kept in the browser before a consent")


@tap.case
def the_page_unsubscribes_by_its_button(world):
    world.browser.open(f"{world.site.origin}/mail")
    world.browser.click("#leave")
    wait_for(lambda: world.browser.text("h1") == "Unsubscribe", 20, "the page")
    world.browser.click("button.primary")
    wait_for(lambda: world.browser.text("h1") == "You are unsubscribed", 20, "the answer")


@tap.case
def one_click_unsubscribes_without_a_page(world):
    message = world.copy_for(CLICKER).message()
    tap.equal(message["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click", "header")
    url = re.search(r"<(http[^>]+)>", message["List-Unsubscribe"]).group(1)
    with urllib.request.urlopen(url, data=b"List-Unsubscribe=One-Click", timeout=30) as answer:
        tap.equal(answer.status, 200, "status")


@tap.case
def each_is_stored_once_with_its_class(world):
    world.load()
    hits = world.hits()
    world.load()
    tap.equal(world.hits(), hits, "loaded again")
    counts = {kind: sum(hit[0] == kind for hit in hits) for kind, _, _ in hits}
    # The mail was shown twice, the link followed once.
    tap.equal((counts.get(OPEN), counts.get(CLICK), counts.get(BY_PAGE),
               counts.get(BY_ONE_CLICK)), (2, 1, 1, 1), f"kinds in {hits}")
    tap.equal({hit[1:] for hit in hits if hit[0] in (OPEN, CLICK)}, {(HUMAN, 1)}, "classes")
    with sqlite3.connect(world.merganser.database) as database:
        tap.equal(database.execute("SELECT count(*), count(key) FROM web_event").fetchone(), (1, 1),
                  "the event that made the browser the person's")


@tap.case
def the_next_one_is_withheld(world):
    world.sink.clear()
    world.send_and_wait(world.message("second"), [WEB, CLICKER])
    tap.equal(world.sink.deliveries(), [], "copies")
    for address in (WEB, CLICKER):
        tap.equal(world.merganser.why(address)[0]["reason"], "suppressed: unsubscribed", address)


def world():
    try:
        return Round()
    except SandboxError as reason:
        raise tap.Skip(reason) from reason


tap.main(world)
