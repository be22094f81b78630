# SPDX-License-Identifier: Apache-2.0
"""Mail that is odd but may come: merged with the right bytes, or refused with the reason."""

import email
import email.policy
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))

from tests import tap  # noqa: E402
from tests.bench import Bench, refused  # noqa: E402
from tests.people import ANN, BOB, NO_CAP  # noqa: E402

NUMBER = iter(range(1, 10000))


def message(body, *fields, subject="x"):
    """body is bytes with CRLF; fields are lines."""
    lines = ["From: News <news@sandbox.test>", "To: all@sandbox.test", f"Subject: {subject}",
             f"Message-ID: <{next(NUMBER)}@sandbox.test>", "X-Campaign: odd", "X-Campaign-Track: none",
             "X-Campaign-Class: transactional", "MIME-Version: 1.0", *fields]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def parse(copy):
    return email.message_from_bytes(copy, policy=email.policy.default)


def text_of(copy):
    return parse(copy).get_content().replace("\r\n", "\n")


def body_of(copy):
    return copy.split(b"\r\n\r\n", 1)[1]


def field(copy, name):
    """The value as it stands, folds included; there must be one."""
    lines = copy.split(b"\r\n\r\n", 1)[0].split(b"\r\n")
    found = [i for i, line in enumerate(lines) if line.lower().startswith(name.lower().encode() + b":")]
    tap.equal(len(found), 1, f"fields {name}")
    end = found[0] + 1
    while end < len(lines) and lines[end][:1] in (b" ", b"\t"):
        end += 1
    return b"\r\n".join(lines[found[0]:end]).split(b":", 1)[1].decode()


def multipart(*parts, end=b"--b--\r\n", kind="mixed", start=b""):
    body = start + b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end
    return message(body, f"Content-Type: multipart/{kind}; boundary=b")


# -- bodies -----------------------------------------------------------------------------

@tap.case
def no_content_type_is_plain_text_in_utf_8(bench):
    copy = bench.merged(message("Hi {FirstName}, \u00fc\r\n".encode()))
    tap.equal(text_of(copy), "Hi \u00c4nn, \u00fc\n", "text")


@tap.case
def ascii_with_8_bit_bytes_is_read_as_what_it_is(bench):
    for body in ("Hi {FirstName}, \u201cq\u201d\r\n".encode(), b"Hi {FirstName}, \x93q\x94\r\n"):
        copy = bench.merged(message(body, "Content-Type: text/plain; charset=us-ascii"))
        tap.equal(text_of(copy), "Hi \u00c4nn, \u201cq\u201d\n", "text")
        tap.equal(field(copy, "Content-Type"), " text/plain; charset=utf-8", "type")


@tap.case
def unknown_charset_and_binary_are_refused_by_name(bench):
    data = message(b"{FirstName}\r\n", "Content-Type: text/plain; charset=x-klingon")
    refused(bench.send(data)[1], 550, "5.6.3", "part text/plain: unknown charset 'x-klingon'")
    data = message(b"{FirstName}\r\n", "Content-Transfer-Encoding: binary")
    refused(bench.send(data)[1], 550, "5.6.0", "part text/plain: its transfer encoding is none of 7bit")


@tap.case
def flowed_text_stays_as_it_reads(bench):
    """The paragraphs of format=flowed become lines, since a value may end in a space now."""
    body = b"Hi {FirstName}, this goes \r\non and \r\n> quoted\r\n-- \r\nsignature\r\n"
    for parameters in ("format=flowed", "format=flowed; DelSp=yes", "delsp=no; FORMAT=Flowed"):
        copy = bench.merged(message(body, f"Content-Type: text/plain; charset=utf-8; {parameters}"))
        tap.equal(text_of(copy), body.decode().replace("\r\n", "\n").replace(
            "{FirstName}", "\u00c4nn"), "text")
        tap.lacks(field(copy, "Content-Type").lower(), "flowed", "type")
    plain = message(b"no template \r\nhere\r\n", "Content-Type: text/plain; format=flowed; delsp=yes")
    copy = bench.merged(plain)
    tap.equal((field(copy, "Content-Type"), body_of(copy)),
              (" text/plain; format=flowed; delsp=yes", body_of(plain)), "what is no template")


