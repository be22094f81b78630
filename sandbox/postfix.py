# SPDX-License-Identifier: Apache-2.0
"""A private Postfix in a directory of its own, for the quickstart and the tests.

It is built from the fragments in conf/postfix that the documents tell people to put into
their own Postfix, so what is documented is what is tested.  It listens on the loopback
interface, on ports that were free; it hands all mail to a sink.  Neither /etc/postfix nor
a Postfix that runs on this machine is touched.

Needs root, as Postfix does.
"""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
FRAGMENTS = SOURCE / "conf" / "postfix"

# What every Postfix has, without those services that the fragments bring.
BASE_SERVICES = """\
cleanup    unix       n - n -     0 cleanup
qmgr       unix       n - n 300   1 qmgr
rewrite    unix       - - n -     - trivial-rewrite
bounce     unix       - - n -     0 bounce
defer      unix       - - n -     0 bounce
trace      unix       - - n -     0 bounce
verify     unix       - - n -     1 verify
flush      unix       n - n 1000? 0 flush
proxymap   unix       - - n -     - proxymap
proxywrite unix       - - n -     1 proxymap
smtp       unix       - - n -     - smtp
relay      unix       - - n -     - smtp
showq      unix       n - n -     - showq
error      unix       - - n -     - error
retry      unix       - - n -     - error
discard    unix       - - n -     - discard
tlsmgr     unix       - - n 1000? 1 tlsmgr
anvil      unix       - - n -     1 anvil
scache     unix       - - n -     1 scache
postlog    unix-dgram n - n -     1 postlogd
"""

# Where campaigns come in before Merganser has joined: as in most Postfixes.
PLAIN_SERVICES = """\
127.0.0.1:{submission} inet n - n - - smtpd -o syslog_name=postfix/submission
pickup     unix       n - n 60  1 pickup
"""

PORT_NAMES = ("submission", "outside", "hop", "direct", "sink")


class SandboxError(Exception):
    """Something that the sandbox needs is missing or did not start."""


def new_directory():
    """A temporary directory that the users postfix and nobody can pass through."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="merganser-"))
    directory.chmod(0o755)
    return directory


def free_ports(names):
    """A port per name that nobody listens on; all are held until the last is found."""
    holders = {}
    try:
        for name in names:
            holder = holders[name] = socket.socket()
            holder.bind(("127.0.0.1", 0))
        return {name: holder.getsockname()[1] for name, holder in holders.items()}
    finally:
        for holder in holders.values():
            holder.close()


def wait_for(condition, seconds, what):
    """Polls until condition() is true and returns what it said; SandboxError at the end."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise SandboxError(f"{what}: not within {seconds} seconds")
        time.sleep(0.02)


def port_answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
            return s.recv(3) == b"220"
    except OSError:
        return False


def logical_lines(text):
    """Lines of main.cf or master.cf: comments away, continuations joined."""
    lines = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace():
            lines[-1] += "\n" + line
        else:
            lines.append(line)
    return lines


def replace_all(text, replacements, where):
    """Replaces every key, each of which must be there: a fragment that was changed without
    this table would else be tested with ports and paths of the machine."""
    for old, new in replacements.items():
        if old not in text:
            raise SandboxError(f"{where}: '{old}' is no longer in it")
        text = text.replace(old, new)
    return text


