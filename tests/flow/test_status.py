# SPDX-License-Identifier: Apache-2.0
"""geckotape status: of a process that runs, of one that does not, of one that answers nonsense."""
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import sqlite3
import struct
import subprocess
import termios
import threading
import time
import urllib.request

import pytest
from gecko import BINARY, PATIENCE, Running, clean_env, database, gecko, get, wait_for

READY = {"name": "geckotape", "ready": True, "reasons": [], "jobs": [{"ready": False, "reasons": ["x"]}], "sinks": []}
RED = dict(READY, ready=False, reasons=["job a: no ok poll yet; wait", "sink b: \x1b[31mstopped", "c"])


@contextlib.contextmanager
def holder(data, answer):
    """Stands in for the process: answer(words) gives the bytes of an answer."""
    data.mkdir(exist_ok=True)
    seen, stopping = [], threading.Event()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(data / "control.sock"))
        listener.listen()
        listener.settimeout(0.05)

        def serve():
            while not stopping.is_set():
                try:
                    client, _ = listener.accept()
                except TimeoutError:
                    continue
                with client, client.makefile("rb") as lines:
                    words = lines.readline().decode().split()
                    seen.append(words)
                    with contextlib.suppress(OSError):
                        client.sendall(answer(words))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield seen
        finally:
            stopping.set()
            thread.join()


def says(state, screen="geckotape 1 the screen\nready\n"):
    def answer(words):
        text = json.dumps(state) + "\n" if "json=1" in words else screen
        return text.encode() + b".done\n"
    return answer


