# SPDX-License-Identifier: Apache-2.0
"""What can go wrong below the answer: connections, TLS, framing, compression, floods. The real binary meets each of it first,
then a good server: a failed attempt is tried again and leaves no trace in the rows. Certificates are made here."""
import contextlib
import datetime
import gzip
import pathlib
import socket
import ssl
import struct
import subprocess
import threading

import pytest
from gecko import Running, check_exactly_once, clean_env, database, gecko, market_body, records, wait_for

BODY = market_body(50)
ONCE = ["once", "--top", 50, "--api-rate", 100000, "--api-timeout", "2s"]


def http(body, *headers, status="200 OK", length=None):
    lines = [f"HTTP/1.1 {status}", *headers]
    if length is not False:
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(*pieces, end=b"0\r\n\r\n"):
    return (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end)


def read_request(connection):
    request = b""
    while b"\r\n\r\n" not in request:
        piece = connection.recv(65536)
        if not piece:
            return b""
        request += piece
    return request


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class RawServer:
    """The nth connection is the nth behaviour's, the last one's again for every later one: called with the connection when it is
    made (TLS: done, when there is a context), and over when it returns."""

    def __init__(self, *behaviours, context=None):
        self.behaviours, self.context = behaviours, context
        self.n_connections = self.n_requests = self.n_sent = 0
        self.stopping = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.threads = [threading.Thread(target=self.accept, daemon=True)]

    @property
    def url(self):
        scheme = "https" if self.context else "http"
        return f"{scheme}://localhost:{self.listener.getsockname()[1]}/api/v3"

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *exc):
        self.stopping.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.settimeout(20)
                behaviour = self.behaviours[min(self.n_connections, len(self.behaviours) - 1)]
                self.n_connections += 1
                self.threads.append(threading.Thread(target=self.serve, args=(connection, behaviour), daemon=True))
                self.threads[-1].start()

    def serve(self, connection, behaviour):
        with contextlib.suppress(OSError):  # the client goes away when it has seen enough
            if self.context:
                connection = self.context.wrap_socket(connection, server_side=True)
            behaviour(self, connection)
        with contextlib.suppress(OSError):
            connection.close()


def answers(answer, then=None):
    """Every request of the connection gets this; then: what happens to the connection after the first."""

    def behave(server, connection):
        while read_request(connection):
            server.n_requests += 1
            connection.sendall(answer)
            if then:
                then(connection)
                return

    return behave


def close(connection):
    if isinstance(connection, ssl.SSLSocket):
        connection.unwrap()
    connection.close()


def floods(head, piece, pause=0.0):
    """The head, then the same for ever; fed slowly or as fast as it goes."""

    def behave(server, connection):
        read_request(connection)
        connection.sendall(head)
        while not server.stopping.wait(pause):
            connection.sendall(piece)
            server.n_sent += len(piece)

    return behave


GOOD = answers(http(BODY))
H2_SETTINGS = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"
H2_GOAWAY = b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0d"  # HTTP_1_1_REQUIRED
H2_RST = b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x0d"

NO_ANSWER = {
    "reset at once": lambda server, connection: reset(connection),
    "reset after the request": answers(b"", reset),
    "reset within the status line": answers(b"HTTP/1.1 2", reset),
    "reset within the headers": answers(b"HTTP/1.1 200 OK\r\nContent-Ty", reset),
    "reset within the body": answers(http(BODY[:9000], length=len(BODY)), reset),
    "closed within the body": answers(http(BODY[:9000], length=len(BODY)), close),
    "closed before the last chunk": answers(chunked(BODY, end=b""), close),
    "a chunk of no size": answers(chunked(BODY[:100], end=b"zz\r\n[]\r\n0\r\n\r\n"), close),
    "settings of HTTP/2": answers(H2_SETTINGS, close),
    "goaway of HTTP/2": lambda server, connection: connection.sendall(H2_SETTINGS + H2_GOAWAY),
    "rst_stream of HTTP/2": answers(H2_SETTINGS + H2_RST, reset),
    "another protocol": answers(b"SSH-2.0-OpenSSH_9.2\r\n", close),
    "a body without headers": answers(BODY, close),
    "a length that is no number": answers(http(BODY, length="many"), close),
    "gzip that is none": answers(http(b"\x1f\x8bnot at all", "Content-Encoding: gzip"), close),
    "gzip with a wrong checksum": answers(http(gzip.compress(BODY)[:-8] + b"12345678", "Content-Encoding: gzip"), close),
    "an encoding that we did not ask for": answers(http(BODY, "Content-Encoding: br"), close),
    "silence": lambda server, connection: server.stopping.wait(20),
}


