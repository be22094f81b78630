# SPDX-License-Identifier: Apache-2.0
"""What the tool shows before anything is sent: preview, explain, leak-check."""

import html.parser
import http.server
import json
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.bench import Bench, same_copy  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, NOBODY, OUT, PEOPLE, campaign  # noqa: E402

USAGE, DATA, NO_INPUT, CANNOT_CREATE = 64, 65, 66, 73
SECRETS = ("Änn", "Hiking", "Chess", "1500")


def run(bench, *words, conf=None):
    result = subprocess.run(
        [bench.merganser.build / "merganser", "-c", conf or bench.merganser.conf, *words],
        capture_output=True, timeout=60, check=False)
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def write(bench, name, data):
    file = bench.merganser.directory / name
    file.write_bytes(data if isinstance(data, bytes) else data.encode())
    bench.merganser.own(file)
    return file


def people_file(bench, people=PEOPLE):
    return write(bench, "people.jsonl", "".join(json.dumps(p) + "\n" for p in people))


def folder(bench):
    return pathlib.Path(tempfile.mkdtemp(dir=bench.merganser.directory)) / "out"


def messages():
    """Of many shapes; each with a Message-ID of its own."""
    plain = campaign(number="one-part").split(b"Content-Type: multipart")[0]
    return {
        "two parts": campaign(number="p1"),
        "names": campaign(number="p2", last=['Reply-To: "{FirstName|You}" <a@example.com>',
                                             "List-Help: <https://e.example/{{urlencode interest}}>"]),
        "links": campaign(number="p3", html='<a href="{{unsubscribe_url}}">out</a>{Interest}',
                          plain="{{preferences_url}}\n{{hash_pick 'a' 'b' 'c' 'd'}}\n"),
        "transactional": campaign(number="p4", last=["X-Campaign-Class: transactional"]),
        "plain alone": plain + b"Content-Type: text/plain; charset=utf-8\r\n\r\nHi {FirstName|x}"
                               b"\r\n\r\n-- \r\n" + b"long " * 300 + b"\r\n",
        "constant": campaign(number="p6", subject="x", html="<p>all the same</p>", plain="y"),
    }


@tap.case
def files_are_what_the_milter_sends(bench):
    for name, data in messages().items():
        out, message = folder(bench), write(bench, "m.eml", data)
        code, text, err = run(bench, "preview", message, "--to", ANN, "--to", BOB, "--to",
                              NOBODY, "-o", out)
        tap.equal((code, err), (0, ""), f"exit for {name}")
        for person in (ANN, BOB, NOBODY):
            tap.contains(text, f"{person}.eml", "list")
            same_copy(bench.merged(data, person), (out / f"{person}.eml").read_bytes(),
                      f"{name} for {person}")


@tap.case
def people_of_a_file_get_what_those_of_the_store_get(bench):
    people = people_file(bench)
    for name, data in messages().items():
        message = write(bench, "m.eml", data)
        stored = json.loads(run(bench, "preview", message, "--to", ANN, "--to", BOB, "--json")[1])
        filed = json.loads(run(bench, "preview", message, "--profile", people, "--all", "2",
                               "--json")[1])
        for a, b in zip(stored, filed, strict=True):
            same_copy(b["message"].encode(), a["message"].encode(), f"{name} for {a['to']}")


@tap.case
def people_of_a_file_need_no_store(bench):
    conf = write(bench, "away.conf", bench.merganser.conf.read_text().replace(
        "merganser.db", "away/nothing.db"))
    message = write(bench, "m.eml", campaign())
    code, out, err = run(bench, "preview", message, "--profile", people_file(bench), "--json",
                         conf=conf)
    tap.equal((code, err), (0, ""), "exit")
    tap.equal([(p["to"], p["verdict"]) for p in json.loads(out)],
              [(ANN, "deliver"), (BOB, "deliver"), (OUT, "drop")], "people")
    code, out, _ = run(bench, "preview", message, "--profile", people_file(bench), "--to",
                       NOBODY, conf=conf)
    tap.contains(out, "Hi there,", "copy of a stranger")


