# SPDX-License-Identifier: Apache-2.0
"""A private Sendmail 8.17 in a directory of its own, beside whatever MTA is installed.

Debian's packages conflict with Postfix's, so they are not installed: they are fetched by
apt-get download and unpacked.  Two instances run, both from what conf/sendmail says: the one
that splits, and one as an ordinary host has it with the merging hop added.  All mail ends in a
sink.  Needs root, as Sendmail does.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

from sandbox.postfix import SOURCE, SandboxError, free_ports, port_answers, replace_all, wait_for

FRAGMENTS = SOURCE / "conf" / "sendmail"
PACKAGES = ("sendmail-bin", "sendmail-base", "sendmail-cf")
CACHE = SOURCE / "build" / "sendmail"
PORT_NAMES = ("submission", "outside", "hop", "sink")

# An ordinary host, whose mail goes to a smart host: hop.mc is put in its middle.
HOST_BEGIN = """\
include(`/usr/share/sendmail/cf/m4/cf.m4')dnl
VERSIONID(`sandbox')dnl
OSTYPE(`linux')dnl
define(`confPID_FILE', `/run/sendmail/mta.pid')dnl
define(`QUEUE_DIR', `/var/spool/mqueue')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
undefine(`ALIAS_FILE')dnl
DAEMON_OPTIONS(`Name=MTA, Addr=127.0.0.1, Port=smtp, Family=inet')dnl
"""
HOST_END = """\
define(`SMART_HOST', `esmtp:[127.0.0.1]')dnl
define(`ESMTP_MAILER_ARGS', `TCP $h @SINK@')dnl
MAILER(`smtp')dnl
"""
# No name of this machine's network is looked up, and what waits is tried again soon.
SANDBOX = """\
define(`confSERVICE_SWITCH_FILE', `@DIRECTORY@/switch')dnl
define(`confHOSTS_FILE', `@DIRECTORY@/hosts')dnl
define(`confMIN_QUEUE_AGE', `0')dnl
define(`confDONT_BLAME_SENDMAIL', `GroupWritableDirPathSafe')dnl
define(`STATUS_FILE', `@DIRECTORY@/statistics')dnl
define(`confTO_IDENT', `0')dnl
define(`confTO_ICONNECT', `5s')dnl
define(`confDELIVERY_MODE', `background')dnl
"""


def unpacked():
    """Where the packages are, below build/; fetched when they are not there."""
    root = CACHE / "root"
    if (root / "usr/libexec/sendmail/sendmail").exists():
        return root
    CACHE.mkdir(parents=True, exist_ok=True)
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise SandboxError("Sendmail comes from Debian's packages, and there is no apt-get")
    fetched = subprocess.run(["apt-get", "-q", "download", *PACKAGES], cwd=CACHE,
                             capture_output=True, text=True)
    if fetched.returncode:
        raise SandboxError(f"apt-get download {' '.join(PACKAGES)}: {fetched.stderr[-500:]}")
    fresh = CACHE / "fresh"
    for package in PACKAGES:
        (file,) = CACHE.glob(f"{package}_*.deb")
        subprocess.run(["dpkg-deb", "-x", file, fresh], check=True)
    fresh.rename(root)
    return root


class Instance:
    """One Sendmail with a configuration and a queue of its own."""

    def __init__(self, root, directory, name, text, milter_socket):
        self.program = root / "usr/libexec/sendmail/sendmail"
        self.directory = directory / name
        self.queue = self.directory / "queue"
        self.conf = self.directory / "sendmail.cf"
        self.log = self.directory / "traffic"
        self.root = root
        self.text = text
        self.milter_socket = milter_socket
        self.process = None

    def start(self):
        self.queue.mkdir(parents=True)
        self.queue.chmod(0o700)
        made = subprocess.run(["m4"], input=self.text, capture_output=True, text=True)
        if made.returncode:
            raise SandboxError(f"m4: {made.stderr}")
        self.conf.write_text(made.stdout)
        with open(self.directory / "errors", "ab") as errors:
            self.process = subprocess.Popen(
                self.command("-bD", "-q1s", "-X", self.log),
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True)

    def command(self, *arguments):
        """With a host name, a hosts file and a resolver of its own: Sendmail looks up the name of
        its machine before it reads any configuration, and waits for a minute when it has no
        domain.  The milter's socket is in /mnt for it, since it refuses one below /tmp."""
        script = ('cd "$0" && hostname mta.sandbox.test && mount --bind hosts /etc/hosts && '
                  'mount --bind resolv.conf /etc/resolv.conf && mount --bind "$1" /mnt && '
                  'shift && exec "$@"')
        return ["unshare", "--mount", "--uts", "sh", "-c", script, self.directory.parent,
                self.milter_socket.parent,
                self.program, "-C", self.conf, *arguments]

    def stop(self):
        """With the children that deliver: it leads a process group."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(20)
            self.process = None

    def waiting(self):
        """Names of the messages in the queue: qf waits, hf is quarantined, df is a body."""
        return sorted(path.name for path in self.queue.iterdir())

    def log_text(self):
        return "".join(path.read_text(errors="replace")
                       for path in (self.directory / "errors", self.log) if path.exists())

    def run(self, *arguments, **options):
        return subprocess.run(self.command(*arguments), capture_output=True, check=False, **options)


class PrivateSendmail:
    """Both instances; has what the tests use of PrivatePostfix."""

    def __init__(self, directory, milter_socket):
        self.directory = pathlib.Path(directory)
        self.ports = free_ports(PORT_NAMES)
        self.milter_socket = pathlib.Path(milter_socket)
        self.splitter = self.host = None

    def _text(self, name, text, ports):
        own = self.directory / name
        text = replace_all(text, {
            "/usr/share/sendmail": f"{self.root}/usr/share/sendmail",
            "local:/run/merganser/milter": f"local:/mnt/{self.milter_socket.name}",
            **ports,
        }, name)
        for old, new in (("/var/spool/mqueue-campaign", own / "queue"),
                         ("/var/spool/mqueue", own / "queue"),
                         ("/run/sendmail/campaign.pid", own / "pid"),
                         ("/run/sendmail/mta.pid", own / "pid")):
            text = text.replace(str(old), str(new))
        # Behind OSTYPE, whose defaults these take the place of.
        ostype = "OSTYPE(`linux')dnl\n"
        return text.replace(ostype, ostype + SANDBOX.replace("@DIRECTORY@", str(self.directory)))

    def start(self):
        if os.geteuid() != 0:
            raise SandboxError("a private Sendmail needs root")
        self.root = unpacked()
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        (self.directory / "switch").write_text("hosts files\naliases files\npasswd files\n")
        (self.directory / "hosts").write_text("127.0.0.1 mta.sandbox.test campaign.mta.sandbox.test localhost\n")
        hop = (FRAGMENTS / "hop.mc").read_text()
        split = self._text("split", (FRAGMENTS / "split.mc").read_text(),
                           {"Port=2526": f"Port={self.ports['submission']}",
                            "TCP $h 10026": f"TCP $h {self.ports['hop']}"})
        host = self._text("host", HOST_BEGIN + hop + HOST_END,
                          {"Port=smtp": f"Port={self.ports['outside']}",
                           "Port=10026": f"Port={self.ports['hop']}",
                           "@SINK@": str(self.ports["sink"])})
        self.splitter = Instance(self.root, self.directory, "split", split, self.milter_socket)
        self.host = Instance(self.root, self.directory, "host", host, self.milter_socket)
        for instance in (self.host, self.splitter):
            instance.start()
        for name in ("submission", "outside", "hop"):
            wait_for(lambda n=name: port_answers(self.ports[n]), 20, f"port {name}")
        return self

    def stop(self):
        for instance in (self.splitter, self.host):
            if instance:
                instance.stop()

    def waiting(self):
        return self.splitter.waiting() + self.host.waiting()

    def wait_until_empty(self, seconds=60):
        wait_for(lambda: not self.waiting(), seconds, f"empty queue, not {self.waiting()}")

    def log_text(self):
        return "".join(f"--- {i.directory.name}\n{i.log_text()[-3000:]}"
                       for i in (self.splitter, self.host) if i)
