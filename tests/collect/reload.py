# SPDX-License-Identifier: Apache-2.0
"""A reload: all of the new configuration or all of the old one, and no request is lost."""

import hashlib
import hmac
import http.client
import json
import pathlib
import re
import shutil
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.collector import CLICK, OPEN, PREFERENCES, free_port  # noqa: E402
from sandbox.postfix import wait_for  # noqa: E402
from tests import tap  # noqa: E402
from tests.collector import KEY, LINKS, World  # noqa: E402

SECRET = "s" * 40
PROFILE = b'{"address": "cid@example.com", "first_name": "Cid"}\n'


def change(world, **settings):
    """Settings of [collector], written and not yet read; None leaves one out."""
    world.merganser.settings["collector"].update(settings)
    world.merganser.write_conf()


def take(world, **settings):
    change(world, **settings)
    is_taken, text = world.collector.reload()
    tap.true(is_taken, text)


def refuse(world, words):
    is_taken, text = world.collector.reload()
    tap.true(not is_taken, "it was taken")
    tap.contains(text, words, "log")


def pages(world, name):
    """A folder of pages under whose title stands name."""
    folder = world.merganser.directory / name
    shutil.copytree(world.merganser.directory / "collect", folder)
    texts = folder / "texts" / "en.conf"
    text, n = re.subn(r"(?m)^preferences_title = .*$", f"preferences_title = {name}",
                      texts.read_text())
    tap.equal(n, 1, "titles")
    texts.write_text(text)
    return folder


def preferences(world, token=None):
    return world.collector.get(f"/p/{token or world.collector.token(PREFERENCES)}").text


