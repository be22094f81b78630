# SPDX-License-Identifier: Apache-2.0
"""The tool, as somebody types it: imports, exit codes, JSON."""

import base64
import json
import os
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.bench import Bench  # noqa: E402
from tests.people import ANN, BOB, NO_CAP, OUT, campaign  # noqa: E402

USAGE, DATA, NO_INPUT, CONFIG = 64, 65, 66, 78


def run(bench, *words, given="", environment=None):
    """As on a command line: exit code, stdout, stderr."""
    result = subprocess.run(
        [bench.merganser.build / "merganser", "-c", bench.merganser.conf, *words],
        input=given.encode(), capture_output=True, timeout=60, check=False,
        env={**os.environ, **(environment or {})})
    return result.returncode, result.stdout.decode(), result.stderr.decode()


def write(bench, name, text):
    file = bench.merganser.directory / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    bench.merganser.own(file)
    return file


def imports(bench, name, text, count):
    code, out, err = run(bench, "profile", "import", write(bench, name, text), "--json",
                         "--undeclared")
    tap.equal((code, err), (0, ""), "exit")
    tap.equal(json.loads(out)["imported"], count, "profiles")


def refuses(bench, name, text, place, word):
    """Exit 65, the place of the mistake, and no value of the file in what it says."""
    code, _, err = run(bench, "profile", "import", write(bench, name, text), "--undeclared")
    tap.equal(code, DATA, f"exit code ({err})")
    tap.contains(err, f"{name}:{place}: ", "place")
    tap.contains(err, word, "message")
    tap.contains(err, "nothing is imported", "message")
    tap.lacks(err, "SECRET", "message")


@tap.case
def csv_is_read_as_spreadsheets_write_it(bench):
    imports(bench, "a.csv", b"\xef\xbb\xbfaddress,first_name,points,ok,consent.track_open\r\n"
            b'csv@example.com,"Zo\xc3\xab ""Z"", \r\nK",12.5,true,true\r\n'
            b"two@example.com,,007,,\r\n", 2)
    out = json.loads(run(bench, "preview", write(bench, "m.eml", campaign(
        plain="{{first_name}}|{{points}}|{{#if ok}}yes{{/if}}|", html="x")),
        "--to", "csv@example.com", "--json")[1])
    tap.contains(out["message"], "Zo=C3=AB \"Z\",=20\r\nK|12.5|yes|", "copy")
    tap.contains(out["stamps"], "pixel", "stamps")


@tap.case
def byte_order_mark_is_no_part_of_the_first_name(bench):
    mark = b"\xef\xbb\xbf"
    imports(bench, "quoted.csv", mark + b'"address","first_name"\r\nq@example.com,Q\r\n', 1)
    imports(bench, "m.jsonl", mark + b'{"address": "q@example.com"}\r\n', 1)
    refuses(bench, "b.csv", b"\xef\xbbaddress\nq@example.com\n", "1:1", "UTF-8")


@tap.case
def csv_mistakes_name_their_line(bench):
    head = "address,first_name\n"
    good = "good@example.com,SECRET\n"
    refuses(bench, "b.csv", head + good + 'x@example.com,"SECRET\n', "3:1", "quoting")
    refuses(bench, "b.csv", head + good + "x@example.com,a,b\n", "3:1", "3 cells")
    refuses(bench, "b.csv", head + good + good.upper(), "3:1", "stands in line 2 already")
    refuses(bench, "b.csv", head + ",SECRET\n", "2:1", "no address")
    refuses(bench, "b.csv", head + "SECRET,x\n", "2:1", "malformed")
    refuses(bench, "b.csv", head.encode() + b"x@example.com,\xff\n", "2:1", "UTF-8")
    refuses(bench, "b.csv", "name\nx\n", "1:1", "'address'")
    refuses(bench, "b.csv", "address,a,a\n", "1:1", "two columns")
    refuses(bench, "b.csv", "address,a b\nx@example.com,1\n", "1:1", "field name")
    refuses(bench, "b.csv", "address,first_name,FirstName\nx@example.com,1,2\n", "2:1", "twice")
    refuses(bench, "b.csv", head.replace("\n", "\r") + good, "1:1", "CR alone")
    refuses(bench, "b.csv", head + "x@example.com," + "x" * (1 << 20) + "SECRET\n", "2:1", "1 MiB")
    wide = "address" + "".join(f",f{n}" for n in range(20)) + "\n"
    refuses(bench, "b.csv", wide + "x@example.com" + ("," + "x" * 60000) * 20 + "\n", "2:1", "1 MiB")
    refuses(bench, "b.csv", "address,\x1b[31mSECRET@b\nx@example.com,1\n".replace("SECRET", "S"),
            "1:1", "'??31mS?b'")
    refuses(bench, "b.csv", "address,consent.receive:\nx@example.com,true\n", "1:1", "purpose")
    refuses(bench, "b.csv", "", "1:1", "empty")
    refuses(bench, "b.csv", "address,consent.fly\nx@example.com,true\n", "1:1", "purpose")
    refuses(bench, "b.csv", "address,consent.receive\nx@example.com,SECRET\n", "2:1", "true or")
    refuses(bench, "b.csv", "address,suppressed\nx@example.com,SECRET\n", "2:1", "complained, bounced")
    code, out, _ = run(bench, "preview", write(bench, "m.eml", campaign()), "--to",
                       "good@example.com", "--json")
    tap.lacks(out, "SECRET", "a row of a refused file")
    tap.equal(code, 0, "exit code")