class PrivatePostfix:
    """One instance below directory; use it as a context manager, or start() and stop()."""

    def __init__(self, directory, milter_socket, ports=None, settings=None, is_joined=True,
                 hop_milters="$merganser_milter", feedback=None):
        """milter_socket: absolute path of the unix socket that the milter will listen on.
        settings: further main.cf parameters.  is_joined: False for a Postfix that does not
        know Merganser yet.  hop_milters: those of the merging hop, in their order.
        feedback: (user, program) that reports are piped to; None for no such service."""
        self.directory = pathlib.Path(directory)
        self.config = self.directory / "config"
        self.queue = self.directory / "queue"
        self.data = self.directory / "data"
        self.log = self.directory / "maillog"
        self.milter_socket = str(milter_socket)
        self.ports = ports or free_ports(PORT_NAMES)
        self.settings = settings or {}
        self.is_joined = is_joined
        self.hop_milters = hop_milters
        self.feedback = feedback

    # -- configuration ------------------------------------------------------------------

    def _base_parameters(self):
        return {
            "compatibility_level": "3.6",
            "queue_directory": self.queue,
            "data_directory": self.data,
            "maillog_file": self.log,
            "maillog_file_prefixes": self.directory,
            "syslog_name": f"merganser-sandbox-{os.getpid()}",
            "myhostname": "mta.sandbox.test",
            "mydomain": "sandbox.test",
            "myorigin": "sandbox.test",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "default_database_type": "cdb" if self._has_map("cdb") else "hash",
            "default_transport": f"smtp:[127.0.0.1]:{self.ports['sink']}",
            "relay_transport": "$default_transport",
            "smtp_dns_support_level": "disabled",
            "smtpd_peername_lookup": "no",
            "smtp_tls_security_level": "none",
            "smtpd_tls_security_level": "none",
            # The sink does not know SMTPUTF8; without it 8-bit headers just pass.
            "smtputf8_enable": "no",
            "message_size_limit": "41943040",
            "notify_classes": "",
            "in_flow_delay": "0",
            # What is deferred stays so until flush(): tests look at it first.
            "minimal_backoff_time": "1h",
            "maximal_backoff_time": "1h",
        }

    @staticmethod
    def _has_map(kind):
        maps = subprocess.run(["postconf", "-m"], capture_output=True, text=True).stdout
        return kind in maps.split()

    def _parameters(self):
        parameters = self._base_parameters()
        milter = {"unix:merganser/milter": f"unix:{self.milter_socket}"}
        fragments = {"main.cf.split": milter, "main.cf.direct": milter} if self.is_joined else {}
        if self.feedback:
            fragments["main.cf.feedback"] = {}
        for name, replacements in fragments.items():
            text = replace_all((FRAGMENTS / name).read_text(), replacements, name)
            for line in logical_lines(text):
                key, value = (part.strip() for part in line.split("=", 1))
                if parameters.get(key, value) != value:
                    raise SandboxError(f"{name}: '{key}' differs between the fragments")
                parameters[key] = value
        parameters.update(self.settings)
        return parameters

    def _services(self):
        hop = {"127.0.0.1:10026": f"127.0.0.1:{self.ports['hop']}"}
        split = {
            **hop,
            "submission inet": f"127.0.0.1:{self.ports['submission']} inet",
            "/etc/postfix/merganser_header_checks": str(self.config / "header_checks"),
        }
        direct = {"127.0.0.1:2525": f"127.0.0.1:{self.ports['direct']}"}
        services = [f"127.0.0.1:{self.ports['outside']} inet n - n - - smtpd"]
        services += BASE_SERVICES.splitlines() + self._feedback_services()
        if not self.is_joined:
            return services + PLAIN_SERVICES.format(**self.ports).splitlines()
        for name, replacements in (("master.cf.split", split), ("master.cf.direct", direct)):
            text = "\n".join(logical_lines((FRAGMENTS / name).read_text()))
            for line in logical_lines(replace_all(text, replacements, name)):
                if "syslog_name=postfix/hop" in line:
                    line = replace_all(line, {"smtpd_milters=$merganser_milter":
                                              f"smtpd_milters={self.hop_milters}"}, name)
                services.append(self._without_chroot(line))
        return services

    def _feedback_services(self):
        if not self.feedback:
            return []
        user, program = self.feedback
        sample = {"user=merganser": f"user={user}", "/usr/bin/merganser": str(program)}
        name = "master.cf.feedback"
        return logical_lines(replace_all((FRAGMENTS / name).read_text(), sample, name))

    @staticmethod
    def _without_chroot(entry):
        changed, count = re.subn(r"^(\S+\s+\S+\s+\S+\s+\S+\s+)y(?=\s)", r"\1n", entry)
        if count != 1:
            raise SandboxError(f"master.cf fragment: no chroot column in '{entry[:40]}'")
        return changed

    def configure(self):
        """Writes the configuration; the directories get the owners that Postfix wants."""
        self.directory.mkdir(parents=True, exist_ok=True)
        for directory in (self.config, self.queue):
            directory.mkdir(exist_ok=True)
        self.data.mkdir(exist_ok=True)
        shutil.chown(self.data, "postfix", "postfix")
        main = "".join(f"{k} = {v}\n" for k, v in self._parameters().items())
        (self.config / "main.cf").write_text(main)
        (self.config / "master.cf").write_text("\n".join(self._services()) + "\n")
        if not self.is_joined:
            return
        checks = (FRAGMENTS / "header_checks").read_text()
        hop = {"[127.0.0.1]:10026": f"[127.0.0.1]:{self.ports['hop']}"}
        (self.config / "header_checks").write_text(
            "\n".join(logical_lines(replace_all(checks, hop, "header_checks"))) + "\n"
        )

    # -- life ---------------------------------------------------------------------------

    def _postfix(self, verb, check=True):
        result = subprocess.run(
            ["postfix", "-c", str(self.config), verb],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True,
        )
        if check and result.returncode:
            raise SandboxError(f"postfix {verb}: {result.stderr}{self.log_text()[-2000:]}")
        return result.returncode

    def start(self):
        if os.geteuid() != 0:
            raise SandboxError("a private Postfix needs root")
        if not shutil.which("postfix"):
            raise SandboxError("postfix is not installed")
        self.configure()
        self._postfix("start")
        for name in PORT_NAMES if self.is_joined else ("submission", "outside"):
            # The hop answers 4xx as long as the milter is away; the port is open then.
            if name != "sink":
                self.wait_for_port(name)
        return self

    def wait_for_port(self, name, is_open=True):
        wait_for(lambda: self._port_is_open(self.ports[name]) == is_open, 20, f"port {name}")

    def reload(self):
        self._postfix("reload")

    @staticmethod
    def _port_is_open(port):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return True
        except OSError:
            return False

    def is_running(self):
        return self._postfix("status", check=False) == 0

    def stop(self):
        if self.config.exists() and self.is_running():
            self._postfix("stop", check=False)
            wait_for(lambda: not self.is_running(), 20, "postfix stop")

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        self.stop()

    # -- mail ---------------------------------------------------------------------------

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def queue_entries(self):
        """What postqueue -j says about each message in the queue."""
        out = subprocess.run(
            ["postqueue", "-c", str(self.config), "-j"],
            check=True, capture_output=True, text=True,
        ).stdout
        return [json.loads(line) for line in out.splitlines()]

    def waiting_for_pickup(self):
        return any((self.queue / "maildrop").iterdir())

    def wait_until_empty(self, seconds=60):
        def is_empty():
            return not self.waiting_for_pickup() and not self.queue_entries()
        wait_for(is_empty, seconds, "empty mail queue")

    def wait_until_settled(self, seconds=60):
        """Until every message is delivered, deferred or held; returns what is left."""
        def is_settled():
            names = {entry["queue_name"] for entry in self.queue_entries()}
            return not self.waiting_for_pickup() and names <= {"deferred", "hold"}
        wait_for(is_settled, seconds, "settled mail queue")
        return self.queue_entries()

    def flush(self):
        subprocess.run(["postqueue", "-c", str(self.config), "-f"], check=True)

    def flush_until_empty(self, seconds=60):
        """Tries what is deferred again and again.  One time is not enough after the milter was
        away: connections to the hop that are kept from then go on answering 4xx."""
        end = time.monotonic() + seconds
        while self.wait_until_settled(seconds):
            if time.monotonic() > end:
                raise SandboxError(f"empty mail queue: not within {seconds} seconds")
            self.flush()
            time.sleep(0.5)

    def sendmail(self, message, sender, recipients):
        """Submits through sendmail(1), as cron and scripts do."""
        return subprocess.run(
            ["sendmail", "-C", str(self.config), "-i", "-f", sender, "--", *recipients],
            input=message, capture_output=True,
        )
