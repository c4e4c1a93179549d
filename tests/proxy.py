# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy in front of PostgreSQL that counts bytes and messages of both directions, and cuts a connection where it is told."""
import contextlib
import socket
import struct
import threading

from postgres import free_port


class Cut(Exception):
    """Here the connection ends."""


class Proxy:
    """Connections must be without TLS: messages are looked at."""

    def __init__(self, port):
        self.to = port
        self.port = free_port()
        self.lock = threading.Lock()
        self.open = set()
        self.arm()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.listener.close()
        self.cut()

    def arm(self, message=None, byte=None):
        """From now on: cut in front of this message, or within this one (`.5`), or behind so many bytes; from 0, once.
        Simple queries are noted, too, and what is parsed: by which name, what."""
        with self.lock:
            self.n_messages = self.n_bytes = 0
            self.queries, self.parsed = [], []
            self.cut_way = None
            self.at_message, self.at_byte = message, byte

    def is_cut(self):
        with self.lock:
            return self.at_message is None and self.at_byte is None

    def cut(self):
        """End all that are open."""
        with self.lock:
            for s in self.open:
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.to))
        except OSError:
            client.close()
            return
        for s in (client, server):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self.lock:
            self.open |= {client, server}
        threads = [threading.Thread(target=self.pump, args=args, daemon=True) for args in ((client, server, "to"), (server, client, "from"))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self.lock:
            self.open -= {client, server}
        client.close()
        server.close()

    def pump(self, source, target, way):
        has_types = way == "from"
        with contextlib.suppress(OSError, Cut):
            while message := self.read(source, has_types):
                self.send(target, message, way)
                has_types = True  # all but a client's first
        for s in (source, target):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def read(self, source, has_types):
        head = self.take(source, 5 if has_types else 4)
        if len(head) < 4:
            return b""
        return head + self.take(source, struct.unpack("!I", head[-4:])[0] - 4)

    @staticmethod
    def take(source, n):
        got = b""
        while len(got) < n and (more := source.recv(n - len(got))):
            got += more
        return got

    def send(self, target, message, way):
        with self.lock:
            keep = len(message)
            if self.at_message is not None and self.n_messages >= int(self.at_message):
                keep = int(len(message) * (self.at_message % 1))
            elif self.at_byte is not None and self.n_bytes + keep >= self.at_byte:
                keep = self.at_byte - self.n_bytes
            if keep < len(message):
                self.at_message = self.at_byte = None
                self.cut_way = way
            self.n_messages += 1
            self.n_bytes += keep
            if message[:1] == b"Q":
                self.queries.append(message[5:-1].decode())
            if way == "to" and message[:1] == b"P":
                self.parsed.append(tuple(part.decode() for part in message[5:].split(b"\0")[:2]))
        target.sendall(message[:keep])
        if keep < len(message):
            raise Cut
