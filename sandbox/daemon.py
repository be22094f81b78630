# SPDX-License-Identifier: Apache-2.0
"""An uninstalled Merganser with a configuration, a database and a key of its own.

Daemon and tool run as the owner of the build directory, since the daemon refuses plugins
that somebody else could have written; the group postfix is added, so that Postfix can open
the socket.
"""

import contextlib
import grp
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

from sandbox.postfix import SOURCE, SandboxError, wait_for

SAMPLES = SOURCE / "conf" / "samples"


def find_build():
    """The build directory: $MRG_BUILD, or the newest below build/."""
    if os.environ.get("MRG_BUILD"):
        return pathlib.Path(os.environ["MRG_BUILD"]).resolve()
    found = sorted(SOURCE.glob("build/*/merganser-milter"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise SandboxError("merganser-milter is not built; run make, or set MRG_BUILD")
    return found[-1].parent


def copy_build(build, directory, user):
    """The programs, in a directory of the user's, and the plugins, which stay root's."""
    plugins = pathlib.Path(directory) / "plugins" / ".libs"
    plugins.mkdir(parents=True)
    for program in ("merganser", "merganser-milter"):
        shutil.copy(build / program, directory)
    for plugin in (build / "plugins" / ".libs").glob("*.so"):
        shutil.copy(plugin, plugins)
    for path in (directory, plugins.parent, plugins):
        path.chmod(0o755)
    shutil.chown(directory, user)
    return directory


def default_settings(directory, plugins, group):
    """The configuration as sections of settings; None leaves a setting out."""
    return {
        "milter": {
            "socket": f"unix:{directory}/milter",
            "socket_group": group,
            "socket_mode": "0660",
            "plugin_dir": plugins,
            "log": "stderr",
        },
        "trust": {"merge_daemons": "merganser", "check_daemons": "campaign-check"},
        "keys": {"file": f"{directory}/keys"},
        "schema": {"file": f"{directory}/schema.conf"},
        "store": {"plugin": "sqlite", "deadline": "5s"},
        "plugin sqlite": {"file": f"{directory}/merganser.db", "durability": "full"},
        "policy": {
            "default_class": "promo",
            "consent_default": "granted",
            "unknown_recipient": "generic",
        },
        "cap daily": {"limit": "1", "per": "24h", "on_exceed": "drop"},
        "stamp": {
            "base_url": "https://news.example.com",
            "list_domain": "news.example.com",
        },
    }


def connect(address, timeout=None):
    """A connection to a milter: address is a path, or (host, port)."""
    is_unix = not isinstance(address, tuple)
    client = socket.socket(socket.AF_UNIX if is_unix else socket.AF_INET)
    try:
        client.settimeout(timeout)
        client.connect(str(address) if is_unix else address)
    except BaseException:
        client.close()
        raise
    return client


class Merganser:
    """Configuration, tool and daemon below one directory."""

    def __init__(self, directory, build=None, settings=None, schema=None):
        """settings: {section: {key: value}} over the defaults; a section of None goes.
        schema: text of schema.conf, the samples' by default."""
        self.directory = pathlib.Path(directory)
        self.build = pathlib.Path(build or find_build())
        self.conf = self.directory / "merganser.conf"
        self.keys = self.directory / "keys"
        self.database = self.directory / "merganser.db"
        self.socket = self.directory / "milter"
        self.log = self.directory / "milter.log"
        self.schema = schema
        self.process = None
        self._owner = self.build.stat()
        self._groups = [g.gr_gid for g in grp.getgrall() if g.gr_name == "postfix"]
        self.settings = self._merge_settings(settings or {})
        kind, _, where = self.settings["milter"]["socket"].partition(":")
        if kind == "inet":
            port, _, host = where.partition("@")
            self.socket = (host, int(port))

    def _merge_settings(self, changes):
        can_share = os.geteuid() == 0 and self._groups
        settings = default_settings(
            self.directory, self.build / "plugins" / ".libs", "postfix" if can_share else None
        )
        for section, values in changes.items():
            if values is None:
                settings.pop(section, None)
            else:
                settings.setdefault(section, {}).update(values)
        return settings

    # -- processes ----------------------------------------------------------------------

    def _identity(self):
        """How subprocess becomes the owner of the build."""
        if os.geteuid() != 0:
            return {}
        return {
            "user": self._owner.st_uid,
            "group": self._owner.st_gid,
            "extra_groups": self._groups,
            "umask": 0o022,
        }

    def own(self, path):
        """Gives a file or directory to the user that daemon and tool run as."""
        if os.geteuid() == 0:
            os.chown(path, self._owner.st_uid, self._owner.st_gid)

    def tool(self, *arguments, check=True, conf=None, **options):
        """Runs merganser(1) with this configuration."""
        if "input" not in options:
            options["stdin"] = subprocess.DEVNULL
        result = subprocess.run(
            [str(self.build / "merganser"), "-c", str(conf or self.conf), *map(str, arguments)],
            capture_output=True, text=True, encoding="utf-8", **self._identity(), **options,
        )
        if check and result.returncode:
            words = " ".join(map(str, arguments[:2]))
            raise SandboxError(f"merganser {words}: exit {result.returncode}: {result.stderr}")
        return result

    def why(self, address):
        """What happened to this person's copies, newest first."""
        return json.loads(self.tool("why", address, "--json", "--limit", "1000").stdout)

    # -- preparation --------------------------------------------------------------------

    def write_conf(self, path=None):
        lines = []
        for section, values in self.settings.items():
            lines.append(f"[{section}]")
            lines += [f"{k} = {v}" for k, v in values.items() if v is not None]
            lines.append("")
        path = pathlib.Path(path or self.conf)
        path.write_text("\n".join(lines))
        self.own(path)

    def prepare(self, profiles=None):
        """Directory, configuration, key ring and database; imports a file of profiles."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        self.own(self.directory)
        schema = self.schema
        if schema is None:
            schema = (SAMPLES / "schema.conf").read_text()
        (self.directory / "schema.conf").write_text(schema)
        self.own(self.directory / "schema.conf")
        self.write_conf()
        self.tool("key", "new")
        self.tool("db", "init")
        if profiles:
            self.import_profiles(pathlib.Path(profiles).read_text(), pathlib.Path(profiles).suffix)
        return self

    def import_profiles(self, text, suffix=".jsonl"):
        """text is a string, or a list of objects."""
        if not isinstance(text, str):
            text = "".join(json.dumps(person) + "\n" for person in text)
        copy = self.directory / f"profiles{suffix}"
        copy.write_text(text)
        self.own(copy)
        self.tool("profile", "import", copy)

    # -- daemon -------------------------------------------------------------------------

    def command(self, conf=None):
        return [str(self.build / "merganser-milter"), "-c", str(conf or self.conf)]

    def run_to_end(self, conf=None, seconds=20):
        """Starts the daemon where it is expected to give up; returns the result."""
        return subprocess.run(
            self.command(conf), capture_output=True, text=True, timeout=seconds,
            stdin=subprocess.DEVNULL, **self._identity(),
        )

    def _answers(self):
        if self.process.poll() is not None:
            raise SandboxError(f"merganser-milter: exit {self.process.returncode}: {self.log_text()}")
        try:
            connect(self.socket).close()
        except OSError:
            return False
        return True

    def launch(self):
        """Starts it, and does not wait until it listens."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **self._identity(),
            )

    def start(self):
        self.launch()
        wait_for(self._answers, 20, "merganser-milter's socket")
        return self

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, seconds=20):
        """SIGTERM, and the exit code; SandboxError if it does not end."""
        if not self.process:
            return None
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._wake()
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(0.1)
        process.kill()
        process.wait()
        raise SandboxError(f"merganser-milter did not stop within {seconds} seconds")

    def _wake(self):
        """libmilter looks for the signal every five seconds, and at every connection."""
        with contextlib.suppress(OSError):
            connect(self.socket).close()

    def kill(self):
        """SIGKILL, as the kernel does when memory is out."""
        process, self.process = self.process, None
        process.kill()
        process.wait()

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def __enter__(self):
        return self.start()

    def stop_well(self):
        """Stops it if it runs.  A sanitizer's finding shows in the exit code, so any but 0 is
        an error here."""
        code = self.stop()
        if code:
            raise SandboxError(f"merganser-milter ended with {code}: {self.log_text()[-8000:]}")

    def __exit__(self, *exception):
        self.stop_well()