@tap.case
def people_of_the_store_are_taken_to_a_bound(bench):
    message = write(bench, "m.eml", campaign())
    for n, count in ((1, 1), (2, 2), (1000, 3)):
        code, out, err = run(bench, "preview", message, "--all", str(n), "--json")
        tap.equal((code, err), (0, ""), "exit")
        tap.equal(len(json.loads(out)), count, "people")
    tap.equal(sorted(p["to"] for p in json.loads(out)), sorted([ANN, BOB, OUT]), "people")


@tap.case
def files_are_the_owners_and_are_not_replaced(bench):
    message, out = write(bench, "m.eml", campaign()), folder(bench)
    tap.equal(run(bench, "preview", message, "--to", ANN, "-o", out)[0], 0, "exit")
    file = out / f"{ANN}.eml"
    tap.equal(stat.S_IMODE(file.stat().st_mode), 0o600, "mode of the file")
    tap.equal(stat.S_IMODE(out.stat().st_mode), 0o700, "mode of the folder")
    file.write_text("mine")
    code, _, err = run(bench, "preview", message, "--to", ANN, "-o", out)
    tap.equal((code, file.read_text()), (CANNOT_CREATE, "mine"), "exit and file")
    tap.contains(err, "--force", "error")
    other = out / "other"
    other.write_text("theirs")
    file.unlink()
    file.symlink_to(other)
    tap.equal(run(bench, "preview", message, "--to", ANN, "-o", out)[0], CANNOT_CREATE, "exit")
    tap.equal(run(bench, "preview", message, "--to", ANN, "-o", out, "--force")[0], 0, "exit")
    tap.equal(other.read_text(), "theirs", "what a link pointed to")
    tap.true(not file.is_symlink(), "the link is still there")
    tap.equal(sorted(f.name for f in out.iterdir()), [file.name, "other"], "files")


@tap.case
def file_names_stay_in_their_folder(bench):
    message, out = write(bench, "m.eml", campaign()), folder(bench)
    odd = ["../../etc/x@example.com", ".hidden@example.com", "-rf@example.com", "ä/b@example.com",
           "a?b@example.com", "a*b@example.com", "x" * 230 + "@example.com"]
    words = [w for address in odd for w in ("--to", address)]
    code, text, err = run(bench, "preview", message, *words, "-o", out, "--json")
    tap.equal((code, err), (0, ""), "exit")
    files = [pathlib.Path(p["file"]) for p in json.loads(text) if p["file"]]
    tap.equal(sorted(files), sorted(out.iterdir()), "files")
    tap.equal(len(set(files)), len(odd), "files of people")
    for file in files:
        tap.true(not file.name.startswith((".", "-")) and file.name.isascii(), str(file))


@tap.case
def what_is_typed_wrong_is_explained(bench):
    message = write(bench, "m.eml", campaign())
    for words, code, word in (
            (["preview", message], USAGE, "--to"),
            (["preview", message, "--to", ANN, "--all", "2"], USAGE, "together"),
            (["preview", message, "--all", "1001"], USAGE, "1 to 1000"),
            (["preview", message, "--all", "2"], USAGE, "-o DIR, --html or --json"),
            (["preview", message, "--all", "2", "--html", "--json"], USAGE, "together"),
            (["preview", message, "--to", ANN, "--force"], USAGE, "-o"),
            (["preview", message, "--profile", "people.txt"], USAGE, ".jsonl"),
            (["preview", message, "--profile", "/nonexistent.csv"], NO_INPUT, "No such file"),
            (["preview", message, "--profile", write(bench, "no.jsonl", "")], DATA, "nobody"),
            (["preview", message, "--to", ANN, "-o", "/nonexistent/x"], CANNOT_CREATE,
             "No such file"),
            (["explain", message], USAGE, "--to"),
            (["explain", "/nonexistent.eml", "--to", ANN], NO_INPUT, "No such file"),
            (["leak-check", message, "--people", "1"], USAGE, "2 to"),
            (["leak-check", message, "--threads", "0"], USAGE, "1 to"),
            (["leak-check", write(bench, "no.eml", "Subject: x\n\ny\n")], DATA, "X-Campaign")):
        actual, _, err = run(bench, *words)
        tap.equal(actual, code, f"exit code of {words} ({err})")
        tap.contains(err, word, f"message of {words}")
    for verb in ("preview", "explain", "leak-check"):
        tap.equal(run(bench, verb, "--help")[0], 0, f"{verb} --help")


