# SPDX-License-Identifier: Apache-2.0
"""Azurite, Microsoft's own stand-in for Blob Storage: npm's, installed once below build-servers/, on a free port."""
import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from postgres import free_port

ROOT = pathlib.Path(__file__).parent.parent
VERSION = "3.33.0"  # runs on Debian's node 18; later ones call home unless told not to
INTO = ROOT / "build-servers" / f"azurite-{VERSION}"
ACCOUNT = "someaccount"
KEY = "c29tZSBrZXkgb2YgdGhlIHRlc3RzLCBhcyBsb25nIGFzIG9uZSBvZiBBenVyZSdzIGlzLi4uLi4uLi4uLi4uLi4uLi4uLi4uLi4u"


def install():
    """The program's path; or why there is none."""
    if not shutil.which("npm"):
        return None, "no npm"
    INTO.mkdir(parents=True, exist_ok=True)
    with open(INTO / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        program = INTO / "node_modules" / ".bin" / "azurite-blob"
        if not (INTO / "installed").exists():
            done = subprocess.run(["npm", "install", "--prefix", INTO, "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock",
                                   "--fetch-retries=1", "--fetch-timeout=30000", f"azurite@{VERSION}"],
                                  capture_output=True, text=True, check=False, timeout=600)
            if done.returncode != 0:
                return None, f"azurite cannot be installed: {done.stderr.strip().splitlines()[-1:]}"
            (INTO / "installed").touch()
        return program, None


class Azurite:
    def __init__(self, program, containers=("container",)):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="geckotape-azurite-", dir="/tmp"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/{ACCOUNT}"
        with open(self.dir / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [program, "--silent", "--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--location", self.dir / "data"],
                env={**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}, stdout=log, stderr=log, cwd=self.dir)
        self.wait()
        for name in containers:
            self.ask("PUT", f"/{name}?restype=container")

    def wait(self):
        for _ in range(300):
            assert self.process.poll() is None, (self.dir / "log").read_text()
            try:
                urllib.request.urlopen(self.url, timeout=5)
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("azurite does not answer")

    def sas(self, **more):
        """A signature of the account, to the letter of Microsoft's description; for all that blobs can have done to them."""
        import base64
        import hashlib
        import hmac
        import urllib.parse
        fields = {"sv": "2021-12-02", "ss": "b", "srt": "sco", "sp": "rwdlac", "st": "", "se": "2099-01-01T00:00:00Z", "sip": "", "spr": "https,http",
                  "ses": "", **more}
        text = "\n".join([ACCOUNT, *(fields[name] for name in ("sp", "ss", "srt", "st", "se", "sip", "spr", "sv", "ses")), ""])
        signature = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
        return urllib.parse.urlencode({**{name: value for name, value in fields.items() if value}, "sig": signature})

    def ask(self, method, path, body=b"", headers=None):
        request = urllib.request.Request(f"{self.url}{path}{'&' if '?' in path else '?'}{self.sas()}", data=body, method=method,
                                         headers={"x-ms-version": "2021-12-02", **(headers or {})})
        return urllib.request.urlopen(request, timeout=30).read()

    def store(self, container="container", prefix="/some/prefix"):
        return f"az://{ACCOUNT}/{container}{prefix}?endpoint={self.url}"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.dir, ignore_errors=True)