@tap.case
def jsonl_mistakes_name_their_line(bench):
    good = '{"address": "good@example.com", "first_name": "SECRET"}\n\n'
    for row, word in (("{SECRET}", "JSON"), ("[1]", "object"), ("{}", "no address"),
                      ('{"address": 1}', "text"), ('{"address": "a@b.test", "x y": 1}', "field"),
                      ('{"address": "a@b.test", "consent": true}', "object"),
                      ('{"address": "a@b.test", "consent": {"receive": 1}}', "true or false"),
                      ('{"address": "a@b.test", "a": 1, "a": 2}', "JSON"),
                      ('{"address": "a@b.test", "first_name": "1", "FirstName": "2"}', "twice"),
                      ('{"address": "a@b.test", "a": %s1%s}' % ("[" * 70, "]" * 70), "deep")):
        refuses(bench, "c.jsonl", good + row + "\n", "3:1", word)


@tap.case
def import_never_lifts_a_suppression(bench):
    imports(bench, "d.jsonl", json.dumps({"address": OUT, "first_name": "Back"}) + "\n", 1)
    _, out, _ = run(bench, "cap", "status", OUT, "--json")
    tap.equal(json.loads(out)["next"], {"verdict": "drop", "reason": "suppressed: unsubscribed"},
              "the next copy")


@tap.case
def what_is_typed_wrong_is_explained(bench):
    for words, code, word in (
            (["profil", "import"], USAGE, "did you mean 'profile import'"),
            (["why"], USAGE, "ADDRESS"), (["why", ANN, BOB], USAGE, "ADDRESS"),
            (["why", ANN, "--limit", "0"], USAGE, "above zero"),
            (["render", "--nosuch", "-"], USAGE, "--nosuch"),
            (["render", "--dialect", "klingon", "-"], USAGE, "klingon"),
            (["preview", "m.eml"], USAGE, "--to"),
            (["profile", "import", "people.txt"], USAGE, ".jsonl or .csv"),
            (["profile", "import", "/nonexistent.csv"], NO_INPUT, "No such file"),
            (["render", "/nonexistent.hbs"], NO_INPUT, "No such file"),
            (["preview", write(bench, "bad.eml", "X-Campaign: a\nnot a field\n"), "--to", ANN],
             DATA, "bad.eml:2:1: "),
            (["why", "not an address"], DATA, "malformed")):
        actual, _, err = run(bench, *words)
        tap.equal(actual, code, f"exit code of {words} ({err})")
        tap.contains(err, word, f"message of {words}")


@tap.case
def bad_configuration_ends_with_78(bench):
    for text in ("[milter\n", "[plugin sqlite]\nfile = x\nnosuch = 1\n", "[keys]\nfile =\n"):
        conf = write(bench, "bad.conf", text)
        code = subprocess.run([bench.merganser.build / "merganser", "-c", conf, "conf", "check"],
                              capture_output=True, check=False).returncode
        tap.equal(code, CONFIG, f"exit code for {text!r}")


