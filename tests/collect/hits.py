# SPDX-License-Identifier: Apache-2.0
"""Pixels and links: what is answered, what is written down, and what is refused."""

import pathlib
import socket
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from sandbox.collector import CLICK, IDENTITY, OPEN, UNSUBSCRIBE  # noqa: E402
from tests import tap  # noqa: E402
from tests.collector import LINKS, World  # noqa: E402


@tap.case
def a_pixel_is_a_gif_that_nobody_keeps(world):
    world.new_hits()
    person = "0123456789abcdef" * 2
    token = world.collector.token(OPEN, person, message=77)
    answer = world.collector.get(f"/o/{token}.gif", **{
        "User-Agent": "Mail/1.0 ünï", "Accept-Language": "de-CH", "Referer":
        "https://user@webmail.example:8443/inbox?id=1"})
    tap.equal((answer.status, len(answer.body), answer.body[:6]), (200, 43, b"GIF89a"), "pixel")
    tap.contains(answer.headers["Cache-Control"], "no-store", "Cache-Control")
    tap.true("Set-Cookie" not in answer.headers, "a cookie")
    hit, = world.new_hits()
    tap.equal((hit["kind"], hit["person"], hit["message"], hit["language"], hit["referrer"],
               hit["network"]),
              ("1", person, "77", "de-CH", "webmail.example:8443", "7f0000"), "hit")
    tap.contains(hit["agent"], "Mail/1.0", "agent")


@tap.case
def a_link_leads_where_the_campaign_says(world):
    world.new_hits()
    for number, target in LINKS.items():
        for _ in "twice":
            answer = world.collector.get(
                f"/c/{world.collector.token(CLICK, link=number)}", DNT="1")
            tap.equal((answer.status, answer.headers["Location"]), (302, target), "redirect")
            tap.contains(answer.headers["Cache-Control"], "no-store", "Cache-Control")
    tap.equal({(hit["kind"], hit["link"]) for hit in world.new_hits()},
              {("2", "1"), ("2", "2")}, "hits")


@tap.case
def a_head_is_answered_and_known_as_one(world):
    world.new_hits()
    answer = world.collector.request("HEAD", f"/c/{world.collector.token(CLICK, link=2)}")
    tap.equal((answer.status, answer.headers["Location"]), (302, LINKS[2]), "HEAD")
    world.collector.get(f"/c/{world.collector.token(CLICK, link=2)}",
                        **{"Sec-Purpose": "prefetch;prerender"})
    tap.equal([hit["flags"] for hit in world.new_hits()], ["1", "2"], "flags")


@tap.case
def a_sealed_target_needs_no_store(world):
    target = "https://shop.example.org/x?y=z"
    answer = world.collector.get(f"/c/{world.collector.token(CLICK, target=target)}")
    tap.equal((answer.status, answer.headers["Location"]), (302, target), "redirect")
    for bad in ("javascript:alert(1)", "//evil.example/", "data:text/html,x", "https:///x"):
        answer = world.collector.get(f"/c/{world.collector.token(CLICK, target=bad)}")
        tap.equal(answer.status, 404, bad)


@tap.case
def a_site_of_ours_gets_a_sealed_id_unless_asked_not_to(world):
    token = world.collector.token(CLICK, link=1)
    location = world.collector.get(f"/c/{token}").headers["Location"]
    tap.true(location.startswith(LINKS[1] + "?mrg_id="), location)
    tap.equal(world.collector.get(f"/c/{token}", **{"Sec-GPC": "1"}).headers["Location"],
              LINKS[1], "with GPC")
    sealed = "https://shop.example.com/a?b=c#d"
    location = world.collector.get(
        f"/c/{world.collector.token(CLICK, target=sealed)}").headers["Location"]
    tap.true(location.startswith("https://shop.example.com/a?b=c&mrg_id="), location)
    tap.true(location.endswith("#d"), location)
    lookalike = "https://shop.example.com@evil.example/"
    location = world.collector.get(
        f"/c/{world.collector.token(CLICK, target=lookalike)}").headers["Location"]
    tap.equal(location, lookalike, "another host")


def answer_of(world, method, path):
    answer = world.collector.request(method, path)
    headers = {k: v for k, v in answer.headers.items() if k != "Date"}
    return answer.status, answer.body, headers


