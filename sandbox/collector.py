# SPDX-License-Identifier: Apache-2.0
"""The collector of an uninstalled Merganser, on a port of its own, and its tokens."""

import http.client
import shutil
import signal
import socket
import subprocess
import time

from sandbox.postfix import SOURCE, SandboxError, wait_for

OPEN, CLICK, UNSUBSCRIBE, PREFERENCES, VIEW, REPORT, IDENTITY = range(1, 8)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Answer:
    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()


class Collector:
    """settings: of [collector], over those that a sandbox needs."""

    def __init__(self, merganser, settings=None):
        self.merganser = merganser
        self.port = free_port()
        self.log = merganser.directory / "collector.log"
        self.access_log = merganser.directory / "access.log"
        self.journal = merganser.directory / "journal"
        self.process = None
        merganser.settings["collector"] = {
            "listen": f"127.0.0.1:{self.port}",
            "journal": self.journal,
            "access_log": self.access_log,
            "pages": merganser.directory / "collect",
            **(settings or {}),
        }
        merganser.settings["stamp"]["base_url"] = f"http://127.0.0.1:{self.port}"

    def prepare(self):
        """What the configuration names; the configuration is written by the merganser's own
        prepare(), or by write_conf()."""
        self.journal.mkdir(exist_ok=True)
        self.merganser.own(self.journal)
        shutil.copytree(SOURCE / "conf" / "collect", self.merganser.directory / "collect",
                        dirs_exist_ok=True)
        return self

    def command(self):
        return [str(self.merganser.build / "merganser-collector"), "-c", str(self.merganser.conf)]

    def run_to_end(self, seconds=20):
        """Starts it where it is expected to give up."""
        return subprocess.run(self.command(), capture_output=True, text=True, timeout=seconds,
                              stdin=subprocess.DEVNULL, **self.merganser._identity())

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **self.merganser._identity())
        wait_for(self._answers, 30, "merganser-collector's port")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise SandboxError(
                f"merganser-collector: exit {self.process.returncode}: {self.log_text()}")
        try:
            return self.get("/healthz").status == 200
        except OSError:
            return False

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def reload(self):
        """SIGUSR1; whether the configuration was taken, and what the log says of it."""
        size = len(self.log_text())
        said = ("the configuration is read again", "the configuration stays as it was")
        self.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: any(words in self.log_text()[size:] for words in said), 20,
                 "what becomes of the configuration")
        text = self.log_text()[size:]
        return said[0] in text, text

    def stop(self, seconds=30):
        """SIGTERM, and the exit code."""
        process, self.process = self.process, None
        if not process:
            return 0
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise SandboxError("merganser-collector did not stop") from None

    def stop_well(self):
        code = self.stop()
        if code:
            raise SandboxError(f"merganser-collector ended with {code}: {self.log_text()[-8000:]}")

    def kill(self):
        process, self.process = self.process, None
        process.kill()
        process.wait()

    # -- requests -----------------------------------------------------------------------

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response, response.read())
        finally:
            connection.close()

    def get(self, path, **headers):
        return self.request("GET", path, headers=headers)

    def post(self, path, body="", content_type="application/x-www-form-urlencoded", **headers):
        return self.request("POST", path, body, {"Content-Type": content_type, **headers})

    def raw(self, data, seconds=5):
        """What comes back for these bytes, until the other side closes or is silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as client:
            client.sendall(data)
            answer = b""
            try:
                while chunk := client.recv(65536):
                    answer += chunk
            except (TimeoutError, ConnectionResetError):
                pass
            return answer

    # -- tokens and hits ----------------------------------------------------------------

    def tokens(self, wanted):
        """Sealed tokens for (purpose, person key in hex, campaign, message, link, target)."""
        now = int(time.time())
        lines = "".join(f"{purpose} {person} {campaign} {message} {link} {now} {target}\n"
                        for purpose, person, campaign, message, link, target in wanted)
        result = subprocess.run(
            [str(self.merganser.build / "tests" / "fake" / "tokens"),
             str(self.merganser.keys)],
            input=lines, capture_output=True, text=True, check=True,
            **self.merganser._identity())
        return result.stdout.split()

    def token(self, purpose, person="ab" * 16, campaign=1, message=1, link=0, target=""):
        return self.tokens([(purpose, person, campaign, message, link, target)])[0]

    def hits(self):
        """What the journal has, each as "KIND key=value ..." by a program of the tests."""
        result = subprocess.run(
            [str(self.merganser.build / "tests" / "fake" / "hits"), str(self.journal)],
            capture_output=True, text=True, check=True, **self.merganser._identity())
        return [dict(part.split("=", 1) for part in line.split("\t"))
                for line in result.stdout.splitlines()]


