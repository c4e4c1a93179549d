# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of the simulator that remembers each exchange: what a client made of an answer is compared with the very bytes it got."""
import dataclasses
import gzip
import http.client
import http.server
import json
import threading
import urllib.parse

import zstandard


@dataclasses.dataclass
class Exchange:
    path: str  # "/coins/markets"
    query: dict
    sent: dict  # the client's headers, names in lower case
    status: int
    headers: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


def unpack(body, encoding):
    """As clients ask for it: httpx takes zstd where it finds a library for it."""
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    return gzip.decompress(body) if encoding == "gzip" else body


class Recorder:
    def __init__(self, port):
        self.exchanges = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.pass_on(self, port)

            def log_message(self, *args):
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self._http.server_address[1]}/api/v3"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._http.shutdown()
        self._http.server_close()

    def pass_on(self, handler, port):
        upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        upstream.putrequest("GET", handler.path, skip_host=True, skip_accept_encoding=True)
        for name, value in handler.headers.items():
            if name.lower() != "connection":
                upstream.putheader(name, value)
        upstream.endheaders()
        answer = upstream.getresponse()
        body = answer.read()
        target = urllib.parse.urlsplit(handler.path)
        headers = {k.lower(): v for k, v in answer.getheaders()}
        self.exchanges.append(Exchange(
            path=target.path.removeprefix("/api/v3"), query=dict(urllib.parse.parse_qsl(target.query)),
            sent={k.lower(): v for k, v in handler.headers.items()}, status=answer.status, headers=headers,
            body=unpack(body, headers.get("content-encoding"))))
        handler.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
        upstream.close()
