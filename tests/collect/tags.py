# SPDX-License-Identifier: Apache-2.0
"""Event tags, the script for web pages, and webhooks."""

import base64
import hashlib
import hmac
import json
import pathlib
import re
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.collector import CLICK, IDENTITY  # noqa: E402
from tests import tap  # noqa: E402
from tests.collector import ANN, KEY, ORIGIN, World  # noqa: E402

SECRET = "a secret of thirty-two bytes or more"
VIEWED = {"event": "Product Viewed", "properties": {"sku": "4711", "price": 9.5},
          "anonymousId": "anon-1", "messageId": "m-1"}


class WithSecret(World):
    def __init__(self):
        super().__init__()
        self.secret = self.merganser.directory / "secret"
        self.merganser.settings["collector"]["webhook_secret_file"] = self.secret

    def __enter__(self):
        self.merganser.directory.mkdir()
        self.secret.write_text(SECRET + "\n")
        self.secret.chmod(0o600)
        self.merganser.own(self.secret)
        return super().__enter__()


def send(world, path, body, key=KEY, **headers):
    body = {"writeKey": key, **body} if key else body
    return world.collector.post(path, json.dumps(body), "application/json", **headers)


@tap.case
def an_event_is_recorded(world):
    world.new_hits()
    answer = send(world, "/v1/track", VIEWED, Origin=ORIGIN)
    tap.equal((answer.status, json.loads(answer.text)), (200, {"success": True}), "answer")
    tap.equal(answer.headers["Access-Control-Allow-Origin"], ORIGIN, "CORS")
    hit, = world.new_hits()
    tap.equal((hit["kind"], hit["site"], hit["name"], hit["anonymous"], hit["event"], hit["token"]),
              ("8", "shop", "Product Viewed", "anon-1", "m-1", "0"), "hit")
    tap.equal(json.loads(hit["data"]), VIEWED["properties"], "data")


@tap.case
def a_beacon_is_plain_text(world):
    body = json.dumps({"writeKey": KEY, **VIEWED})
    answer = world.collector.post("/v1/track", body, "text/plain;charset=UTF-8", Origin=ORIGIN)
    tap.equal(answer.status, 200, "status")


@tap.case
def a_server_sends_its_key_as_segments_do(world):
    basic = "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
    tap.equal(send(world, "/v1/page", {"name": "Home"}, key=None, Authorization=basic).status,
              200, "status")
    for bad in ("Basic !!!", "Basic ", "Bearer x", "Basic " + "A" * 5000):
        tap.equal(send(world, "/v1/page", {}, key=None, Authorization=bad).status, 401, bad[:20])


@tap.case
def who_has_no_key_or_another_origin_is_refused(world):
    world.new_hits()
    tap.equal(send(world, "/v1/track", VIEWED, key="wrong").status, 401, "key")
    tap.equal(send(world, "/v1/track", VIEWED, key=None).status, 401, "no key")
    answer = send(world, "/v1/track", VIEWED, Origin="https://evil.example")
    tap.equal(answer.status, 403, "origin")
    tap.true("Access-Control-Allow-Origin" not in answer.headers, "CORS for a stranger")
    tap.equal(world.new_hits(), [], "hits")


@tap.case
def a_browser_may_ask_first(world):
    def ask(origin):
        return world.collector.request("OPTIONS", "/v1/batch", headers={
            "Origin": origin, "Access-Control-Request-Method": "POST"})
    answer = ask(ORIGIN)
    tap.equal((answer.status, answer.headers["Access-Control-Allow-Origin"]), (204, ORIGIN), "ours")
    tap.contains(answer.headers["Access-Control-Allow-Methods"], "POST", "methods")
    tap.equal(ask("https://evil.example").status, 403, "a stranger")


@tap.case
def a_sealed_id_makes_events_the_persons(world):
    world.new_hits()
    location = world.collector.get(
        f"/c/{world.collector.token(CLICK, 'cd' * 16, link=1)}").headers["Location"]
    identity = re.search(r"mrg_id=([\w-]+)", location).group(1)
    send(world, "/v1/identify", {"anonymousId": "anon-2", "mrgId": identity})
    send(world, "/v1/track", {**VIEWED, "mrgId": world.collector.token(CLICK, "ef" * 16)})
    click, identify, track = world.new_hits()
    tap.equal((identify["kind"], identify["person"], identify["anonymous"]),
              ("10", "cd" * 16, "anon-2"), "identify")
    tap.equal((track["token"], track["person"]), ("0", "0" * 32), "a token for something else")


@tap.case
def a_batch_is_taken_whole_or_not(world):
    world.new_hits()
    good = [{"type": "track", **VIEWED, "messageId": f"b-{i}"} for i in range(3)]
    tap.equal(send(world, "/v1/batch", {"batch": good}).status, 200, "batch")
    tap.equal([hit["event"] for hit in world.new_hits()], ["b-0", "b-1", "b-2"], "hits")
    for batch in ([*good, {"type": "alias"}], [*good, 7], [], [{"type": "track"}], "x",
                  [good[0]] * 501):
        tap.equal(send(world, "/v1/batch", {"batch": batch}).status, 400, str(batch)[:40])
    tap.equal(world.new_hits(), [], "hits")