@tap.case
def html_says_the_charset_it_has(bench):
    body = "<meta charset='iso-8859-1'><p>{FirstName} \u00fc</p>\r\n".encode("latin-1")
    copy = bench.merged(message(body, "Content-Type: text/html; charset=iso-8859-1"))
    tap.contains(text_of(copy), "<meta charset='utf-8'><p>\u00c4nn \u00fc</p>", "text")


@tap.case
def soft_breaks_and_trailing_spaces_are_not_text(bench):
    """RFC 2045, 6.7 (3): white space at the end of an encoded line is the transport's."""
    body = b"Hi {First=\r\nName},  \r\nend=20\r\ntab=09 \r\na=\r\n=\r\nb =  \r\nc=3d=3D\r\n"
    copy = bench.merged(message(body, "Content-Transfer-Encoding: Quoted-Printable"))
    tap.equal(text_of(copy), "Hi \u00c4nn,\nend \ntab\t\nab c==\n", "text")


@tap.case
def base64_that_readers_forgive_hides_no_template(bench):
    field_line = "Content-Transfer-Encoding: base64"
    for body in (b"SGkge0ZpcnN0TmFtZX0\r\n", b"SGkge0Zp!!cnN0\r\n\r\n  TmFtZX0", b"SGkge0ZpcnN0TmFtZX0=",
                 b"SGkge0ZpcnN0TmFtZX0hIQ=\r\n", b"SGkge0ZpcnN0TmFtZX0hIQ\r\n"):
        copy = bench.merged(message(body, field_line))
        tap.true(text_of(copy).rstrip("!\n") == "Hi \u00c4nn", f"{body} became {text_of(copy)!r}")
    for body in (b"SGkh\r\nSGk=\r\ne0ZpcnN0TmFtZX0=\r\n", b"SGkhe\r\n"):
        refused(bench.send(message(body, field_line))[1], 550, "5.6.0", "its base64 is cut or goes on")


@tap.case
def dots_and_from_lines_need_no_care_of_others(bench):
    body = b".\r\n..\r\n.{FirstName}\r\nFrom {FirstName}\r\nFrom x\r\n"
    copy = bench.merged(message(body), BOB)
    tap.equal(text_of(copy), ".\n..\n.Bob\nFrom Bob\nFrom x\n", "text")
    tap.true(not any(line[:1] == b"." or line[:5] == b"From " for line in body_of(copy).split(b"\r\n")),
             "a line begins with a dot or From")


@tap.case
def long_lines_are_broken_and_come_back_whole(bench):
    for fields in ((), ("Content-Type: text/html; charset=utf-8",)):
        text = "{FirstName}" + "x" * 2000 + "\u00e4" * 500
        copy = bench.merged(message(text.encode() + b"\r\n", *fields))
        tap.equal(text_of(copy), text.replace("{FirstName}", "\u00c4nn") + "\n", "text")
        # A token cannot be folded.
        lines = [line for line in copy.split(b"\r\n") if not line.startswith(b"X-Report-Ref:")]
        tap.true(max(map(len, lines)) <= 76, "a line over 76")


@tap.case
def last_line_without_an_end_gets_none_in_a_part(bench):
    copy = bench.merged(multipart(b"\r\nHi {FirstName}", b"\r\nno template", kind="alternative"), BOB)
    tap.equal(body_of(copy).count(b"Hi Bob\r\n--b\r\n\r\nno template\r\n--b--\r\n"), 1, f"{copy}")
    copy = bench.merged(message(b"Hi {FirstName}"), BOB)
    tap.equal(body_of(copy), b"Hi Bob\r\n", "body")