@tap.case
def every_verb_can_speak_json(bench):
    message = write(bench, "m.eml", campaign())
    template = write(bench, "t.hbs", "{{a}}")
    for words in (["render", template], ["check", template, message], ["helpers"],
                  ["preview", message, "--to", ANN], ["cap", "status", ANN], ["why", ANN],
                  ["db", "init"], ["conf", "check"]):
        code, out, err = run(bench, *words, "--json")
        tap.equal((code, err), (0, ""), f"exit of {words}")
        json.loads(out)
    plugins = bench.merganser.settings["milter"]["plugin_dir"]
    for verb in ("sample", "man"):
        text = run(bench, "conf", verb, "--plugin-dir", plugins)[1]
        out = run(bench, "conf", verb, "--plugin-dir", plugins, "--json")[1]
        tap.equal(json.loads(out), {"text": text}, f"conf {verb}")
    page = run(bench, "conf", "man-templates")[1]
    tap.equal(json.loads(run(bench, "conf", "man-templates", "--json")[1]), {"text": page}, "page")
    names = [verb["name"] for verb in json.loads(run(bench, "help", "--json")[1])]
    tap.true("why" in names and "profile import" in names, f"verbs {names}")


@tap.case
def output_that_cannot_be_written_is_an_error(bench):
    with open("/dev/full", "wb") as full:
        code = subprocess.run([bench.merganser.build / "merganser", "help"], stdout=full,
                              stderr=subprocess.DEVNULL, check=False).returncode
    tap.equal(code, 74, "exit code")


@tap.case
def json_holds_bytes_of_any_charset(bench):
    message = write(bench, "latin.eml", b"X-Campaign: a\r\nContent-Type: text/plain; "
                    b"charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\ncaf\xe9\r\n")
    result = json.loads(run(bench, "preview", message, "--to", "who@example.com", "--json")[1])
    tap.contains(base64.b64decode(result["message_base64"]), b"caf\xe9", "message")


@tap.case
def check_says_what_is_read_and_what_is_wrong(bench):
    good = write(bench, "good.hbs", "{{a}}{{#if b}}{{b}}{{/if}}")
    bad = write(bench, "bad.hbs", "x\n  {{#if a}}\n")
    code, out, _ = run(bench, "check", "--json", good, bad)
    first, second = json.loads(out)
    tap.equal(code, DATA, "exit code")
    tap.equal([(f["name"], f["has_default"]) for f in first["fields"]],
              [("a", False), ("b", True)], "fields")
    error = second["errors"][0]
    tap.equal((error["where"], error["line"], error["column"]), (str(bad), 2, 3), "error")


@tap.case
def names_that_are_not_utf_8_are_listed(bench):
    text = write(bench, "latin.hbs", b"{{[caf\xe9]}}{{b}}")
    _, out, _ = run(bench, "check", "--json", text)
    tap.equal([f.get("name", f.get("name_base64")) for f in json.loads(out)[0]["fields"]],
              ["Y2Fm6Q==", "b"], "fields")
    folder = text.parent / "latin"
    folder.mkdir()
    pathlib.Path(os.fsdecode(bytes(folder) + b"/caf\xe9.hbs")).write_text("x")
    _, out, _ = run(bench, "blocks", "--json", "--partials", folder)
    tap.equal([b["name_base64"] for b in json.loads(out)["blocks"]], ["Y2Fm6Q=="], "blocks")


@tap.case
def check_shows_the_line(bench):
    bad = write(bench, "bad.hbs", "x\n\tZo\u00eb {{uper name}}\n")
    code, _, err = run(bench, "check", bad)
    tap.equal(code, DATA, "exit code")
    tap.contains(err, f"{bad}:2:9: error: unknown helper 'uper', the nearest is 'upper'\n"
                 "    2 | \tZo\u00eb {{uper name}}\n      | \t      ^\n", "error")
    code, _, err = run(bench, "check", f"{bad}.not")
    tap.equal(code, NO_INPUT, "exit code")


@tap.case
def check_warns_of_what_looks_wrong(bench):
    odd = write(bench, "odd.hbs",
                '<a href="https://x.example/?q={{city}}">{{{name}}}</a>\n{Nope}')
    schema = write(bench, "schema.conf", "[field city]\ntype = string\n")
    code, out, _ = run(bench, "check", "--json", "--schema", schema, odd)
    tap.equal(code, 0, "exit code")
    tap.equal([(w["line"], w["column"], w["message"].split(",")[0].split(":")[0])
               for w in json.loads(out)[0]["warnings"]],
              [(1, 31, "a value in a URL"), (1, 41, "a value that is not escaped"),
               (2, 1, "{Nope} looks like a token"),
               (1, 44, "field 'name' is not declared in the schema")], "warnings")
    code, _, _ = run(bench, "check", "--fatal-warnings", "--schema", schema, odd)
    tap.equal(code, DATA, "exit code")


