# SPDX-License-Identifier: Apache-2.0
"""The run behind ./quickstart: sends the sample campaign twice and reports what became of it."""

import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import smtplib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from sandbox import page  # noqa: E402
from sandbox.daemon import SAMPLES, Merganser  # noqa: E402
from sandbox.postfix import SOURCE, PrivatePostfix, SandboxError, wait_for  # noqa: E402
from sandbox.world import World  # noqa: E402

OUT = SOURCE / "quickstart-out"
STATE = OUT / "running.json"
SENDER = "news@sandbox.test"

# Whom the samples hold, and what each of them is to show.
RECIPIENTS = {
    "zoe@example.com": "returning customer, may be tracked",
    "nils@example.com": "new customer, may be tracked",
    "lucja@example.com": "loyal customer, with badge",
    "ingrid@example.com": "returning, must not be tracked",
    "jose@example.com": "has unsubscribed",
    "guest@example.com": "without a profile",
}

EXIT_USAGE, EXIT_UNAVAILABLE, EXIT_SOFTWARE = 64, 69, 70


def say(text):
    print(text, file=sys.stderr, flush=True)


def with_message_id(message, number):
    """The sample as its nth send: with an ID of its own, else it would be taken for a retry of
    the one before, which is delivered again and counts once."""
    return re.sub(
        rb"(?m)^Message-ID: <[^>]*>", b"Message-ID: <autumn-picks-send-%d@sandbox.test>" % number,
        message, count=1,
    )


def postfix_answer(log, address):
    """What Postfix says last about a copy that left no record: (verdict, reason)."""
    lines = [line for line in log.splitlines() if f"to=<{address}>" in line]
    found = re.search(r"status=(\w+) \((.*)\)", lines[-1]) if lines else None
    if not found:
        return "defer", "mta: no trace in the log"
    verdict = {"bounced": "reject", "deferred": "defer"}.get(found.group(1), "deliver")
    return verdict, f"mta: {found.group(2)}"


def verdict_of(world, address, known):
    """The newest record of this person if there are more than the known ones."""
    records = world.merganser.why(address)
    if len(records) > known:
        return records[0]["verdict"], records[0]["reason"]
    return postfix_answer(world.postfix.log_text(), address)


def send_once(world, message, number):
    """One campaign to everybody; rows of the report, and the mails by address."""
    known = {address: len(world.merganser.why(address)) for address in RECIPIENTS}
    world.sink.clear()
    world.send(with_message_id(message, number), list(RECIPIENTS), sender=SENDER)
    world.postfix.wait_until_settled(60)
    mails = {
        d.recipient: d for d in world.sink.deliveries()
        if len(d.recipients) == 1 and d.recipient in RECIPIENTS
    }
    rows = []
    for address in RECIPIENTS:
        verdict, reason = verdict_of(world, address, known[address])
        subject = str(mails[address].message()["Subject"]) if address in mails else None
        rows.append({
            "recipient": address, "send": number, "verdict": verdict, "reason": reason,
            "subject": subject,
        })
    return rows, mails


def print_table(rows):
    heads = ("recipient", "send", "verdict", "reason", "subject as received")
    table = [heads] + [
        (r["recipient"], str(r["send"]), r["verdict"], r["reason"], r["subject"] or "-")
        for r in rows
    ]
    widths = [max(len(line[i]) for line in table) for i in range(len(heads) - 1)]
    for n, line in enumerate(table):
        print("  ".join([c.ljust(w) for c, w in zip(line, widths)] + [line[-1]]).rstrip())
        if n == 0:
            print("  ".join("-" * w for w in widths + [len(heads[-1])]))
    print(flush=True)


def give_to_caller(path):
    """With sudo, the results belong to who called."""
    if os.environ.get("SUDO_UID", "").isdigit():
        uid, gid = int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"])
        for each in [path, *path.rglob("*")]:
            os.chown(each, uid, gid)