class Visitors:
    """Threads that ask over one connection each, for as long as they may."""

    def __init__(self, world, paths):
        self.port = world.collector.port
        self.answers = []
        self.is_over = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(path,)) for path in paths]

    def run(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.connect()
            kept = connection.sock
            while not self.is_over.is_set():
                connection.request("GET", path)
                response = connection.getresponse()
                body = response.read().decode(errors="replace")
                self.answers.append((response.status, path, body, connection.sock is kept))
        except (OSError, http.client.HTTPException) as problem:
            self.answers.append((0, path, repr(problem), False))
        finally:
            connection.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self.is_over.set()
        for thread in self.threads:
            thread.join()


@tap.case
def nobody_is_dropped_and_nobody_gets_half_of_each():
    with World({"rate_token": "0", "rate_address": "0", "classes": "promo"}) as world:
        before, after = pages(world, "Alpha"), pages(world, "Beta")
        take(world, pages=before)
        page = f"/p/{world.collector.token(PREFERENCES)}"
        pixel = f"/o/{world.collector.token(OPEN)}.gif"
        # The title is of the pages, the class of the configuration itself.
        wanted = {("Alpha", "class_promo"), ("Beta", "class_news")}
        with Visitors(world, [page, page, pixel, pixel]) as visitors:
            for i in range(20):
                take(world, **({"pages": after, "classes": "news"} if i % 2 == 0 else
                               {"pages": before, "classes": "promo"}))
        bad = [each for each in visitors.answers if each[0] != 200 or not each[3]]
        tap.equal(bad[:3], [], "answers that were none, or over another connection")
        seen = {("Alpha" if "Alpha" in body else "Beta",
                 *(name for name in ("class_promo", "class_news") if name in body))
                for _, path, body, _ in visitors.answers if path == page}
        tap.equal(seen, wanted, "title and class")
        tap.equal(sum(hit["kind"] == "1" for hit in world.collector.hits()),
                  sum(path == pixel for _, path, *_ in visitors.answers), "opens")


@tap.case
def a_request_that_has_begun_ends_as_it_began():
    with World() as world:
        body = json.dumps({"writeKey": KEY, "event": "bought"}).encode()
        head = (b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Connection: close\r\n%%sContent-Length: %d\r\n\r\n" % len(body))
        with socket.create_connection(("127.0.0.1", world.collector.port), timeout=10) as client:
            client.sendall(head % b"Expect: 100-continue\r\n")
            tap.equal(client.recv(4096).split()[1], b"100", "its headers are read")
            world.merganser.settings["site shop"] = {"key": "another", "origins": ""}
            take(world)
            tap.equal(world.collector.raw(head % b"" + body).split()[1], b"401", "a new one")
            client.sendall(body)
            tap.equal(client.recv(4096).split()[1], b"200", "the one that had begun")


@tap.case
def a_new_key_opens_from_the_reload_on():
    with World() as world:
        old = world.collector.token(OPEN)
        world.merganser.tool("key", "new")
        new = world.collector.token(OPEN)
        tap.equal(world.collector.get(f"/o/{new}.gif").status, 404, "before")
        take(world)
        tap.equal([world.collector.get(f"/o/{each}.gif").status for each in (new, old)],
                  [200, 200], "the new key's and the old one's")


@tap.case
def what_does_not_load_changes_nothing():
    with World() as world:
        pages(world, "Alpha")
        token = world.collector.token(PREFERENCES)
        conf = world.merganser.conf
        good = conf.read_text()
        keys = world.merganser.keys.read_bytes()

        def stays(words):
            refuse(world, words)
            tap.lacks(preferences(world, token), "Alpha", "page")

        changed = good.replace(f"pages = {world.merganser.directory / 'collect'}",
                               f"pages = {world.merganser.directory / 'Alpha'}")
        tap.true(changed != good, "no pages in the configuration")
        conf.write_text(changed.replace("[collector]", "[collector]\nnonsense = 1"))
        stays("nonsense")
        conf.write_text(changed.replace("[collector]", "[collector]\ntrusted_proxies = x"))
        stays("'trusted_proxies' in [collector]")
        conf.write_text(changed)
        page = world.merganser.directory / "Alpha" / "preferences.hbs"
        template = page.read_text()
        page.write_text("{{#if}}")
        stays("preferences.hbs")
        page.write_text(template)
        world.merganser.keys.write_bytes(keys.replace(b"person", b"nobody"))
        stays(str(world.merganser.keys))
        world.merganser.keys.write_bytes(keys)
        is_taken, text = world.collector.reload()
        tap.true(is_taken, text)
        tap.contains(preferences(world), "Alpha", "page")
        conf.unlink()
        refuse(world, str(conf))
        tap.contains(preferences(world), "Alpha", "page")


@tap.case
def what_only_a_restart_changes_is_refused_by_name():
    with World() as world:
        other = pages(world, "Alpha")
        was = dict(world.merganser.settings["collector"])
        changes = {"listen": f"127.0.0.1:{free_port()}", "threads": "3", "connections": "99",
                   "timeout": "9s", "journal": other, "journal_max_bytes": "7M",
                   "journal_sync": "0s"}
        for key, value in changes.items():
            change(world, pages=other, **{key: value})
            refuse(world, f"'{key}' in [collector] is another one now, and only a restart "
                          "changes it")
            tap.lacks(preferences(world), "Alpha", f"page after {key}")
            world.merganser.settings["collector"] = dict(was)
        for section, key, value, words in (
                ("store", "plugin", "pgsql", "'plugin' in [store]"),
                ("plugin sqlite", "durability", "normal", "[plugin sqlite]"),
                ("milter", "plugin_dir", "/nowhere", "'plugin_dir' in [milter]"),
                ("milter", "log", "syslog", "'log' in [milter]")):
            kept = world.merganser.settings[section][key]
            world.merganser.settings[section][key] = value
            change(world, pages=other)
            refuse(world, words)
            world.merganser.settings[section][key] = kept
            world.merganser.settings["collector"] = dict(was)
        take(world)
        tap.lacks(preferences(world), "Alpha", "page")


@tap.case
def another_key_for_people_is_refused():
    with World() as world:
        kept = world.merganser.keys.read_bytes()
        world.merganser.keys.unlink()
        world.merganser.tool("key", "new")
        refuse(world, "the key for people is another one now, and would recognise nobody")
        world.merganser.keys.write_bytes(kept)
        take(world)


@tap.case
def limits_change_and_what_was_counted_counts():
    with World({"rate_address": "5"}) as world:
        while time.time() % 60 > 45:
            time.sleep(0.5)
        ask = {"X-Forwarded-For": "203.0.113.5"}
        tap.equal([world.collector.get("/nothing", **ask).status for _ in range(6)],
                  [404] * 5 + [429], "statuses")
        take(world, rate_address="7")
        tap.equal([world.collector.get("/nothing", **ask).status for _ in range(3)],
                  [404] * 2 + [429], "statuses with a higher limit")
        take(world, rate_address="0")
        tap.equal(world.collector.get("/nothing", **ask).status, 404, "without a limit")


@tap.case
def networks_are_read_again():
    with World({"trusted_proxies": "203.0.113.0/24"}) as world:
        ask = {"X-Forwarded-For": "198.51.100.7"}
        path = f"/o/{world.collector.token(OPEN)}.gif"
        world.collector.get(path, **ask)
        take(world, trusted_proxies="127.0.0.0/8")
        world.collector.get(path, **ask)
        tap.equal([hit["network"] for hit in world.collector.hits()], ["7f0000", "c63364"],
                  "networks")


@tap.case
def links_that_are_in_memory_know_the_new_sites():
    with World(others={"site shop": None}) as world:
        path = f"/c/{world.collector.token(CLICK, link=1)}"
        for _ in "twice":
            tap.equal(world.collector.get(path).headers["Location"], LINKS[1], "before")
        world.merganser.settings["site shop"] = {"key": KEY, "origins": "https://shop.example.com"}
        take(world)
        tap.contains(world.collector.get(path).headers["Location"], LINKS[1] + "?mrg_id=",
                     "after")
        tap.contains(world.collector.get("/metrics").text, "link_cache_misses_total 1\n",
                     "questions to the store")


def post_profile(world):
    now = int(time.time())
    signature = hmac.new(SECRET.encode(), f"{now}.".encode() + PROFILE, hashlib.sha256)
    return world.collector.post("/v1/profiles", PROFILE, "application/x-ndjson", **{
        "X-Signature": f"t={now},v1={signature.hexdigest()}"}).status


@tap.case
def secret_path_and_log_are_read_again():
    with World() as world:
        tap.equal(post_profile(world), 404, "without a secret")
        secret = world.merganser.directory / "secret"
        secret.write_text(SECRET)
        secret.chmod(0o600)
        world.merganser.own(secret)
        log = world.collector.access_log
        other = log.with_name("other.log")
        take(world, webhook_secret_file=secret, base_path="/mail", access_log=other)
        tap.equal(post_profile(world), 404, "at the old path")
        tap.equal(world.collector.get("/mail/healthz").status, 200, "at the new path")
        wait_for(lambda: '"route":"health"' in other.read_text(), 10, "the line in the new log")
        take(world, base_path="")
        tap.equal(post_profile(world), 200, "with a secret")


@tap.case
def a_reload_goes_on_in_a_rotated_log():
    with World() as world:
        log = world.collector.access_log
        world.collector.get("/style.css")
        log.rename(log.with_suffix(".1"))
        take(world)
        # What the old one had gathered is written, and nothing more.
        tap.contains(log.with_suffix(".1").read_text(), '"route":"style"', "the rotated log")
        world.collector.get("/tag.js")
        wait_for(lambda: '"route":"tag"' in log.read_text(), 10, "the line in the new log")
        tap.lacks(log.with_suffix(".1").read_text(), '"route":"tag"', "the rotated log")


if __name__ == "__main__":
    tap.main()