@tap.case
def preamble_and_epilogue_stay(bench):
    data = multipart(b"\r\n{FirstName}", start=b"\r\nbefore\r\n", end=b"--b-- \t\r\nafter\r\nno end")
    body = body_of(bench.merged(data, BOB))
    tap.true(body.startswith(b"\r\nbefore\r\n--b\r\n"), f"{body}")
    tap.true(body.endswith(b"\r\n\r\nBob\r\n--b-- \t\r\nafter\r\nno end"), f"{body}")


@tap.case
def malformed_multiparts_are_refused_with_the_reason(bench):
    for type_value, body, text in (
            ("multipart/mixed", b"--b\r\n\r\nx\r\n--b--\r\n", "no boundary, or a malformed one"),
            ('multipart/mixed; boundary=""', b"--\r\n\r\nx\r\n----\r\n", "no boundary, or a malformed one"),
            (f"multipart/mixed; boundary={'b' * 71}", b"x\r\n", "no boundary, or a malformed one"),
            ("multipart/mixed; boundary=b", b"{FirstName}\r\n", "a multipart has no parts"),
            ("multipart/mixed; boundary=b", b"--b--\r\n", "a multipart has no parts"),
            ("multipart/mixed; boundary=b", b"--b\r\nX: y\r\n--b--\r\n", "no empty line behind its fields"),
            ("multipart mixed; boundary=b", b"--b\r\n\r\nx\r\n--b--\r\n", "a Content-Type field is malformed"),
            ("text", b"x\r\n", "a Content-Type field is malformed")):
        refused(bench.send(message(body, f"Content-Type: {type_value}"))[1], 550, "5.6.0", text)


@tap.case
def odd_quoting_in_content_type_is_understood(bench):
    for value, kept in (
            ('text/plain; charset="utf-8"; x="a;b\\"c"', 'x="a;b\\"c"'),
            ("TEXT/Plain ; CharSet = UTF-8 ; name=a.txt", 'name="a.txt"'),
            ("text/plain; charset*=us-ascii''utf-8", ""),
            ("text/plain (a comment); charset=utf-8 (an\\(other (;)); (x) name=a", 'name="a"'),
            ("text/plain; charset=utf-8; name=a(1)", 'name="a(1)"'),
            ("text/plain; name*0=lo; name*1=ng; charset=utf-8", 'name="long"'),
            ("text/plain;\r\n\tcharset=utf-8;\r\n name=\"x y\"", 'name="x y"'),
            ("text/plain;", ""), ("text/plain; charset=", "")):
        copy = bench.merged(message("{FirstName} \u00e9\r\n".encode(), f"Content-Type: {value}"))
        tap.equal(text_of(copy), "\u00c4nn \u00e9\n", value)
        tap.contains(field(copy, "Content-Type"), kept, value)


# -- headers ----------------------------------------------------------------------------

@tap.case
def token_may_be_split_over_encoded_words_and_folds(bench):
    for subject in ("=?utf-8?Q?=7BFir?=\r\n =?utf-8?Q?stName=7D!?=", "=?utf-8?B?e0Zpcg==?=\r\n\t=?UTF-8?q?stName}!?=",
                    "=?iso-8859-1*de?Q?=7BFirst?= =?us-ascii?Q?Name=7D!?=", "{FirstName}!",
                    "=?utf-8?Q?{First\r\n Name}!?="[:16] + "Name}!?="):
        copy = bench.merged(message(b"x\r\n", subject=subject))
        tap.equal(str(parse(copy)["Subject"]), "\u00c4nn!", subject)


@tap.case
def character_may_be_split_over_encoded_words(bench):
    subject = "{FirstName} =?utf-8?B?w6TD?=\r\n =?utf-8?B?pA==?="
    copy = bench.merged(message(b"x\r\n", subject=subject), BOB)
    tap.equal(str(parse(copy)["Subject"]), "Bob \u00e4\u00e4", "Subject")