def write_results(rows, mails, message):
    delivered = OUT / "delivered"
    delivered.mkdir(parents=True)
    for address, delivery in mails.items():
        (delivered / f"{address}.eml").write_bytes(delivery.data)
    report = json.dumps(rows, ensure_ascii=False, indent=2)
    (OUT / "report.json").write_text(report + "\n", encoding="utf-8")
    html = page.render(rows, mails, RECIPIENTS, message)
    (OUT / "index.html").write_text(html, encoding="utf-8")


def keep_running(world):
    """Remembers what runs, and says what to do with it."""
    STATE.write_text(json.dumps({
        "directory": str(world.directory),
        "processes": [world.merganser.process.pid, world.sink.process.pid],
    }))
    quote = shlex.quote
    sample = quote(str((SAMPLES / "campaign.eml").relative_to(SOURCE)))
    to = ",".join(RECIPIENTS)
    tool = f"{quote(str(world.merganser.build / 'merganser'))} -c {quote(str(world.merganser.conf))}"
    print(f"""\
Everything is still running.  Send a message of your own (it needs an X-Campaign header):

  swaks --server 127.0.0.1:{world.ports['submission']} --from {SENDER} \\
        --to {to} --data @{sample}
  sendmail -C {quote(str(world.postfix.config))} -f {SENDER} \\
        {' '.join(RECIPIENTS)} < {sample}

The cap of one a day holds for these too: raise it in {world.merganser.conf}
and make the daemon read it with: kill -USR1 {world.merganser.process.pid}
The same message a second time is taken for a retry: delivered again, counted once.

  {tool} why zoe@example.com
  {tool} preview {sample} --to zoe@example.com

What leaves is in {world.sink.mail}, the logs are {world.postfix.log}
and {world.merganser.log}.  To stop it all: ./quickstart --stop""")


def belongs_to(pid, directory):
    """Whether the process with this number is still the one that was started."""
    try:
        return directory.encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def stop_kept():
    """Stops what an earlier --keep left; False when there is nothing."""
    if not STATE.exists():
        return False
    state = json.loads(STATE.read_text())
    directory = pathlib.Path(state["directory"])
    PrivatePostfix(directory / "postfix", "", ports={}).stop()
    for pid in state["processes"]:
        if belongs_to(pid, state["directory"]):
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not belongs_to(pid, state["directory"]), 20, f"end of process {pid}")
    shutil.rmtree(directory, ignore_errors=True)
    STATE.unlink()
    return True


def run(arguments):
    started = arguments.started or time.time()
    if stop_kept():
        say("Stopped what an earlier --keep had left running.")
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    message = (SAMPLES / "campaign.eml").read_bytes()
    world = World(pathlib.Path(arguments.build).resolve(), SAMPLES / "profiles.jsonl")
    is_kept = False
    try:
        say("Starting a private Postfix, Merganser with SQLite, and a mail sink ...")
        world.start()
        say(f"Sending the campaign as one message to {len(RECIPIENTS)} people ...")
        rows, mails = send_once(world, message, 1)
        say("Sending it again as a new message, into the cap of one a day ...")
        rows += send_once(world, message, 2)[0]
        write_results(rows, mails, message)
        print()
        print_table(rows)
        print(f"The mails side by side:  {OUT / 'index.html'}")
        print(f"One by one:              {OUT / 'delivered'}/")
        print(f"For programs:            {OUT / 'report.json'}")
        print(f"Done in {time.time() - started:.0f} seconds.")
        if arguments.keep:
            print()
            keep_running(world)
            is_kept = True
        give_to_caller(OUT)
    finally:
        if not is_kept:
            world.stop()
            world.remove()
    return 0


def main():
    parser = argparse.ArgumentParser(prog="quickstart")
    parser.add_argument("--build")
    parser.add_argument("--started", type=float)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--stop", action="store_true")
    arguments = parser.parse_args()
    # Ctrl-C and a terminated session stop what was started too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(128 + signal.SIGHUP))
    try:
        if arguments.stop:
            say("Stopped." if stop_kept() else "Nothing is running.")
            return 0
        if not arguments.build:
            parser.error("--build is missing")
        return run(arguments)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except (SandboxError, smtplib.SMTPException, OSError) as problem:
        say(f"quickstart: {problem}")
        return EXIT_SOFTWARE


if __name__ == "__main__":
    sys.exit(main())