@tap.case
def worst_verdict_is_the_exit_code(bench):
    message, out = write(bench, "m.eml", campaign(plain="{{#if x}}")), folder(bench)
    code, text, _ = run(bench, "preview", message, "--to", ANN, "--to", BOB, "-o", out)
    tap.equal(code, DATA, "exit")
    tap.contains(text, "reject", "list")
    tap.equal(list(out.iterdir()), [], "files")


# -- the page ---------------------------------------------------------------------------

class Page(html.parser.HTMLParser):
    """Tags and their attributes, and the texts in <mark>."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.marked, self.text, self.in_mark = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.in_mark = tag == "mark"

    def handle_endtag(self, tag):
        self.in_mark = False

    def handle_data(self, data):
        self.text.append(data)
        if self.in_mark:
            self.marked.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def page_of(bench, data, *words):
    message = write(bench, "m.eml", data)
    code, out, err = run(bench, "preview", message, *words, "--html")
    tap.equal((code, err), (0, ""), "exit")
    return out


@tap.case
def page_shows_everybody(bench):
    page = Page(page_of(bench, campaign(number="page"), "--to", ANN, "--to", BOB, "--to", OUT))
    frames = page.all("iframe")
    tap.equal([f["width"] for f in frames], ["600", "600", "375", "375"], "frames")
    for frame in frames:
        tap.equal(frame["sandbox"], "", "sandbox")
        tap.contains(frame["srcdoc"], "default-src 'none'", "policy of a frame")
    tap.contains(frames[0]["srcdoc"], "<b>Gold</b>", "frame of Ann")
    tap.lacks(frames[1]["srcdoc"], "Gold", "frame of Bob")
    text = "".join(page.text)
    for part in (ANN, BOB, OUT, "Änn, your Hiking picks", "suppressed: unsubscribed", "deliver"):
        tap.contains(text, part, "page")
    for part in ("Änn,", "Hiking", "Gold", "Bob,", "Chess"):
        tap.true(any(part in m for m in page.marked), f"{part} is not marked: {page.marked}")
    tap.true(not any("your" in m or "picks" in m for m in page.marked), "what is the same")


@tap.case
def mail_that_gmail_cuts_off_is_told(bench):
    large = '<p>{{#if (eq first_name "Bob")}}' + ("x" * 70 + "\n") * 1500 + "{{/if}}y</p>"
    data = campaign(number="clip", html=large)
    message, words = write(bench, "m.eml", data), ("--to", ANN, "--to", BOB)
    ann, bob = json.loads(run(bench, "preview", message, *words, "--json")[1])
    tap.true(0 < ann["html_bytes"] < 4096, f"size of Ann's: {ann['html_bytes']}")
    tap.true(104448 < bob["html_bytes"] < 110000, f"size of Bob's: {bob['html_bytes']}")
    tap.true("warning" not in ann, "warning for Ann")
    for word in ("Gmail", "102 kB", "less HTML", "pixel_position = top"):
        tap.contains(bob["warning"], word, "warning for Bob")
    code, out, err = run(bench, "preview", message, *words, "-o", folder(bench))
    tap.equal((code, err), (0, f"merganser: warning: {BOB}: {bob['warning']}\n"), "with files")
    tap.lacks(out, "Gmail", "list")
    tap.contains(run(bench, "preview", message, "--to", BOB)[2], bob["warning"], "of one copy")
    tap.equal(run(bench, "preview", message, "--to", ANN)[2], "", "of one that fits")
    page = page_of(bench, data, *words)
    tap.equal(page.count(f"Warning: {bob['warning']}."), 1, "warnings on the page")
    tap.equal(page.count("<br>HTML: 1 kB"), 1, "size on the page")
    on_top = write(bench, "top.conf", bench.merganser.conf.read_text().replace(
        "[stamp]\n", "[stamp]\npixel_position = top\n"))
    told = json.loads(run(bench, "preview", message, "--to", BOB, "--json", conf=on_top)[1])
    tap.contains(told["warning"], "less HTML helps", "with the pixel on top")
    tap.lacks(told["warning"], "pixel_position", "with the pixel on top")


@tap.case
def page_without_html_part_and_without_mail(bench):
    plain = messages()["plain alone"]
    page = Page(page_of(bench, plain, "--to", ANN, "--to", BOB))
    tap.contains(page.all("iframe")[0]["srcdoc"], "Hi Änn", "frame")
    page = Page(page_of(bench, plain, "--to", OUT))
    tap.equal(page.all("iframe"), [], "frames")


# -- advice -----------------------------------------------------------------------------

def advice(bench, data, conf=None):
    """Where and what: the same from check and from preview, and neither fails for it."""
    message = write(bench, "m.eml", data)
    code, out, err = run(bench, "check", "--json", message, conf=conf)
    tap.equal((code, err), (0, ""), "exit of check")
    checked = json.loads(out)[0]["warnings"]
    code, out, err = run(bench, "preview", message, "--to", ANN, "--json", conf=conf)
    tap.equal((code, err), (0, ""), "exit of preview")
    tap.equal(json.loads(out)["warnings"], checked, "warnings of preview and check")
    return [(":".join([w["where"].removeprefix(str(message)).removeprefix(": "),
                       *(str(w[k]) for k in ("line", "column") if k in w)]), w["message"])
            for w in checked]


def expect(bench, data, *expected, conf=None):
    """Each a place and a word of the message; nothing else is said."""
    found = advice(bench, data, conf)
    tap.equal([place for place, _ in found], [place for place, _ in expected], f"of {found}")
    for (_, message), (_, word) in zip(found, expected, strict=True):
        tap.contains(message, word, "warning")


def one_part(kind, text, *lines):
    head = campaign().split(b"Content-Type: multipart")[0].decode()
    return (head + "".join(f"{line}\r\n" for line in lines) +
            f"Content-Type: text/{kind}; charset=utf-8\r\n\r\n{text}\r\n").encode()


def without_base_url(bench):
    return write(bench, "bare.conf", bench.merganser.conf.read_text().replace(
        "base_url = https://news.example.com\n", ""))


@tap.case
def a_sound_message_is_let_alone(bench):
    for name, data in messages().items():
        tap.equal(advice(bench, data), [], f"advice about {name}")


@tap.case
def a_mistyped_field_is_told_wherever_the_message_is_shown(bench):
    data = campaign(number="typo", html="<p>\n{{FirstName}} {{[<img src=x>]}}</p>")
    place, word = "part text/html:2:3", "did you mean 'first_name'?"
    found = advice(bench, data)
    tap.equal(found[0][0], place, "place")
    tap.contains(found[0][1], word, "warning")
    message = write(bench, "m.eml", data)
    _, _, checked = run(bench, "check", message)
    tap.contains(checked, "    2 | {{FirstName}}", "line of check")
    for words in (("--to", ANN), ("--to", ANN, "--to", BOB, "-o", folder(bench))):
        code, _, err = run(bench, "preview", message, *words)
        tap.equal((code, err), (0, checked), "as text")
    code, out, err = run(bench, "preview", message, "--to", ANN, "--to", BOB, "--json", "-o",
                         folder(bench))
    tap.equal((code, err), (0, ""), "exit")
    for person in json.loads(out):
        tap.contains(person["warnings"][0]["message"], word, "with files in JSON")
    page = Page(page_of(bench, data, "--to", ANN, "--to", BOB))
    text = "".join(page.text)
    tap.equal(text.count(word), 1, "warnings on the page")
    tap.contains(text, f"m.eml: {place}", "place on the page")
    tap.lacks(text, str(message.parent), "page")
    tap.equal(page.all("img"), [], "markup of a field's name")
    tap.lacks(page_of(bench, campaign(number="sound"), "--to", ANN), "advice-h", "sound page")
    tap.equal(advice(bench, campaign(number="right", html="<p>{{first_name}}</p>")), [], "right")


@tap.case
def links_that_are_not_tracked_and_addresses_in_text_are_judged(bench):
    expect(bench, campaign(
        number="links", plain="https://a.example/?a=1&copy;2 {{first_name}}\n"
        "  see https:///x. {{! https:///z }}\n",
        html='<a href="shop/" data-no-track>1</a>\n<a data-no-track href="javascript:x">2</a>'
        '<a href="https:///y" data-no-track>3</a>'
        '<a href="https://a.example/?a&copy;b" data-no-track>4</a>'
        '<a href="https://a.example/" data-no-track>5</a>'),
           ("part text/plain:2:7", "cannot be read"), ("part text/html:1:10", "a relative"),
           ("part text/html:2:24", "code or data"), ("part text/html:2:52", "cannot be read"))


@tap.case
def html_without_plain_text_is_told(bench):
    expect(bench, one_part("html", "<p>x</p>"), ("", "no text/plain"))
    expect(bench, one_part("plain", "x"))
    expect(bench, campaign(number="empty", plain=" \n"), ("part text/plain:1:1", "is empty"))
    expect(bench, campaign(number="short", plain="x"))


@tap.case
def a_message_without_subject_is_told(bench):
    expect(bench, campaign(number="s1", subject=""), ("", "no Subject"))
    expect(bench, campaign(number="s1").replace(
        b"Subject: {FirstName|Hello}, your {Interest} picks\r\n", b""), ("", "no Subject"))
    expect(bench, campaign(number="s2", subject="x"))


@tap.case
def a_subject_that_is_empty_for_somebody_is_told(bench):
    message = write(bench, "m.eml", campaign(
        number="empty", subject="{{#if user_has_bought}}Good to have you back{{/if}}"))
    words, text = ("--to", ANN, "--to", BOB), "the Subject is empty for this person"
    code, out, _ = run(bench, "preview", message, *words, "--json")
    ann, bob = json.loads(out)
    tap.equal((code, ann["warnings"], bob["warnings"]),
              (0, [], [{"where": "subject", "message": text}]), "exit and warnings")
    tap.equal(run(bench, "preview", message, *words, "-o", folder(bench))[::2],
              (0, f"merganser: warning: {BOB}: {text}\n"), "as text")
    page = page_of(bench, message.read_bytes(), *words)
    tap.equal(page.count(f"Warning: {text}."), 1, "warnings on the page")


@tap.case
def a_header_for_unsubscription_that_is_replaced_is_told(bench):
    own = "List-Unsubscribe: <https://a.example/out>"
    data = campaign(number="own", last=[own])
    expect(bench, data, ("header List-Unsubscribe", "takes its place"))
    tap.lacks(bench.merged(data), b"a.example/out", "copy")
    data = campaign(number="own-t", last=[own, "X-Campaign-Class: transactional"])
    expect(bench, data)
    tap.contains(bench.merged(data), b"a.example/out", "transactional copy")
    expect(bench, data, conf=without_base_url(bench))
    usual = write(bench, "usual.conf", bench.merganser.conf.read_text().replace(
        "default_class = promo\n", "default_class = transactional\n"))
    expect(bench, campaign(number="own-d", last=[own]), conf=usual)


@tap.case
def mail_that_nobody_can_unsubscribe_from_is_told(bench):
    bare = without_base_url(bench)
    expect(bench, campaign(number="u1"), ("", "nobody can unsubscribe"), conf=bare)
    for n, data in enumerate((
            {"html": '<a href="https://a.example/Unsubscribe">x</a>'}, {"plain": "ABMELDEN: x@y"},
            {"html": '{{#*inline "foot"}}x{{/inline}}{{> foot}}'},
            {"last": ["List-Unsubscribe: <mailto:out@a.example>"]},
            {"last": ["X-Campaign-Class: transactional"]})):
        expect(bench, campaign(number=f"u2-{n}", **data), conf=bare)
    expect(bench, campaign(number="u3"))


def evil_people(canary):
    """Values that would run or load something, were they not escaped."""
    tag = (f"\"'></iframe></pre></title></style><script src={canary}/s></script>"
           f"<img src={canary}/i onerror=alert(1)><link rel=stylesheet href={canary}/c>"
           f"<svg onload=\"fetch('{canary}/v')\">&quot;&#x3c;script>]]>--></main>")
    return [{"address": f"evil{n}@example.com", "first_name": tag + str(n), "interest": tag}
            for n in range(2)] + [{"address": "\"<img/src=x>\"@example.com", "first_name": "Q"}]


def evil_message(canary):
    html_part = f"""<!-- --><script>fetch("{canary}/a");top.document.title="RAN";
