# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy in front of a store that fails where it is told; Host and signatures pass through."""
import contextlib
import http.client
import http.server
import socket
import threading


class Lost(Exception):
    """The connection ends without an answer."""


class FaultProxy:
    """faults: taken from the front, one for each request: callables that get the handler. rewrite(handler): the path to ask for; may
    refuse by raising PermissionError(status, code)."""

    def __init__(self, port, rewrite=None):
        self.faults, self.log, self.rewrite = [], [], rewrite
        proxy, to = self, port

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def forward(self):
                path = proxy.rewrite(self) if proxy.rewrite else self.path
                onward = http.client.HTTPConnection("127.0.0.1", to, timeout=30)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                onward.request(self.command, path, self.body, headers)
                answer = onward.getresponse()
                self.answer = answer.status, answer.getheaders(), answer.read()
                onward.close()
                return self.answer

            def reply(self, status, headers, body, length=None):
                self.send_response(status)
                for name, value in headers:
                    if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server", "keep-alive"):
                        self.send_header(name, value)
                told = dict((name.lower(), value) for name, value in headers).get("content-length")
                if status != 204:
                    self.send_header("Content-Length", told if self.command == "HEAD" and told else str(len(body) if length is None else length))
                self.end_headers()
                self.wfile.write(body)

            def handle_any(self):
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                proxy.log.append(f"{self.command} {self.path}")
                fault = proxy.faults.pop(0) if proxy.faults else fine
                try:
                    fault(self)
                except PermissionError as error:
                    told = b"" if self.command == "HEAD" else f"<Error><Code>{error.args[1]}</Code></Error>".encode()
                    self.reply(error.args[0], [], told)
                except (Lost, BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                    with contextlib.suppress(OSError):
                        self.connection.shutdown(socket.SHUT_RDWR)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.http.shutdown()
        self.http.server_close()


def fine(handler):
    handler.reply(*handler.forward())


def lost_before(handler):
    raise Lost


def lost_after(handler):
    handler.forward()
    raise Lost


def failed(status, code=""):
    def fault(handler):
        raise PermissionError(status, code)
    return fault


def failed_after(status, code=""):
    def fault(handler):
        handler.forward()
        raise PermissionError(status, code)
    return fault


def cut(n):
    """So many bytes of the answer's body."""
    def fault(handler):
        status, headers, body = handler.forward()
        handler.reply(status, headers, body[:n], length=len(body))
        handler.wfile.flush()
        raise Lost
    return fault


def changed(handler):
    status, headers, body = handler.forward()
    handler.reply(status, headers, bytes([body[0] ^ 1]) + body[1:] if body else body)


def changed_on_the_way(handler):
    """A bit of what is sent is another."""
    handler.body = bytes([handler.body[0] ^ 1]) + handler.body[1:]
    fine(handler)
