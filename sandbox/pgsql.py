# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL of its own: a new cluster below one directory, reached by a unix socket alone."""

import os
import pathlib
import pwd
import shutil
import subprocess

from sandbox.postfix import SandboxError


def find_server():
    """The folder with initdb and postgres: the newest below /usr/lib/postgresql."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise SandboxError("there are no server binaries of PostgreSQL")
    return found[-1].parent


class Pgsql:
    """A context manager; conninfo is for libpq."""

    def __init__(self, directory, options=("fsync=off",)):
        self.server = find_server()
        self.directory = pathlib.Path(directory)
        self.data = self.directory / "data"
        self.options = options
        self.conninfo = f"host={self.directory} user=merganser dbname=postgres"

    def _run(self, program, *arguments):
        # PostgreSQL refuses to run as root.
        identity = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        with open(self.directory / "log", "ab") as log:
            result = subprocess.run([self.server / program, *arguments], stdout=log, stderr=log,
                                    stdin=subprocess.DEVNULL, cwd=self.directory, check=False,
                                    **identity)
        if result.returncode:
            raise SandboxError(f"{program}: exit {result.returncode}: "
                               f"{(self.directory / 'log').read_text()[-1000:]}")

    def __enter__(self):
        self.directory.mkdir(parents=True)
        self.directory.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres")
        self._run("initdb", "-D", self.data, "-U", "merganser", "-A", "trust", "-E", "UTF8",
                  "--no-locale", "--no-sync")
        self.start()
        return self

    def start(self):
        settings = " ".join(f"-c {option}" for option in ("listen_addresses=", "max_connections=200",
                                                          *self.options))
        self._run("pg_ctl", "-D", self.data, "-l", self.data / "server.log", "-w", "-t", "60",
                  "-o", f"-k {self.directory} {settings}", "start")

    def stop(self, how="immediate"):
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", self.data, "-m", how, "-w", "stop")

    def __exit__(self, *exception):
        self.stop()

    def ask(self, sql):
        """What psql prints of it, without frills."""
        result = subprocess.run(["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1",
                                 self.conninfo, "-c", sql], capture_output=True, text=True,
                                check=False)
        if result.returncode:
            raise SandboxError(f"psql: {result.stderr}")
        return result.stdout.strip()