document.title="RAN"</script><base href="{canary}/"><LINK rel="stylesheet" href="{canary}/b">
<link rel="preload" as="image" href="{canary}/d"><meta http-equiv="refresh" content="0;{canary}/e">
<img src="{canary}/f" onerror="top.document.title='RAN'" srcset="{canary}/g 2x">
<style>@import "{canary}/h"; body {{ background: url({canary}/j) }}
@font-face {{ font-family: x; src: url({canary}/k) }} p {{ font-family: x }}</style>
<iframe src="{canary}/l"></iframe><object data="{canary}/m"></object><embed src="{canary}/n">
<video src="{canary}/o" autoplay poster="{canary}/q"></video><form action="{canary}/r">
<input type=image src="{canary}/t" autofocus onfocus="top.document.title='RAN'"></form>
<a href="{canary}/u" target="_top" ping="{canary}/w">x</a><svg><image href="{canary}/x"/></svg>
<noscript><img src="{canary}/y"></noscript><p>{{{{{{first_name}}}}}} {{{{interest}}}}</p>
</srcdoc>"></iframe><script>top.document.title="RAN"</script>"""
    return campaign(number="evil", html=html_part, plain="{FirstName} <script>",
                    subject="{FirstName} <script>alert(1)</script>").replace(
                        b"From: News", b"From: {FirstName}")


