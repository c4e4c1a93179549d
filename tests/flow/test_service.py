# SPDX-License-Identifier: Apache-2.0
"""What a service manager is told (sd_notify(3)), by a socket in its place."""
import json
import os
import re
import select
import shutil
import signal
import socket
import time

import pytest
from gecko import Running, clean_env, gecko, get, market_body, wait_for
from server import Answer, PlainServer

FAST = ["--every", "1s", "--api-rate", "100000", "--listen", "127.0.0.1:0"]
WATCHDOG_S = 2.0


class Manager:
    """The socket; `heard` has (when, name, value) of every line."""

    def __init__(self, name):
        self.name = str(name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + self.name[1:] if self.name[0] == "@" else self.name)
        self.heard = []

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def env(self, watchdog=True, **more):
        if watchdog:
            more["WATCHDOG_USEC"] = str(int(WATCHDOG_S * 1e6))
        return clean_env(NOTIFY_SOCKET=self.name, **more)

    def listen(self, wait=0.0):
        while select.select([self.socket], [], [], wait)[0]:
            wait = 0.0
            text = self.socket.recv(4096).decode()
            self.heard += [(time.monotonic(), *line.split("=", 1)) for line in text.split("\n")]
        return self.heard

    def values(self, name):
        return [value for _, key, value in self.listen() if key == name]

    def expect(self, name, n=1):
        return wait_for(lambda: self.listen(0.1) and len(self.values(name)) >= n and self.values(name), what=f"{n} of {name}")

    def pings(self, seconds):
        """How many come within so long from now."""
        self.listen()
        before, until = len(self.values("WATCHDOG")), time.monotonic() + seconds
        while time.monotonic() < until:
            self.listen(0.05)
        return len(self.values("WATCHDOG")) - before


@pytest.fixture(name="api")
def fixture_api():
    with PlainServer(lambda request: Answer(body=market_body(10, request.n))) as api:
        yield api


def collect(verb, api, data, manager, **more):
    return Running(verb, "--api-url", api.url, "--data", data, *FAST, **{"env": manager.env(), **more})


def test_run_is_ready_alive_and_stopping_in_this_order(tmp_path, api):
    with Manager(tmp_path / "notify") as manager, collect("run", api, tmp_path / "data", manager) as run:
        assert manager.expect("READY") == ["1"]
        assert get(run.port(), "/healthz").strip() == b"OK", "whoever is told that it is ready can ask"
        manager.expect("WATCHDOG", 4)
        wait_for(lambda: manager.listen(0.1) and any(re.search(r"^ready: jobs 1, sinks 2, newest poll 2\d{3}-", s) for s in manager.values("STATUS")),
                 what="a status of what is collected")
        assert run.stop() == 0
        names = [name for _, name, _ in manager.listen(0.1)]
        assert names[0] == "READY" and names.count("READY") == 1
        assert manager.values("STOPPING") == ["1"] and manager.values("STATUS")[-1] == "stopping"
        assert names.index("STOPPING") > max(i for i, name in enumerate(names) if name == "WATCHDOG")


