# SPDX-License-Identifier: Apache-2.0
"""An OpenDKIM with a key of its own and the settings of conf/opendkim, signing sandbox.test."""

import base64
import shutil
import subprocess

from sandbox.postfix import SOURCE, SandboxError, new_directory, wait_for

SAMPLE = SOURCE / "conf" / "opendkim" / "opendkim.conf"


class OpenDkim:
    """start() it, and use it as a context manager then; socket is where it listens, record what DNS would say of its key."""

    def start(self):
        program = shutil.which("opendkim", path="/usr/sbin:/usr/bin:/sbin:/bin")
        if not program:
            raise SandboxError("opendkim is not installed")
        self.directory = new_directory()
        self.socket = self.directory / "opendkim"
        key = self.directory / "key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        public = subprocess.run(["openssl", "rsa", "-in", key, "-pubout", "-outform", "DER"],
                                check=True, capture_output=True).stdout
        self.record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
        conf = self.directory / "conf"
        conf.write_text(SAMPLE.read_text() + f"""
Domain sandbox.test
Selector s1
KeyFile {key}
Socket local:{self.socket}
Mode s
UMask 000
RequireSafeKeys no
InternalHosts 127.0.0.1
Syslog no
""")
        self.process = subprocess.Popen([program, "-f", "-x", conf], stderr=subprocess.DEVNULL)
        wait_for(self.socket.exists, 20, "the socket of opendkim")
        return self

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.directory, ignore_errors=True)