@contextlib.contextmanager
def locked(data):
    """DATA/lock held as a writer holds it."""
    data.mkdir(exist_ok=True)
    with open(data / "lock", "w", encoding="ascii") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.fcntl(lock, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
        yield


def test_status_without_any_data_says_that_nobody_runs(tmp_path):
    done = gecko("status", "--data", tmp_path / "none", check=1)
    assert "not running" in done.stdout and "there is no tape here" in done.stdout
    assert not (tmp_path / "none").exists()
    done = gecko("status", "--healthcheck", "--data", tmp_path / "none", check=1)
    assert done.stdout.startswith("not running: ") and done.stdout.count("\n") == 1


def test_status_of_a_stopped_collector_is_what_the_disk_says(tmp_path):
    data = tmp_path / "data"
    for _ in range(3):
        gecko("once", "--simulate", "--data", data, check=0)
    gecko("once", "--simulate", "--data", data, "--vs", "eur", "--fault", "500", "--top", "7", check=75)
    out = gecko("status", "--data", data, check=1).stdout
    assert re.match(r"geckotape \S+  not running  SIMULATED  data ", out)
    assert re.search(r"markets-usd  coins/markets, usd, top=250\n    ok \d+s ago, .*\n    \[\.\.\.\] newest ok", out)
    assert re.search(r"markets-eur-top7 .*\n    failed .*\n    \[F\]\n    FAILING, 1 in a row: .*500", out)
    assert re.search(r"VERSIONS .*\n  markets-usd  \d+: .* to .*, 3 polls\n", out)
    assert max(map(len, out.splitlines())) <= 80 and "\x1b" not in out
    state = json.loads(gecko("status", "--json", "--data", data, check=1).stdout)
    assert state["pid"] == 0 and not state["ready"] and state["simulated"]
    jobs = {job["name"]: job for job in state["jobs"]}
    assert jobs["markets-usd"]["last_outcome"] == "ok" and len(jobs["markets-usd"]["polls"]) == 3
    assert jobs["markets-eur-top7"]["failed_in_row"] == 1
    assert state["disk"]["tape_bytes"] > 1000 and state["disk"]["free_bytes"] > 0


def stored_polls(data):
    if not (data / "market.db").exists():
        return 0
    with contextlib.suppress(sqlite3.OperationalError), database(data) as db:
        return db.execute("select count(*) from poll").fetchone()[0]
    return 0


def test_status_tells_of_gaps_that_the_store_has(tmp_path):
    for _ in range(2):
        before = stored_polls(tmp_path)
        with Running("run", "--simulate", "--data", tmp_path, "--every", "1s", "--listen", "none") as run:
            wait_for(lambda: stored_polls(tmp_path) > before, what="poll")
            assert run.stop() == 0
        time.sleep(2.2)
    out = gecko("status", "--data", tmp_path, check=1).stdout
    assert re.search(r"GAPS .*\n  markets-usd  from \S+Z to \S+Z \([^)]+\)\n", out), out


def test_status_of_a_run_is_its_own_screen(tmp_path):
    with Running("run", "--simulate", "--data", tmp_path, "--every", "1s", "--listen", "none", "--fault", "500:from=3") as run:
        at_head = r"  sqlite:\S+\n(?:    \S+\n)?    working, at the head of the tape, newest row \d+s ago\n"
        out = wait_for(lambda: re.search(at_head, (o := gecko("status", "--data", tmp_path).stdout)) and o, what="row")
        assert re.search(rf"\Ageckotape \S+  pid {run.process.pid}  up \d+s  SIMULATED  data .*\nready\n", out)
        state = wait_for(lambda: (s := json.loads(gecko("status", "--json", "--data", tmp_path).stdout)) and
                         s["jobs"][0]["last_outcome"] == "failed" and s, what="failure")
        assert state["pid"] == run.process.pid and state["jobs"][0]["failed_in_row"] >= 1
        assert {"ok", "failed"} == {poll["outcome"] for poll in state["jobs"][0]["polls"]}
        assert "FAILING, " in gecko("status", "--data", tmp_path).stdout
        out = gecko("doctor", "--simulate", "--offline", "--data", tmp_path, check=0).stdout
        assert f"process: {run.process.pid} runs on" in out and out.count("is working, says the running process") == 2
        assert run.stop() == 0
    assert "not running" in gecko("status", "--data", tmp_path, check=1).stdout


def test_polls_are_asked_for_over_http(tmp_path):
    with Running("run", "--simulate", "--data", tmp_path, "--every", "1h", "--listen", "127.0.0.1:0",
                 env=clean_env(GECKOTAPE_HTTP_TOKEN="a-token-of-16-bytes")) as run:
        port = run.port()
        wait_for(lambda: stored_polls(tmp_path) == 1, what="first poll")
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/polls", method="POST", data=b'{"job":"markets-usd"}',
                                         headers={"Authorization": "Bearer a-token-of-16-bytes"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            assert answer.status == 202
            asked = json.load(answer)
        assert asked["job"] == "markets-usd" and asked["ticket"] > 0
        wait_for(lambda: stored_polls(tmp_path) == 2, what="poll asked for")
        polls = json.loads(get(port, "/api/polls"))["polls"]
        assert polls[0]["slot"] >= asked["slot_from"] > polls[1]["slot"]
        assert json.loads(get(port, "/api/gaps?job=markets-usd"))["gaps"] == []
        assert run.stop() == 0


def test_status_asks_the_process_that_runs(tmp_path):
    with holder(tmp_path, says(READY)) as seen:
        done = gecko("status", "--data", tmp_path, check=0)
        assert done.stdout.startswith("geckotape 1 the screen\nready\n")
        assert sorted(seen[0]) == ["json=1", "status"] and sorted(seen[1]) == ["status", "width=80"]
        assert json.loads(gecko("status", "--json", "--data", tmp_path, check=0).stdout) == READY
        assert gecko("status", "--healthcheck", "--data", tmp_path, check=0).stdout == "ready\n"


def test_status_exits_1_while_it_is_not_ready(tmp_path):
    with holder(tmp_path, says(RED)):
        gecko("status", "--data", tmp_path, check=1)
        gecko("status", "--json", "--data", tmp_path, check=1)
        done = gecko("status", "--healthcheck", "--data", tmp_path, check=1)
        assert done.stdout == "not ready: job a: no ok poll yet; wait (and 2 more)\n"


@pytest.mark.parametrize("form", [["--healthcheck"], ["--json"], []])
def test_status_asks_again_while_others_are_asking(tmp_path, form):
    def busy(words):
        return b".again too many ask at once; try again when one is done\n" if len(seen) < 4 else says(READY)(words)

    with holder(tmp_path, busy) as seen:
        gecko("status", *form, "--data", tmp_path, check=0)
    assert len(seen) >= 4


def test_status_does_not_ask_for_ever(tmp_path):
    with holder(tmp_path, lambda words: b".again too many ask at once\n") as seen:
        done = gecko("status", "--healthcheck", "--data", tmp_path)
    assert done.returncode != 0 and "too many ask at once" in done.stderr and len(seen) > 1


NONSENSE = {
    "nothing": b"", "no line": b".done\n", "no JSON": b"nonsense\n.done\n", "an array": b"[]\n.done\n",
    "half an object": b'{"ready":true\n.done\n', "a text": b'{"ready":"true"}\n.done\n',
    "numbers": b'{"ready":1,"reasons":"x"}\n.done\n', "a refusal": b".failed no, not today\n",
    "no text": b"\xff\xfe\n.done\n", "depth": b'{"a":' * 1000, "a line without an end": b"x" * 17_000_000,
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
def test_status_believes_no_nonsense(tmp_path, answer):
    with holder(tmp_path, lambda words: answer):
        done = gecko("status", "--healthcheck", "--data", tmp_path)
    assert done.returncode == 1, done.stderr
    assert len(done.stdout + done.stderr) < 2000


def test_status_names_a_holder_that_takes_no_requests(tmp_path):
    gecko("once", "--simulate", "--data", tmp_path, check=0)
    with locked(tmp_path):
        done = gecko("status", "--data", tmp_path, check=1)
        assert "process 4711 writes here and takes no requests" in done.stderr
        assert "markets-usd" in done.stdout
        done = gecko("status", "--healthcheck", "--data", tmp_path, check=1)
        assert "not ready: process 4711 writes to" in done.stdout


def test_healthcheck_goes_with_nothing_else():
    assert "--watch" in gecko("status", "--healthcheck", "--watch", check=2).stderr


def test_watch_prints_a_line_a_second_into_a_pipe(tmp_path):
    with holder(tmp_path, says(READY)), Running("status", "--watch", "--data", tmp_path) as watching:
        watching.expect(r"(?s)\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ready\n\S+Z ready\n")
        assert watching.stop(signal.SIGINT) == 0
    with holder(tmp_path / "b", says(RED)), Running("status", "--watch", "--json", "--data", tmp_path / "b") as watching:
        watching.expect(r'(?s)\A\{.*"ready": false.*\n\{.*\n')
        assert watching.stop(signal.SIGTERM) == 0


class Terminal:
    """status --watch on a terminal of its own."""

    def __init__(self, *args, rows=24, columns=80, **more_env):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen([BINARY, *map(str, args)], stdin=slave, stdout=slave, stderr=slave,
                                        env=clean_env(TERM="xterm", **more_env), start_new_session=True)
        os.close(slave)
        self.output = b""

    def read(self, wait):
        if select.select([self.master], [], [], wait)[0]:
            with contextlib.suppress(OSError):
                self.output += os.read(self.master, 65536)
        return self.output

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)


def test_watch_redraws_a_terminal_and_restores_it(tmp_path):
    screen = "geckotape 1\nready\n" + "".join(f"line {i}\n" for i in range(50))
    with holder(tmp_path, says(READY, screen)) as seen:
        terminal = Terminal("status", "--watch", "--data", tmp_path, rows=10, columns=66)
        try:
            wait_for(lambda: terminal.read(0.1).count(b"\x1b[Hgeckotape 1") >= 2, what="second frame")
            fcntl.ioctl(terminal.master, termios.TIOCSWINSZ, struct.pack("HHHH", 10, 70, 0, 0))
            terminal.process.send_signal(signal.SIGINT)
            wait_for(lambda: terminal.read(0.1).endswith(b"\x1b[?25h\x1b[?1049l"), what="restored terminal")
            assert terminal.process.wait(PATIENCE) == 0
        finally:
            terminal.close()
    assert terminal.output.startswith(b"\x1b[?1049h\x1b[?25l\x1b[H")
    frame = terminal.output.split(b"\x1b[H")[1]
    assert b"line 6" in frame and b"line 7" not in frame and frame.count(b"\r\n") == 9
    assert sorted(seen[1]) == ["color=1", "status", "width=66"]


def test_status_colors_a_terminal_unless_told_not_to(tmp_path):
    with holder(tmp_path, says(READY)) as seen:
        terminal = Terminal("status", "--data", tmp_path, NO_COLOR="1")
        try:
            wait_for(lambda: b"ready" in terminal.read(0.1))
            assert terminal.process.wait(PATIENCE) == 0
        finally:
            terminal.close()
    assert "color=1" not in seen[1]