@pytest.mark.parametrize("what", NO_ANSWER)
def test_no_whole_answer_is_tried_again_and_leaves_nothing(tmp_path, what):
    with RawServer(NO_ANSWER[what], GOOD) as api:
        gecko(*ONCE, "--api-url", api.url, "--data", tmp_path, check=0)
        assert api.n_connections == 2
    (end,) = [r for r in records(tmp_path) if r["type"] == "end"]
    assert end["attempts"] == 2 and [r["type"] for r in records(tmp_path)] == ["page", "end"]
    check_exactly_once(tmp_path, json_dir=tmp_path)


NO_JSON = {
    "a length that is too short": http(BODY, length=9000),
    "two lengths, the latter of them too short": http(BODY, f"Content-Length: {len(BODY)}", length=7),
    "gzip that is cut": http(gzip.compress(BODY)[:-2000], "Content-Encoding: gzip"),
    "JSON that is cut": http(BODY[:-1]),
    "gzip without saying so": http(gzip.compress(BODY)),
    "UTF-16": http(BODY.decode().encode("utf-16")),
}


@pytest.mark.parametrize("what", NO_JSON)
def test_a_body_that_is_not_whole_is_kept_but_is_no_data(tmp_path, what):
    with RawServer(answers(NO_JSON[what], close), GOOD) as api:
        gecko(*ONCE, "--api-url", api.url, "--data", tmp_path, check=0)
        assert api.n_connections == 2
    kinds = [r["type"] for r in records(tmp_path)]
    assert kinds in (["page", "page", "end"], ["page", "end"])  # libcurl may find that the gzip is cut
    check_exactly_once(tmp_path, json_dir=tmp_path)


FLOODS = {
    "a body": (b"HTTP/1.1 200 OK\r\n\r\n", b"[" * 65536, 0),
    "chunks": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b" " * 4096 + b"\r\n", 0),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"x" * 1000 + b"\r\n", 0),
    "one header": (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 65536, 0),
    "interim answers": (b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100, 0),
    "a body byte by byte": (http(b"[", length=100000), b" ", 0.2),
    "headers byte by byte": (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x", 0.2),
}


@pytest.mark.parametrize("what", FLOODS)
def test_what_never_ends_is_ended_by_size_or_time(tmp_path, what):
    with RawServer(floods(*FLOODS[what]), GOOD) as api:
        gecko(*ONCE, "--api-url", api.url, "--data", tmp_path, check=0)
        assert api.n_connections == 2
        assert what == "interim answers" or api.n_sent < 64 << 20, "that is by time: none of them is kept"
    assert [r["attempts"] for r in records(tmp_path) if r["type"] == "end"] == [2]


def test_a_byte_order_mark_stays_on_the_tape_and_costs_nothing(tmp_path):
    with RawServer(answers(http(b"\xef\xbb\xbf" + BODY))) as api:
        gecko(*ONCE, "--api-url", api.url, "--data", tmp_path, check=0)
    assert next(pathlib.Path(tmp_path, "raw").iterdir()).read_bytes() == b"\xef\xbb\xbf" + BODY
    with database(tmp_path) as db:
        assert db.execute("select count(*) from market").fetchone()[0] == 50


@pytest.mark.parametrize("location", ["https://elsewhere.invalid/api/v3/coins/markets", "/login?\x1b[31m"])
def test_a_redirect_is_named_and_not_followed(tmp_path, location):
    moved = answers(http(b"", f"Location: {location}", status="301 Moved Permanently"))
    with RawServer(moved) as api:
        done = gecko(*ONCE, "--api-url", api.url, "--data", tmp_path, check=78)
        assert api.n_requests == 1
    assert "HTTP 301: to " + location.replace("\x1b", "?") in done.stderr
    assert "redirects are not followed: check --api-url" in done.stderr and "\x1b" not in done.stderr


# ---- TLS ----

