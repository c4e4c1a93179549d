#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A plain static API server for tests: says exactly what it is told to say, and remembers what it
was asked.

    with PlainServer([Answer(429, headers={"Retry-After": "1"}), Answer(body=b"[]")]) as api:
        run(["geckotape", "once", "--api-url", api.url])
        assert len(api.requests) == 2

The script is a list of answers, one per request, the last one again for every later request; or a
callable(request) -> Answer, called from the server's threads. pages() makes such a callable.

    python3 server.py --dir D --port 0     serves D's files, sorted by name, as pages 1, 2, …;
                                           prints its port; ends on SIGTERM, SIGINT
"""
import argparse
import dataclasses
import email.utils
import gzip
import http.server
import pathlib
import signal
import sys
import threading
import time
import urllib.parse
from typing import Optional

BASE = "/api/v3"
CHUNK = 4096  # bytes


@dataclasses.dataclass
class Answer:
    status: int = 200
    body: bytes = b"[]"
    headers: dict = dataclasses.field(default_factory=dict)  # a value of None removes the header
    chunked: bool = False  # in pieces, without a Content-Length
    gzip: bool = False  # when the client accepts it
    delay: float = 0  # seconds before the first byte
    cut: Optional[int] = None  # send so many bytes of the body, then close
    hang: float = 0  # seconds of silence after the last byte sent, the connection still open
    raw: Optional[bytes] = None  # the whole answer, instead of all the above but delay and hang


@dataclasses.dataclass
class Request:
    n: int  # from 0, in the order of arrival
    at: float  # time.monotonic()
    method: str
    path: str  # without BASE and query: "/coins/markets"
    query: dict  # the first value of each name
    headers: dict  # names in lower case
    target: str  # as sent
    client: tuple  # address and port: the same for requests of one connection

    @property
    def page(self):
        return int(self.query.get("page", "1"))


def pages(bodies, **answer):
    """Script: /coins/markets?page=N answers bodies[N - 1], an empty list beyond the last; /ping
    answers; all else is 404. answer: fields of every Answer (gzip=True, headers=…)."""

    def script(request):
        if request.path == "/ping":
            return Answer(body=b'{"gecko_says":"(V3) To the Moon!"}', **answer)
        if request.path != "/coins/markets":
            return Answer(404, b'{"error":"Not Found"}')
        known = 1 <= request.page <= len(bodies)
        return Answer(body=bodies[request.page - 1] if known else b"[]", **answer)

    return script


class PlainServer:
    def __init__(self, script, port=0):
        self.script = script
        self.requests = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        outer = self

        class Handler(_Handler):
            server_ = outer

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self):
        return self._http.server_address[1]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}{BASE}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stopping.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def answer(self, handler):
        """Log the request and find its answer."""
        target = urllib.parse.urlsplit(handler.path)
        path = target.path[len(BASE):] if target.path.startswith(BASE + "/") else target.path
        with self._lock:
            request = Request(
                n=len(self.requests),
                at=time.monotonic(),
                method=handler.command,
                path=path,
                query={k: v[0] for k, v in
                       urllib.parse.parse_qs(target.query, keep_blank_values=True).items()},
                headers={k.lower(): v for k, v in handler.headers.items()},
                target=handler.path,
                client=handler.client_address,
            )
            self.requests.append(request)
        if callable(self.script):
            return self.script(request)
        return self.script[min(request.n, len(self.script) - 1)]

    def pause(self, seconds):
        """Sleep, but not beyond the end of the server."""
        if seconds:
            self._stopping.wait(seconds)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        answer = self.server_.answer(self)
        self.server_.pause(answer.delay)
        try:
            self._send(answer)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client went away, as some tests want

    def _send(self, answer):
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            self.close_connection = True
        else:
            self._send_parts(answer)
        self.wfile.flush()
        self.server_.pause(answer.hang)

    def _send_parts(self, answer):
        body, headers = answer.body, {
            "Date": email.utils.formatdate(usegmt=True),
            "Content-Type": "application/json; charset=utf-8",
        }
        if answer.gzip and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, 1)
            headers["Content-Encoding"] = "gzip"
        if answer.chunked:
            headers["Transfer-Encoding"] = "chunked"
        else:
            headers["Content-Length"] = str(len(body))
        names = {name.lower() for name in answer.headers}
        headers = {k: v for k, v in headers.items() if k.lower() not in names}
        headers.update(answer.headers)
        self.send_response_only(answer.status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        if answer.cut is not None:
            body = body[:answer.cut]
            self.close_connection = True
        if answer.chunked:
            pieces = [body[at:at + CHUNK] for at in range(0, len(body), CHUNK)] + [b""]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dir", type=pathlib.Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--gzip", action="store_true")
    args = parser.parse_args()
    bodies = [p.read_bytes() for p in sorted(args.dir.iterdir()) if p.is_file()]
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    with PlainServer(pages(bodies, gzip=args.gzip), args.port) as api:
        print(api.port, flush=True)
        stop.wait()


if __name__ == "__main__":
    sys.exit(main())