def test_a_reload_is_told_from_its_begin_to_its_end(tmp_path, api):
    with Manager(f"@geckotape-test-{os.getpid()}") as manager, collect("run", api, tmp_path, manager) as run:
        manager.expect("READY")
        before_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        run.process.send_signal(signal.SIGHUP)
        manager.expect("READY", 2)
        names = [name for _, name, _ in manager.heard if name in ("READY", "RELOADING", "MONOTONIC_USEC")]
        assert names == ["READY", "RELOADING", "MONOTONIC_USEC", "READY"]
        assert before_us <= int(manager.values("MONOTONIC_USEC")[0]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        run.expect("configuration applied")
        assert run.stop() == 0


def test_a_stuck_extractor_ends_the_signs_of_life(tmp_path, api):
    """Its fdatasync() does not come back; the threads beside it, and main(), live on."""
    if not shutil.which("strace"):
        pytest.skip("no strace")
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=3600s:when=8+"]
    with Manager(tmp_path / "notify") as manager, \
            collect("extract", api, tmp_path / "data", manager, under=strace, env=manager.env(ASAN_OPTIONS="detect_leaks=0")) as run:
        manager.expect("READY")
        run.expect(r"a part does not come round.* what=extract")
        assert get(run.port(), "/healthz").strip() == b"OK", "the process would be called alive by who only asks it"
        try:
            assert manager.pings(3 * WATCHDOG_S) == 0
        finally:  # who is traced lives on without its tracer
            pid = json.loads(get(run.port(), "/api/status"))["pid"]
            run.kill()
            os.kill(pid, signal.SIGKILL)


def test_an_api_that_does_not_answer_is_no_reason_to_be_restarted(tmp_path):
    def script(request):
        time.sleep(4 * WATCHDOG_S)
        return Answer(body=b"[]")

    with PlainServer(script) as api, Manager(tmp_path / "notify") as manager, collect("run", api, tmp_path / "data", manager) as run:
        manager.expect("READY")
        assert manager.pings(3 * WATCHDOG_S) >= 3
        assert run.stop() == 0


def test_load_and_serve_tell_the_same(tmp_path, api):
    data = tmp_path / "data"
    gecko("once", "--api-url", api.url, "--data", data, "--top", 10, check=0)
    for words, status in ([["load", "--follow", "--from", f"tape:{data}", "--sink", f"sqlite:{tmp_path}/copy.db"], r"^jobs 1, sinks 1, of them waiting 0; polls loaded 1$"],
                          [["serve", "--from", f"sqlite:{data}/market.db", "--listen", "127.0.0.1:0"], r"^ready: jobs \d, stores 1"]):
        with Manager(tmp_path / words[0]) as manager, Running(*words, env=manager.env()) as run:
            manager.expect("READY")
            manager.expect("WATCHDOG", 4)
            wait_for(lambda m=manager, s=status: m.listen(0.1) and any(re.search(s, text) for text in m.values("STATUS")), what=f"{status} of {words[0]}")
            run.process.send_signal(signal.SIGHUP)
            manager.expect("READY", 2)
            assert [name for _, name, _ in manager.heard if name in ("READY", "RELOADING")] == ["READY", "RELOADING", "READY"]
            assert run.stop() == 0
            manager.expect("STOPPING")


def test_what_is_not_ready_is_the_status(tmp_path):
    with PlainServer(lambda request: Answer(503, b"down")) as api, Manager(tmp_path / "notify") as manager, \
            collect("run", api, tmp_path / "data", manager) as run:
        manager.expect("READY")
        wait_for(lambda: manager.listen(0.1) and any(s.startswith("not ready: ") and "markets-usd" in s for s in manager.values("STATUS")),
                 what="the reason")
        assert manager.pings(WATCHDOG_S) >= 1, "nor is this one"
        assert run.stop() == 0


def test_a_watchdog_of_another_process_hears_nothing(tmp_path, api):
    with Manager(tmp_path / "notify") as manager, \
            collect("run", api, tmp_path / "data", manager, env=manager.env(WATCHDOG_PID="1")) as run:
        manager.expect("READY")
        assert manager.pings(2 * WATCHDOG_S) == 0
        assert run.stop() == 0


@pytest.mark.parametrize("name, value, text", [
    ("NOTIFY_SOCKET", "notify", "NOTIFY_SOCKET=notify: neither a path nor @name"),
    ("NOTIFY_SOCKET", "/" + "x" * 200, "longer than a socket's name can be"),
    ("NOTIFY_SOCKET", "/nonexistent/notify", "NOTIFY_SOCKET: No such file or directory"),
    ("WATCHDOG_USEC", "soon", "WATCHDOG_USEC is no time"),
    ("WATCHDOG_PID", "me", "WATCHDOG_PID is no process"),
])
def test_what_is_wrong_in_the_environment_is_named_and_work_goes_on(tmp_path, api, name, value, text):
    with Manager(tmp_path / "notify") as manager, \
            collect("run", api, tmp_path / "data", manager, env={**manager.env(), name: value}) as run:
        run.expect(re.escape(text))
        get(run.port(), "/healthz")
        assert run.stop() == 0