LINKS = """<a href="https://a.example/">1</a> <a href="mailto:a@a.example">2</a>
<a href="/home">3</a> <a href="{{unsubscribe_url}}">4</a> <a HREF='javascript:go()'>5</a>
<!--[if mso]><v:rect href="data:text/html,x"><![endif]-->
<a href=https://a.example/?a&copy;b>7</a> <a href="https:///x">8</a>
<base href="https://a.example/"> <a href="page">9</a> <a href="#x">10</a>
<script>'<a href="/x">'</script> <!-- <a href="/x"> --> {{! <a href="/x"> }}
<a href="/x?{{urlencode city}}" data-no-track>11</a>
"""


@tap.case
def check_warns_of_links_that_lead_nowhere(bench):
    page = write(bench, "links.hbs", LINKS)
    code, out, _ = run(bench, "check", "--json", page)
    tap.equal(code, 0, "exit code")
    faults = [(w["line"], w["column"], w["message"]) for w in json.loads(out)[0]["warnings"]]
    tap.equal([f[:2] for f in faults], [(2, 10), (2, 68), (3, 28), (4, 9), (4, 52)], "places")
    for fault, word in zip(faults, ("a relative address", "code or data", "code or data",
                                    "&amp;", "cannot be read"), strict=True):
        tap.contains(fault[2], word, "warning")
    code, _, err = run(bench, "check", "--fatal-warnings", page)
    tap.equal(code, DATA, "exit code")
    tap.contains(err, f"{page}:2:10: warning: a relative address", "warning as text")
    mail = write(bench, "links.eml", "X-Campaign: c\nSubject: x\nContent-Type: text/html\n\n"
                 '<p>\n<a href="shop/">x</a>\n')
    tap.contains(run(bench, "check", mail)[2], "part text/html:2:10: warning: a relative", "part")
    plain = write(bench, "links.txt", '<a href="/x">')
    tap.equal(json.loads(run(bench, "check", "--json", plain)[1])[0]["warnings"], [], "plain text")


@tap.case
def check_warns_of_what_gmail_cuts_off(bench):
    bound = 102 * 1024

    def warnings(name, text):
        code, out, err = run(bench, "check", "--json", write(bench, name, text))
        tap.equal((code, err), (0, ""), "exit")
        return [w["message"] for w in json.loads(out)[0]["warnings"]]

    tap.equal(warnings("fits.hbs", "x" * bound), [], "as much as fits")
    message, = warnings("large.hbs", "x" * (bound + 1))
    tap.contains(message, "already 103 kB without values", "warning")
    tap.contains(message, "pixel_position = top", "remedy")
    tap.equal(warnings("large.txt", "x" * (bound + 1)), [], "plain text")
    head = "X-Campaign: c\nSubject: x\nContent-Type: text/"
    lines = ("x" * 99 + "\n") * 1100
    tap.contains(warnings("large.eml", f"{head}html\n\n{lines}")[-1], "108 kB", "of a message")
    tap.equal(warnings("plain.eml", f"{head}plain\n\n{lines}"), [], "plain text of a message")
    code, _, err = run(bench, "check", "--fatal-warnings", write(bench, "l.hbs", "x" * 120000))
    tap.equal(code, DATA, "exit code")
    tap.contains(err, "l.hbs: warning: the HTML has already 118 kB", "warning as text")


@tap.case
def check_knows_what_the_campaign_brings(bench):
    schema = write(bench, "schema.conf", "[field city]\ntype = string\n")
    mail = write(bench, "mail.eml", 'X-Campaign: c\nX-Campaign-Data: {"code":"A"}\n'
                 "Subject: {{code}}\n\n{{city}} {{town}}\n")
    _, out, _ = run(bench, "check", "--json", "--schema", schema, mail)
    tap.equal([w["message"] for w in json.loads(out)[0]["warnings"]],
              ["field 'town' is not declared in the schema"], "warnings")


@tap.case
def check_looks_at_the_other_headers(bench):
    mail = write(bench, "mail.eml", "X-Campaign: c\nX-Note: {{name}}\nSubject: x\n\ny\n")
    code, out, _ = run(bench, "check", "--json", mail)
    tap.equal(code, DATA, "exit code")
    tap.contains(json.loads(out)[0]["errors"][0]["message"], "this header is not rendered",
                 "error")
    mail = write(bench, "mail.eml", "X-Campaign: c\nFrom: {{name}} <a@example.com>\n\ny\n")
    code, out, _ = run(bench, "check", "--json", mail)
    tap.equal(code, 0, "exit code")
    tap.equal([(f["name"], f["where"]) for f in json.loads(out)[0]["fields"]],
              [("name", "header From")], "fields")