@tap.case
def whatever_is_no_token_of_ours_gets_one_answer(world):
    world.new_hits()
    click = world.collector.token(CLICK, link=1)
    flipped = click[:40] + ("A" if click[40] != "A" else "B") + click[41:]
    bad = [f"/c/{flipped}", f"/c/{click[:-1]}", f"/c/{click}A", "/c/x", f"/c/{click}/", "/c/a/b",
           f"/c/{world.collector.token(OPEN)}", f"/c/{world.collector.token(IDENTITY)}",
           f"/c/{world.collector.token(CLICK, link=9)}",
           f"/o/{click}.gif", f"/o/{world.collector.token(OPEN)}", "/o/.gif",
           f"/u/{click}", f"/p/{world.collector.token(UNSUBSCRIBE)}",
           "/nothing", "/", "/c/", "/%63/x", "/c/../healthz", "//healthz", "/o/%2e%2e/x"]
    answers = {path: answer_of(world, "GET", path) for path in bad}
    tap.equal({repr(a) for a in answers.values()}, {repr(answers["/nothing"])}, "answers")
    tap.equal(answers["/nothing"][0], 404, "status")
    tap.equal(world.new_hits(), [], "hits")


@tap.case
def a_method_that_a_route_has_not_is_refused(world):
    token = world.collector.token(OPEN)
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "X"):
        answer = world.collector.request(method, f"/o/{token}.gif")
        tap.equal(answer.status, 405, method)


@tap.case
def what_is_too_long_or_no_http_is_refused(world):
    long = b"a" * 40000
    for data in (b"GET /" + long + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + long + b"\r\n\r\n"):
        answer = world.collector.raw(data)
        tap.true(answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")) or not answer, answer[:40])
    for data in (b"\0" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"):
        tap.true(b" 200 " not in world.collector.raw(data, 1), data)
    tap.equal(world.collector.get("/healthz").status, 200, "afterwards")


@tap.case
def a_body_that_nobody_asked_for_is_refused(world):
    token = world.collector.token(OPEN)
    answer = world.collector.request("GET", f"/o/{token}.gif", body="x" * 10)
    tap.equal(answer.status, 413, "GET with a body")
    answer = world.collector.post(f"/u/{world.collector.token(UNSUBSCRIBE)}", "x" * 20000)
    tap.equal(answer.status, 413, "a large form")
    chunked = (f"POST /u/{world.collector.token(UNSUBSCRIBE)} HTTP/1.1\r\nHost: x\r\n"
               "Transfer-Encoding: chunked\r\n\r\n").encode()
    chunked += b"2000\r\n" + b"x" * 0x2000 + b"\r\n"
    answer = world.collector.raw(chunked + b"2000\r\n" + b"x" * 0x2000 + b"\r\n1\r\nx\r\n0\r\n\r\n")
    tap.contains(answer, b" 413 ", "chunks")


@tap.case
def connections_are_kept(world):
    token = world.collector.token(OPEN)
    request = f"GET /o/{token}.gif HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", world.collector.port), timeout=10) as client:
        for _ in range(3):
            client.sendall(request)
            answer = b""
            while not answer.endswith(b";"):
                chunk = client.recv(4096)
                tap.true(chunk, "the connection was closed")
                answer += chunk
            tap.contains(answer, b" 200 ", "answer")


@tap.case
def the_peer_is_what_a_trusted_front_says(world):
    world.new_hits()
    token = world.collector.token(OPEN)
    for forwarded in ("203.0.113.77", "8.8.8.8, 203.0.113.77, 127.0.0.1", "2001:db8:1:2::3",
                      "[2001:db8:1:2::3]:4711", "rubbish", "::ffff:203.0.113.9"):
        world.collector.get(f"/o/{token}.gif", **{"X-Forwarded-For": forwarded})
    tap.equal([hit["network"] for hit in world.new_hits()],
              ["cb0071", "cb0071", "20010db80001", "20010db80001", "7f0000", "cb0071"],
              "networks")


@tap.case
def the_access_log_names_nobody(world):
    token = world.collector.token(OPEN, "ab" * 16)
    world.collector.get(f"/o/{token}.gif", **{"X-Forwarded-For": "203.0.113.200"})
    world.collector.stop_well()
    log = world.collector.access_log.read_text() + world.collector.log_text()
    tap.contains(log, '"route":"open","method":"GET","status":200', "access log")
    for word in (token, "ab" * 8, "203.0.113", "example.com"):
        tap.lacks(log, word, "logs")
    world.collector.start()


@tap.case
def metrics_are_for_who_asks_the_daemon_itself(world):
    text = world.collector.get("/metrics").text
    tap.contains(text, 'merganser_collector_answers_total{route="health",status="2xx"}', "metrics")
    tap.contains(text, "merganser_collector_journal_records_total ", "metrics")
    answer = world.collector.get("/metrics", **{"X-Forwarded-For": "203.0.113.1"})
    tap.equal(answer.status, 404, "through a front")


if __name__ == "__main__":
    tap.main(World)