@tap.case
def long_subject_is_folded_and_comes_back_whole(bench):
    for words in ("word " * 300, "x" * 2000, "\u00e4" * 700, "\U0001f642 \u65e5\u672c" * 100):
        data = message(b"x\r\n", 'X-Campaign-Data: {"words": "%s"}' % words.strip(),
                       subject="{FirstName} {{words}}")
        copy = bench.merged(data, BOB)
        tap.equal(str(parse(copy)["Subject"]), f"Bob {words.strip()}", "Subject")
        tap.true(max(map(len, copy.split(b"\r\n"))) < 998, "a line of 998 bytes or more")
        tap.true(copy.isascii(), "8-bit bytes")


@tap.case
def groups_and_lists_in_to_and_cc_are_gone(bench):
    for to in ("Friends: ann@example.com, Bob <bob@example.com>;", "undisclosed-recipients:;", "",
               '"a, b" <a@other.test>, (c) d@other.test', "=?utf-8?Q?=C3=A4?= <a@other.test>,\r\n\tb@other.test"):
        data = message(b"x\r\n", "Cc: Team: a@other.test;", "TO: again@other.test", "Resent-To: r@other.test",
                       "bcc: b@other.test").replace(b"To: all@sandbox.test", b"To: " + to.encode())
        copy = bench.merged(data)
        tap.equal(field(copy, "To"), f" <{ANN}>", to)
        tap.lacks(copy, b"other.test", to)


@tap.case
def doubled_fields_are_told_apart(bench):
    fields = ["List-Id: a {FirstName}", "X-Same: 1", "x-same: 2", "list-id: b", "X-SAME: 3",
              "Received: from a\r\n\tby b", "List-ID: c {FirstName}"]
    copy = bench.merged(message(b"x\r\n", *fields), BOB)
    head = copy.split(b"\r\n\r\n")[0].decode().split("\r\n")
    tap.equal([line for line in head if line.lower().startswith(("list-id", "x-same"))],
              ["List-Id: a Bob", "X-Same: 1", "x-same: 2", "list-id: b", "X-SAME: 3", "List-ID: c Bob"],
              "fields")
    refused(bench.send(message(b"x\r\n", "Subject: {FirstName}"))[1], 550, "5.6.0", "several Subject")
    refused(bench.send(message(b"x\r\n", "Content-Type: text/plain", "content-type: text/html"))[1],
            550, "5.6.0", "several Content-Type")


@tap.case
def sender_names_keep_their_address(bench):
    for value, name in (('"{FirstName}, friend" <a@other.test>', "\u00c4nn, friend"),
                        ("=?utf-8?Q?F=C3=BCr_=7BFirstName=7D?= <a@other.test>", "F\u00fcr \u00c4nn"),
                        ("{FirstName}\r\n <a@other.test>", "\u00c4nn"),
                        ('"say \\"{FirstName}\\"" <a@other.test>', 'say "\u00c4nn"')):
        copy = bench.merged(message(b"x\r\n", f"Reply-To: {value}"))
        address = parse(copy)["Reply-To"].addresses[0]
        tap.equal((address.display_name, address.addr_spec), (name, "a@other.test"), value)


@tap.case
def what_is_not_ours_in_the_header_keeps_its_bytes(bench):
    fields = ["X-Long: " + "y" * 990, "X-Fold:\r\n  a\r\n\tb", "X-Empty:", "X-Space:    a  ", "X-Tab:\tb",
              "X-Words: =?utf-8?Q?=C3=A4?= =?utf-8?B?w6Q=?=", "X-8bit: \u00e4", "X-Odd : c",
              "Content-Disposition: inline; filename*0*=utf-8''%C3%A4; filename*1=b",
              "References: " + " ".join(f"<{n}@x>" for n in range(60))]
    data = message(b"{FirstName}\r\n", *fields)
    copy = bench.merged(data)
    for line in fields:
        tap.contains(copy, line.encode() + b"\r\n", "copy")


tap.main(lambda: Bench(NO_CAP))