@tap.case
def page_of_hostile_people_holds_text_alone(bench):
    canary = "https://canary.example"
    text = page_of(bench, evil_message(canary), "--profile",
                   people_file(bench, evil_people(canary)))
    page = Page(text)
    tap.equal({t for t, _ in page.tags} & {"script", "img", "link", "svg", "object", "base", "form"},
              set(), "tags")
    tap.equal(len(page.all("iframe")), 6, "frames")
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            tap.true(not name.startswith("on"), f"attribute {name} of {tag}")
            tap.true(name == "srcdoc" or canary not in (value or ""), f"{name} of {tag}")
    for frame in page.all("iframe"):
        tap.equal(frame["sandbox"], "", "sandbox")
        inner = Page(frame["srcdoc"])
        tap.equal([t for t, _ in inner.tags if t in ("link", "base")], [], "tags of a frame")
        tap.equal([m for m in inner.all("meta") if m.get("http-equiv") == "refresh"], [], "refresh")


class Canary:
    """Counts who asks it for anything."""

    def __enter__(self):
        self.paths = paths = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                paths.append(self.path)
                self.send_response(200)
                self.send_header("Access-Control-Allow-Origin", "*")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def browse(bench, file):
    """The document as the browser has it after a while."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if not browser:
        raise tap.Skip("chromium is not installed")
    with tempfile.TemporaryDirectory() as profile:
        result = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={profile}", "--window-size=2600,6000",
             "--virtual-time-budget=4000", "--dump-dom", f"file://{file}"],
            capture_output=True, timeout=120, check=False, env={**os.environ, "HOME": profile})
    tap.equal(result.returncode, 0, f"exit of the browser ({result.stderr[-400:]})")
    return result.stdout.decode()


@tap.case
def browser_runs_and_loads_nothing_of_a_hostile_page(bench):
    with Canary() as canary:
        loose = write(bench, "loose.html", f"<title>x</title><img src='{canary.url}/control'>"
                      "<script>document.title='RAN'</script>")
        dom = browse(bench, loose)
        tap.true("/control" in canary.paths and "RAN" in dom, "the browser can do neither")
        canary.paths.clear()
        file = write(bench, "page.html", page_of(
            bench, evil_message(canary.url), "--profile",
            people_file(bench, evil_people(canary.url))))
        dom = browse(bench, file)
        tap.equal(canary.paths, [], "requests")
    page = Page(dom)
    title = dom[dom.index("<title>"):dom.index("</title>")]
    tap.contains(title, "m.eml", "title")
    tap.lacks(title, "RAN", "title")
    tap.equal({t for t, _ in page.tags} & {"script", "img", "link", "svg", "object", "form"},
              set(), "tags")
    tap.equal(len(page.all("iframe")), 6, "frames")
    tap.contains("".join(page.text), "evil1@example.com", "page")


# -- explain ----------------------------------------------------------------------------

def explained(bench, data, person):
    code, out, err = run(bench, "explain", write(bench, "m.eml", data), "--to", person, "--json")
    tap.equal((code, err), (0, ""), "exit")
    result = json.loads(out)
    return result, {s["stage"]: s for s in result["stages"]}


@tap.case
def explain_names_what_is_read_and_no_value(bench):
    result, stages = explained(bench, campaign(number="explain"), ANN)
    tap.equal((result["verdict"], result["mta_hears"]), ("deliver", "250, with the edits"), "end")
    tap.equal(list(stages), ["campaign", "plan", "person", "policy", "render", "stamp", "commit"],
              "stages")
    tap.equal(stages["plan"]["inputs"], ["subject", "part text/plain", "part text/html"], "plan")
    fields = {f["name"]: f for f in stages["person"]["fields"]}
    tap.equal(fields["first_name"], {
        "name": "first_name", "read_at": "subject:1:1", "profile": True, "campaign_data": False,
        "fallback": True, "declared": True,
               "purpose": "Salutation.", "used_for": "mail"}, "field")
    tap.equal((fields["interest"]["profile"], fields["interest"]["campaign_data"]), (True, True),
              "field")
    tap.contains(stages["stamp"]["decision"], "pixel", "stamps")
    for words in ([], ["--json"]):
        text = run(bench, "explain", write(bench, "m.eml", campaign()), "--to", ANN, *words)[1]
        for secret in (*SECRETS, "Outdoor", "ann@"):
            tap.lacks(text, secret, "what explain prints")


@tap.case
def explain_says_which_gate_stops(bench):
    result, stages = explained(bench, campaign(number="explain"), OUT)
    gates = [(g["gate"], g["result"]) for g in stages["policy"]["gates"]]
    tap.equal(gates, [("suppressed", "stops"), ("consent", "not asked"), ("cap", "not asked"),
                      ("unknown", "not asked")], "gates")
    tap.equal(result["mta_hears"], "250, and discards it: sent to nobody", "answer")
    with Bench() as capped:
        data = campaign(number="first")
        capped.merged(data)
        _, stages = explained(capped, campaign(number="second"), ANN)
        tap.equal([g["result"] for g in stages["policy"]["gates"]],
                  ["passes", "passes", "stops", "not asked"], "gates")
        tap.contains(stages["policy"]["gates"][2]["inputs"][0], "daily: 1 of 1", "cap")
        result, stages = explained(capped, data, ANN)
        tap.contains(stages["policy"]["decision"], "decided before", "a repeat")
        tap.equal(result["verdict"], "deliver", "a repeat")


@tap.case
def explain_knows_the_stage(bench):
    conf = write(bench, "stage.conf", bench.merganser.conf.read_text().replace(
        "[milter]\n", "[milter]\nmode = stage\n"))
    message = write(bench, "m.eml", campaign(number="stage"))
    code, out, err = run(bench, "explain", message, "--to", ANN, "--json", conf=conf)
    tap.equal((code, err), (0, ""), "exit")
    tap.contains(json.loads(out)["mta_hears"], "stage", "answer")


@tap.case
def explain_says_where_it_ends(bench):
    result, stages = explained(bench, campaign(html="{{#if x}}"), ANN)
    tap.equal([s["state"] for s in stages.values()], ["done", "failed"] + ["not reached"] * 5,
              "states")
    tap.contains(result["mta_hears"], "550 5.6.0 part text/html:1:1:", "answer")
    result, stages = explained(bench, campaign(html='{{required code}}'), ANN)
    tap.equal(stages["render"]["state"], "failed", "render")
    _, stages = explained(bench, campaign(html='{{abort "no"}}'), ANN)
    tap.equal((stages["render"]["state"], stages["render"]["decision"]),
              ("done", "drop (abort: part text/html:1:3: no)"), "render")
    text = run(bench, "explain", write(bench, "m.eml", campaign(html="{{#if x}}")), "--to", ANN)[1]
    tap.contains(text, "person           0  not reached", "table")


# -- leak-check -------------------------------------------------------------------------

@tap.case
def no_value_is_in_the_wrong_place(bench):
    for name, data in messages().items():
        code, out, err = run(bench, "leak-check", write(bench, "m.eml", data), "--people", "200",
                             "--threads", "8", "--json")
        tap.equal((code, err), (0, ""), f"exit for {name} ({out[-300:]})")
        result = json.loads(out)
        tap.equal((result["copies"], result["log_lines"], result["leaks"]), (200, 200, []), name)
        tap.true(result["own_values"] >= 200, f"{name}: {result['own_values']} values of their own")


LINKED = ('<p><a href="https://shop.example/sale">sale</a> '
          '<a href="https://shop.example/{{urlencode first_name}}?i={{urlencode interest}}">'
          'for {FirstName}</a> <a href="{{unsubscribe_url}}">out</a></p>')


def linked(number):
    return campaign(number=number, html=LINKED, plain="https://shop.example/ {FirstName}").replace(
        b"X-Campaign-Track: opens", b"X-Campaign-Track: opens, clicks, text")


@tap.case
def tracked_links_leak_nothing(bench):
    message = write(bench, "m.eml", linked("linked"))
    code, out, err = run(bench, "leak-check", message, "--people", "200", "--json")
    tap.equal((code, err), (0, ""), f"exit ({out[-300:]})")
    result = json.loads(out)
    tap.equal((result["copies"], result["leaks"]), (200, []), "copies")
    plain = write(bench, "plain.eml", linked("linked").replace(b", clicks, text", b""))
    whole = json.loads(run(bench, "leak-check", plain, "--people", "200", "--json")[1])
    tap.true(result["own_values"] < whole["own_values"], "no link was tracked: the values in "
             "their addresses are not sealed")


@tap.case
def explain_tells_of_tracked_links(bench):
    person = {"address": "eve@example.com", "first_name": "Eve", "interest": "Chess",
              "consent": {"receive": True, "track_open": True, "track_click": True}}
    file = write(bench, "eve.jsonl", json.dumps(person) + "\n")
    message = write(bench, "m.eml", linked("linked"))
    code, out, err = run(bench, "explain", message, "--to", person["address"], "--profile", file,
                         "--json")
    tap.equal((code, err), (0, ""), "exit")
    stage = next(s for s in json.loads(out)["stages"] if s["stage"] == "stamp")
    for word in ("pixel", "links"):
        tap.contains(stage["decision"], word, "stamps")
    for word in ("track_click granted", "campaign tracks clicks"):
        tap.true(word in stage["inputs"], f"{word}: {stage['inputs']}")
    for secret in ("Eve", "eve@", "shop.example/E", "Chess"):
        tap.lacks(out, secret, "what explain prints")
    _, stages = explained(bench, linked("linked"), ANN)
    tap.lacks(stages["stamp"]["decision"], "links", "stamps without track_click")
    tap.true("track_click not granted" in stages["stamp"]["inputs"], "what the stamp asks")


@tap.case
def sample_campaign_leaks_nothing(bench):
    sample = pathlib.Path(__file__).resolve().parents[2] / "conf" / "samples" / "campaign.eml"
    code, out, _ = run(bench, "leak-check", sample, "--people", "200")
    tap.equal(code, 0, "exit")
    tap.contains(out, "200 people on 8 threads: 200 copies", "report")
    tap.contains(out, "no leak", "report")


@tap.case
def what_proves_nothing_is_no_success(bench):
    for data, word in ((campaign(html='{{abort "all"}}'), "no copy went out"),
                       (campaign(html="{{#if x}}"), "part text/html:1:1:")):
        code, _, err = run(bench, "leak-check", write(bench, "m.eml", data))
        tap.equal(code, DATA, "exit")
        tap.contains(err, word, "error")


@tap.case
def sensitive_field_in_a_template_is_refused(bench):
    file = write(bench, "secret.conf",
                 "[field first_name]\n[field secret]\nsensitive = yes\n")
    conf = write(bench, "leak.conf", bench.merganser.conf.read_text().replace(
        str(bench.merganser.directory / "schema.conf"), str(file)))
    message = write(bench, "m.eml", campaign(html="<p>{{first_name}} {{secret}}</p>", plain="x",
                                             subject="x"))
    code, _, err = run(bench, "leak-check", message, conf=conf)
    tap.equal(code, DATA, "exit")
    tap.contains(err, "secret", "error")


tap.main(lambda: Bench(NO_CAP))
