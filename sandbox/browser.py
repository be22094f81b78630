# SPDX-License-Identifier: Apache-2.0
"""Chromium, headless, by the WebDriver protocol (W3C) of its own driver."""

import json
import shutil
import subprocess
import urllib.error
import urllib.request

from sandbox.collector import free_port
from sandbox.postfix import SandboxError, wait_for

AGENT = ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
         "Chrome/126.0.0.0 Safari/537.36")
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--no-first-run", "--hide-scrollbars", "--window-size=1280,900", "--lang=en",
             f"--user-agent={AGENT}"]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver, 12.2


class NoElement(SandboxError):
    """There is none, or its page is gone."""


class Browser:
    """A context manager."""

    def __init__(self, directory):
        self.directory = directory / "browser"
        if not shutil.which("chromedriver") or not shutil.which("chromium"):
            raise SandboxError("chromium and chromedriver are not installed")
        self.port = free_port()

    def __enter__(self):
        self.directory.mkdir()
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={self.port}"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            wait_for(self._is_ready, 30, "chromedriver")
            made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": {
                "goog:chromeOptions": {
                    "binary": shutil.which("chromium"),
                    "args": [*ARGUMENTS, f"--user-data-dir={self.directory}"]}}}})
        except BaseException:
            self._end()
            raise
        self.session = f"/session/{made['sessionId']}"
        return self

    def __exit__(self, *exception):
        try:
            self._ask("DELETE", self.session)
        finally:
            self._end()

    def _end(self):
        self.driver.terminate()
        self.driver.wait()

    def _is_ready(self):
        try:
            return self._ask("GET", "/status")["ready"]
        except OSError:
            return False

    def _ask(self, method, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as problem:
            told = problem.read()
            kind = json.loads(told)["value"]["error"]  # WebDriver, 6.6
            is_gone = kind in ("no such element", "stale element reference")
            raise (NoElement if is_gone else SandboxError)(f"WebDriver: {told[:500]}") from None

    def open(self, url):
        self._ask("POST", self.session + "/url", {"url": url})

    def url(self):
        return self._ask("GET", self.session + "/url")

    def find(self, selector):
        found = self._ask("POST", self.session + "/element",
                          {"using": "css selector", "value": selector})
        return found[ELEMENT]

    def text(self, selector="body"):
        """None where there is no such element, as between two pages."""
        try:
            return self._ask("GET", f"{self.session}/element/{self.find(selector)}/text")
        except NoElement:
            return None

    def click(self, selector):
        self._ask("POST", f"{self.session}/element/{self.find(selector)}/click", {})

    def run(self, script):
        return self._ask("POST", self.session + "/execute/sync", {"script": script, "args": []})