class Authority:
    """A certificate authority of our own, by openssl(1)."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        self.make("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "ca.key",
                  "-out", "ca.pem", "-subj", "/CN=test authority", "-days", "30")
        (path / "index.txt").write_text("")
        (path / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\ndefault_md=sha256\n"
                                     "rand_serial=yes\npolicy=p\ncopy_extensions=copy\nunique_subject=no\n[p]\ncommonName=supplied\n")

    def make(self, *args):
        subprocess.run(["openssl", *args], cwd=self.path, check=True, capture_output=True)

    def server(self, name="localhost", begins=-1, ends=1, is_self_signed=False, alpn=None):
        """An SSL context with a certificate of so many days from now."""
        stem = f"{name}{begins}{ends}{is_self_signed}"
        csr = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{stem}.key",
               "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}"]
        if is_self_signed:
            self.make(*csr, "-x509", "-out", f"{stem}.pem", "-days", "1")
        else:
            start, end = ((datetime.datetime.utcnow() + datetime.timedelta(days=d)).strftime("%Y%m%d%H%M%SZ") for d in (begins, ends))
            self.make(*csr, "-out", f"{stem}.csr")
            self.make("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-in", f"{stem}.csr",
                      "-out", f"{stem}.pem", "-startdate", start, "-enddate", end, "-notext")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path / f"{stem}.pem", self.path / f"{stem}.key")
        if alpn:
            context.set_alpn_protocols(alpn)
        return context

    def env(self):
        return clean_env(SSL_CERT_FILE=str(self.path / "ca.pem"))


@pytest.fixture(scope="module", name="authority")
def make_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls") / "ca")


def test_a_server_whose_certificate_is_good_is_believed(tmp_path, authority):
    with RawServer(GOOD, context=authority.server(alpn=["http/1.1"])) as api:
        gecko(*ONCE, "--api-url", api.url, "--data", tmp_path, env=authority.env(), check=0)
    check_exactly_once(tmp_path, json_dir=tmp_path)


UNTRUSTED = {
    "expired": ({"begins": -9, "ends": -2}, "certificate has expired"),
    "not valid yet": ({"begins": 2, "ends": 9}, "certificate is not yet valid"),
    "another host's": ({"name": "elsewhere.example"}, "no alternative certificate subject name matches target host name 'localhost'"),
    "self-signed": ({"is_self_signed": True}, "self-signed certificate"),
}


@pytest.mark.parametrize("what", UNTRUSTED)
def test_a_certificate_that_is_not_good_is_named_with_the_mend_and_nothing_is_sent(tmp_path, authority, what):
    options, words = UNTRUSTED[what]
    with RawServer(GOOD, context=authority.server(**options)) as api:
        done = gecko("doctor", "--api-url", api.url, "--data", tmp_path, env=authority.env(), check=1)
        assert words in done.stdout and "look at the clock, at the CA certificates (SSL_CERT_FILE)" in done.stdout
        assert api.n_connections >= 1 and api.n_requests == 0


def test_an_authority_that_is_not_known_is_not_believed(tmp_path, authority):
    with RawServer(GOOD, context=authority.server()) as api:
        done = gecko(*ONCE, "--api-url", api.url, "--data", tmp_path, check=75)
        assert api.n_connections == 5, "tried again, with pauses"
        assert api.n_requests == 0
    assert "certificate" in done.stderr and "a proxy that opens TLS" in done.stderr
    assert [r["outcome"] for r in records(tmp_path)] == ["failed"]


def test_run_goes_on_when_a_bad_certificate_is_replaced(tmp_path, authority):
    with RawServer(GOOD, context=authority.server(begins=-9, ends=-2)) as api:
        with Running("run", "--api-url", api.url, "--data", tmp_path, "--top", 50, "--every", "1s", "--api-rate", 100000,
                     "--listen", "none", env=authority.env()) as run:
            run.expect(r"no answer: SSL certificate problem: certificate has expired; look at the clock")
            api.context = authority.server()
            wait_for(lambda: [r for r in records(tmp_path) if r["type"] == "end" and r["outcome"] == "ok"], what="an ok poll")
            assert run.stop() == 0
    check_exactly_once(tmp_path)


def refuses_alpn(server, connection):
    connection.recv(4096)
    connection.sendall(b"\x15\x03\x03\x00\x02\x02\x78")  # fatal: no_application_protocol


TLS_TROUBLE = {
    "only HTTP/2 is spoken": (answers(H2_SETTINGS + H2_GOAWAY, close), ["h2"], 0),
    "reset within the body": (answers(http(BODY[:9000], length=len(BODY)), reset), None, 0),
    # neither a length nor a farewell says that it is cut, but JSON has an end of its own
    "cut off where no length says so": (answers(http(BODY[:9000], length=False), lambda c: c.shutdown(socket.SHUT_RDWR)), None, 1),
}


@pytest.mark.parametrize("what", TLS_TROUBLE)
def test_trouble_within_tls_is_tried_again(tmp_path, authority, what):
    behaviour, alpn, n_kept = TLS_TROUBLE[what]
    with RawServer(behaviour, GOOD, context=authority.server(alpn=alpn)) as api:
        gecko(*ONCE, "--api-url", api.url, "--data", tmp_path, env=authority.env(), check=0)
        assert api.n_connections == 2
    assert [r["type"] for r in records(tmp_path)] == ["page"] * (n_kept + 1) + ["end"]
    check_exactly_once(tmp_path, json_dir=tmp_path)


def speaks_no_tls(server, connection):
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def hangs_up(server, connection):
    connection.recv(4096)  # else curl may not have begun its handshake, which is another failure
    reset(connection)


@pytest.mark.parametrize("behaviour", [refuses_alpn, speaks_no_tls, hangs_up],
                         ids=["it refuses our protocol", "it speaks no TLS", "it hangs up"])
def test_a_handshake_that_fails_is_named(tmp_path, behaviour):
    with RawServer(behaviour) as api:
        done = gecko("doctor", "--api-url", api.url.replace("http:", "https:"), "--data", tmp_path, check=1)
    assert "look at scheme and port, and for a proxy that opens TLS" in done.stdout