def write_blocks(bench, **texts):
    folder = bench.merganser.directory / "blocks"
    (folder / "deep").mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name.replace('__', '/')}.hbs").write_text(text)
    return folder


@tap.case
def render_takes_partials_from_a_folder(bench):
    folder = write_blocks(bench, hello="Hello {{name}}{{> deep/end}}", deep__end="!")
    template = write(bench, "t.hbs", "{{> hello}}")
    for dialect in ("handlebars", "mustache"):
        code, out, _ = run(bench, "render", "--dialect", dialect, "--partials", folder,
                           "--data", "-", template, given='{"name": "Ann"}')
        tap.equal((code, out), (0, "Hello Ann!"), dialect)
    write_blocks(bench, deep__end="{{#if}}")
    code, _, err = run(bench, "render", "--partials", folder, template)
    tap.equal(code, DATA, "exit code")
    tap.contains(err, f"{folder}/deep/end.hbs:1:1: error: ", "error")
    code, _, err = run(bench, "render", "--partials", f"{folder}.not", template)
    tap.equal(code, NO_INPUT, "exit code")


@tap.case
def render_chooses_by_the_block_map(bench):
    table = write(bench, "blocks.map", '(eq city "Oslo") | cta | "Ski" | 10\n'
                  ' | cta | "Swim" | | yes\n')
    template = write(bench, "t.hbs", '{{block_for "cta"}}')
    for city, text in (("Oslo", "Ski"), ("Rome", "Swim")):
        _, out, _ = run(bench, "render", "--map", table, "--data", "-", template,
                        given=json.dumps({"city": city}))
        tap.equal(out, text, city)
    bad = write(bench, "bad.map", ' | cta | "Ski" | high | yes\n')
    code, _, err = run(bench, "render", "--map", bad, template)
    tap.equal(code, DATA, "exit code")
    tap.contains(err, f"{bad}:1:18: error: the priority is a whole number", "error")


@tap.case
def blocks_lists_library_and_map(bench):
    conf = pathlib.Path(__file__).resolve().parents[2] / "conf"
    words = ["blocks", "--partials", conf / "samples" / "blocks", "--map", conf / "blocks.map"]
    code, out, _ = run(bench, *words)
    tap.equal(code, 0, "exit code")
    tap.contains(out, "slot hero\n  hero/gold if (gt user_points 1000)\n", "rules")
    tap.lacks(out, "there is no such block", "rules")
    found = json.loads(run(bench, *words, "--tag", "loyalty", "--json")[1])
    tap.equal([(b["name"], b["tags"]) for b in found["blocks"]],
              [("hero/gold", ["hero", "loyalty"])], "blocks")
    template = write(bench, "t.hbs", '{{> (block_for "hero")}}{{> button}}')
    for points, texts in ((2000, ("2,000 points", "/rewards")), (1, ("Welcome", "/new"))):
        out = run(bench, "render", *words[1:], "--data", "-", template,
                  given=json.dumps({"user_points": points}))[1]
        for text in texts:
            tap.contains(out, text, f"{points} points")


@tap.case
def render_takes_compile_options(bench):
    template = write(bench, "t.hbs", "{{#each l}}{{name}}{{/each}}")
    data = '{"name": "Ann", "l": [{}]}'
    for options, text in (([], ""), (["--option", "compat"], "Ann")):
        _, out, _ = run(bench, "render", *options, "--data", "-", template, given=data)
        tap.equal(out, text, str(options))
    code, _, err = run(bench, "render", "--strict", "--data", "-", template, given=data)
    tap.equal(code, DATA, "exit code")
    tap.contains(err, ":1:14: error: 'name' is not there", "error")
    code, _, err = run(bench, "render", "--option", "x", template)
    tap.equal(code, USAGE, "exit code")
    tap.contains(err, "it is one of strict", "error")


@tap.case
def render_works_without_a_configuration(bench):
    tool = bench.merganser.build / "merganser"
    data = write(bench, "data.json", '{"n": "Zoë"}')
    result = subprocess.run([tool, "render", "--data", data, "-"], input="{{upper n}}".encode(),
                            capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})
    tap.equal((result.returncode, result.stdout.decode(), result.stderr), (0, "ZOË", b""), "exit")


tap.main(lambda: Bench(NO_CAP, is_started=False))
