# SPDX-License-Identifier: Apache-2.0
"""Thousands of connections that idle, read slowly, ask slowly or without end, from addresses of their own: memory stays bounded, others
are served, and no poll is late for it. GECKOTAPE_FLOOD: how many connections (default 1500)."""
import contextlib
import http.client
import json
import os
import resource
import socket
import threading

import pytest
from gecko import IS_SANITIZED, PATIENCE, Running, check_exactly_once, get, wait_for

WANTED = int(os.environ.get("GECKOTAPE_FLOOD", "1500"))
# what answers under way, answers that are kept and connections may take, as src/serve says; and the allocator's waste
MAX_GROWTH = (64 + 24 + 32 + 16) * 1024 * 1024


def n_connections():
    """As many as this process may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else WANTED + 1000
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, WANTED + 1000), hard))
    return min(WANTED, most - 600)


def connect(port, address, small=False):
    s = socket.socket()
    s.bind((address, 0))
    if small:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    s.settimeout(PATIENCE)
    s.connect(("127.0.0.1", port))
    return s


def rss(run):
    with open(f"/proc/{run.process.pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


def job(port):
    return json.loads(get(port, "/api/status"))["jobs"][0]


class Asker(threading.Thread):
    """Asks without end for answers that are never the same."""

    def __init__(self, port, address):
        super().__init__(daemon=True)
        self.port, self.address, self.n, self.is_over = port, address, 0, False

    def run(self):
        while not self.is_over:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE, source_address=(self.address, 0))
            with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
                while not self.is_over:
                    connection.request("GET", f"/api/v3/coins/markets?vs_currency=usd&per_page=250&x={self.address}-{self.n}")
                    connection.getresponse().read()
                    self.n += 1


class Neighbour:
    """Somebody else, on one connection for all of it."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.connection.connect()
        self.socket = self.connection.sock

    def asks(self, path="/healthz"):
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        answer.read()
        assert self.connection.sock is self.socket, "it was hung up on"
        return answer.status


def attack(stack, port, kind, n):
    """Begin it, and leave it to the stack to end it."""
    if kind == "asks without end":
        for i in range(4):
            asker = Asker(port, f"127.0.0.{20 + i}")
            asker.start()
            stack.callback(setattr, asker, "is_over", True)
        return
    n_readers = min(n // 10, 200) // (5 if IS_SANITIZED else 1)  # each asks for 20 pages, which one thread makes
    for i in range(n if kind != "reads slowly" else n_readers):
        s = stack.enter_context(contextlib.closing(connect(port, f"127.0.0.{2 + i % 2}", kind == "reads slowly")))
        with contextlib.suppress(OSError):
            if kind == "asks slowly":
                s.sendall(b"GET / HTTP/1.1\r\nHost: t\r\nX-Slow: ")
            elif kind == "reads slowly":
                s.sendall(f"GET /api/market?x={i} HTTP/1.1\r\nHost: t\r\n\r\n".encode() * 20)
            elif kind == "watches":
                s.sendall(b"GET /api/events HTTP/1.1\r\nHost: t\r\n\r\n")


@pytest.mark.parametrize("kind", ["idles", "asks slowly", "reads slowly", "watches", "asks without end"])
def test_whoever(tmp_path, kind):
    with Running("run", "--simulate", "--data", tmp_path, "--every", "1s", "--coins", "1000", "--top", "1000", "--api-rate", "100000",
                 "--listen", "127.0.0.1:0") as run, contextlib.ExitStack() as stack:
        port = run.port()
        neighbour = Neighbour(port)
        wait_for(lambda: neighbour.asks("/api/v3/coins/markets?vs_currency=usd") == 200, what="first poll")
        wait_for(lambda: job(port)["last_outcome"] == "ok", what="end of it")
        before, size = job(port), rss(run)
        attack(stack, port, kind, n_connections())
        done = wait_for(lambda: neighbour.asks() == 200 and (now := job(port))["head"] >= before["head"] + 4 * 5 and now, what="polls")
        # a slot that a busy machine missed would be told; what failed, or came late by a slot, as well
        assert [poll["outcome"] for poll in done["polls"]] == ["ok"] * len(done["polls"])
        assert IS_SANITIZED or done["missed_slots"] == before["missed_slots"]
        assert neighbour.asks("/readyz") == 200
        assert IS_SANITIZED or rss(run) - size < MAX_GROWTH
        if kind == "watches":  # all of them by two addresses: there is room for another's
            assert connect_and_watch(port)
        stack.close()
        assert neighbour.asks() == 200 and run.stop() == 0
        check_exactly_once(tmp_path)


def connect_and_watch(port):
    with contextlib.closing(connect(port, "127.0.0.9")) as s:
        s.sendall(b"GET /api/events HTTP/1.1\r\nHost: t\r\n\r\n")
        return s.recv(4096).startswith(b"HTTP/1.1 200 ")