@tap.case
def sizes_are_bounded(world):
    fits = {"event": "x", "properties": {"t": "a" * 32000}}
    tap.equal(send(world, "/v1/track", fits).status, 200, "32 kB")
    tap.equal(send(world, "/v1/track", {"event": "x", "properties": {"t": "a" * 32800}}).status,
              413, "an event")
    over = {"batch": [{"type": "track", "event": "x", "properties": {"t": "a" * 32800}}]}
    tap.equal(send(world, "/v1/batch", over).status, 400, "an event of a batch")
    tap.equal(send(world, "/v1/batch", {"batch": [{"type": "track", "event": "x",
              "properties": {"t": "a" * 30000}}] * 17}).status, 413, "a batch")
    tap.equal(send(world, "/v1/track", {"event": "x" * 256}).status, 400, "a name")


@tap.case
def what_is_no_json_object_is_refused(world):
    for body in ("", "[]", "{", "7", '{"a":1,"a":2}', "\xff", "[" * 5000, '{"event":{}}'):
        answer = world.collector.post("/v1/track", body.encode("latin-1"), "application/json")
        tap.true(answer.status in (400, 401), f"{body[:20]}: {answer.status}")


@tap.case
def who_asks_not_to_be_observed_is_not_recorded(world):
    world.new_hits()
    for header in ({"Sec-GPC": "1"}, {"DNT": "1"}):
        tap.equal(send(world, "/v1/track", VIEWED, **header).status, 200, "answer")
    tap.equal(world.new_hits(), [], "hits")


@tap.case
def a_page_without_scripts_has_a_pixel(world):
    world.new_hits()
    path = f"/v1/pixel.gif?writeKey={KEY}&event=Content+Downloaded&p_file=a%26b.pdf"
    answer = world.collector.get(path, Referer=ORIGIN + "/page?x=y")
    tap.equal((answer.status, len(answer.body)), (200, 43), "pixel")
    hit, = world.new_hits()
    tap.equal((hit["name"], json.loads(hit["data"])),
              ("Content Downloaded", {"file": "a&b.pdf"}), "hit")
    tap.equal(world.collector.get(path, Referer="https://evil.example/").status, 403, "referrer")
    for bad in ("", "?event=x", "?writeKey=no&event=x", "?" + "a=b&" * 200):
        tap.true(world.collector.get("/v1/pixel.gif" + bad).status in (400, 401), bad[:20])


@tap.case
def the_script_is_small_and_keeps_nothing_unasked(world):
    answer = world.collector.get("/tag.js")
    tap.equal(answer.status, 200, "status")
    tap.true(len(answer.body) < 3000, f"{len(answer.body)} bytes")
    tap.contains(answer.headers["Content-Type"], "javascript", "type")
    for word in ("sendBeacon", "globalPrivacyControl", "doNotTrack"):
        tap.contains(answer.text, word, "script")
    tap.lacks(answer.text, "cookie", "script")


# -- webhooks ---------------------------------------------------------------------------------

def sign(body, at=None, secret=SECRET):
    at = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def hook(world, path, body, signature=None, key=None):
    headers = {"X-Signature": signature or sign(body)}
    if key:
        headers["Idempotency-Key"] = key
    return world.collector.post(path, body, "application/x-ndjson", **headers)


@tap.case
def a_signed_profile_is_taken_once(world):
    body = '{"address": "new@example.com", "first_name": "New"}\n'
    answer = hook(world, "/v1/profiles", body, key="k1")
    tap.equal((answer.status, json.loads(answer.text)), (200, {"taken": 1}), "answer")
    tap.contains(world.merganser.tool("profile", "export", "new@example.com").stdout, "New", "profile")
    answer = hook(world, "/v1/profiles", body, key="k1")
    tap.equal(json.loads(answer.text), {"repeated": True}, "again")
    answer = hook(world, "/v1/profiles", body.replace("New", "Old"), key="k1")
    tap.equal(answer.status, 409, "another under the same key")


@tap.case
def a_replay_is_done_once(world):
    body = '{"address": "again@example.com", "first_name": "A"}\n'
    signature = sign(body)
    tap.equal(json.loads(hook(world, "/v1/profiles", body, signature).text), {"taken": 1}, "first")
    tap.equal(json.loads(hook(world, "/v1/profiles", body, signature).text), {"repeated": True},
              "replay")


@tap.case
def who_cannot_sign_is_refused(world):
    body = '{"address": "forged@example.com"}\n'
    now = int(time.time())
    for signature in (sign(body, secret="x" * 32), sign(body + " "), sign(body, now - 400),
                      sign(body, now + 400), "t=1", "x", f"t={now},v1=", f"t={now},v1=" + "0" * 64,
                      sign(body).replace("v1", "v0")):
        tap.equal(hook(world, "/v1/profiles", body, signature).status, 401, signature[:20])
    answer = world.collector.post("/v1/profiles", body)
    tap.equal(answer.status, 401, "no signature")


@tap.case
def a_consent_is_written_down(world):
    body = json.dumps({"address": ANN, "consent": {"track_open": {
        "granted": False, "source": "shop account"}}}) + "\n"
    tap.equal(hook(world, "/v1/consent", body).status, 200, "status")
    tap.contains(world.merganser.tool("consent", "log", ANN).stdout, "shop account", "log")
    answer = hook(world, "/v1/consent", json.dumps({"address": ANN, "first_name": "x"}))
    tap.equal(answer.status, 400, "a field")


@tap.case
def a_fault_is_named_without_the_value(world):
    for body in ('{"address": "secret-value"}', '{"first_name": "secret-value"}', "[]", "{",
                 '{"address": "a@example.com", "unknown": "secret-value"}'):
        answer = hook(world, "/v1/profiles", body + "\n")
        tap.equal(answer.status, 400, body)
        tap.contains(answer.text, "body:1:1:", "error")
        tap.lacks(answer.text, "secret-value", "error")


if __name__ == "__main__":
    tap.main(WithSecret)
