# SPDX-License-Identifier: Apache-2.0
"""An MQTT broker of the tests' own: Debian's mosquitto on a free port, with users, a CA and rules if need be.

As a program: mosquitto.py COMMAND… starts one, runs the command with MQTT_TEST_PORT in its environment, and stops it.
"""
import os
import pathlib
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from postgres import free_port, openssl

BINARY = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
PASSWORD = "s3cret /@:?#"  # what a URL must escape
ESCAPED = "s3cret%20%2F%40%3A%3F%23"


def certificates(place):
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other"):
        openssl("req", "-x509", *curve, "-keyout", f"{name}.key", "-out", f"{name}.crt", "-days", "30", "-subj", f"/CN={name}", cwd=place)
    openssl("req", *curve, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost", cwd=place)
    (place / "san").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "san",
            "-out", "server.crt", cwd=place)


class Broker:
    """user: who must give PASSWORD; is_tls: by certificates of its own CA; rules: lines of an access list; keeps: across restarts."""

    def __init__(self, user=None, is_tls=False, rules=None, keeps=False):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="geckotape-mqtt-", dir="/tmp"))
        self.port, self.user, self.is_tls, self.process = free_port(), user, is_tls, None
        conf = [f"listener {self.port} localhost", f"persistence {'true' if keeps else 'false'}", f"persistence_location {self.dir}/"]
        conf += [f"user {'root' if os.geteuid() == 0 else os.environ.get('USER', 'nobody')}", f"allow_anonymous {'false' if user else 'true'}"]
        if user:
            (self.dir / "users").touch(0o600)
            subprocess.run(["mosquitto_passwd", "-b", self.dir / "users", user, PASSWORD], check=True, stderr=subprocess.DEVNULL)
            conf.append(f"password_file {self.dir}/users")
        if is_tls:
            certificates(self.dir)
            conf += [f"cafile {self.dir}/ca.crt", f"certfile {self.dir}/server.crt", f"keyfile {self.dir}/server.key"]
        if rules:
            (self.dir / "rules").write_text("\n".join(rules) + "\n")
            (self.dir / "rules").chmod(0o600)
            conf.append(f"acl_file {self.dir}/rules")
        (self.dir / "conf").write_text("\n".join(conf) + "\n")
        self.start()

    def start(self):
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen([BINARY, "-c", self.dir / "conf"], stdout=subprocess.DEVNULL, stderr=open(self.dir / "log", "ab"))
        until = time.monotonic() + 30
        while b" running" not in (self.dir / "log").read_bytes():
            assert self.process.poll() is None and time.monotonic() < until, (self.dir / "log").read_text()
            time.sleep(0.02)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        (self.dir / "log").write_bytes(b"")

    def restart(self):
        self.stop()
        self.start()

    def remove(self):
        self.stop()
        shutil.rmtree(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()

    def url(self, prefix="geckotape", coins="bitcoin,ethereum", user=True, **options):
        """user: its name and password, or others, or none."""
        who = f"{self.user}:{ESCAPED}@" if user is True and self.user else f"{user}@" if user and user is not True else ""
        options = {"coins": coins, **({"cafile": f"{self.dir}/ca.crt"} if self.is_tls else {}), **options}
        return f"mqtt{'s' if self.is_tls else ''}://{who}localhost:{self.port}/{prefix}?" + \
            "&".join(f"{k}={v}" for k, v in options.items() if v is not None)

    def access(self):
        return (["-h", "localhost", "-p", str(self.port)] + (["-u", self.user, "-P", PASSWORD] if self.user else [])
                + (["--cafile", str(self.dir / "ca.crt")] if self.is_tls else []))

    def kept(self, topic="#"):
        """What the broker keeps: topic -> text. It comes in front of whatever is published once we listen, as a mark of our own."""
        mark = f"mark/{os.getpid()}-{time.monotonic_ns()}"
        command = ["mosquitto_sub", *self.access(), "-t", topic, "-t", mark, "-F", "%r %t %p"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as listener:
            os.set_blocking(listener.stdout.fileno(), False)
            heard, until = b"", time.monotonic() + 30
            while f"0 {mark} x\n".encode() not in heard:
                assert listener.poll() is None and time.monotonic() < until, "the broker hung up"
                subprocess.run(["mosquitto_pub", *self.access(), "-t", mark, "-m", "x"], check=True)
                select.select([listener.stdout], [], [], 0.05)
                heard += listener.stdout.read() or b""
            listener.terminate()
        lines = [line.split(" ", 2) for line in heard.decode().split("\n") if line.startswith("1 ")]
        return {at: text for _, at, text in lines}


class Listener:
    """All that is published from now on, in order: (topic, text)."""

    def __init__(self, broker, topic="#"):
        self.out = broker.dir / f"heard-{time.monotonic_ns()}"
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(["mosquitto_sub", *broker.access(), "-R", "-t", topic, "-F", "%t %p"], stdout=out)
        ready = f"ready/{time.monotonic_ns()}"
        while ready not in (at for at, _ in self.heard()) and topic == "#":
            subprocess.run(["mosquitto_pub", *broker.access(), "-t", ready, "-m", "x"], check=True)
            time.sleep(0.05)

    def heard(self):
        return [tuple(line.split(" ", 1)) for line in self.out.read_text().splitlines() if not line.startswith("mark/")]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait()


def main():
    if BINARY is None:
        print("1..0 # SKIP no mosquitto here")
        return 0
    with Broker() as broker:
        return subprocess.run(sys.argv[1:], env={**os.environ, "MQTT_TEST_PORT": str(broker.port)}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
