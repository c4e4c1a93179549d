# SPDX-License-Identifier: Apache-2.0
"""The web server by TLS, with certificates of our own, made by openssl(1)."""
import contextlib
import http.client
import json
import signal
import socket
import ssl
import subprocess

import pytest
from gecko import PATIENCE, Running, gecko, wait_for


def make_pair(directory, name, days=30):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key",
                    "-out", f"{name}.pem", "-days", str(days), "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
                   cwd=directory, check=True, capture_output=True)


@pytest.fixture(name="pairs")
def two_pairs(tmp_path):
    make_pair(tmp_path, "first")
    make_pair(tmp_path, "second")
    (tmp_path / "cert").write_bytes((tmp_path / "first.pem").read_bytes())
    (tmp_path / "key").write_bytes((tmp_path / "first.key").read_bytes())
    return tmp_path


def running(where, *more):
    return Running("run", "--simulate", "--data", where / "data", "--every", "1s", "--listen", "127.0.0.1:0", "--http-tls-cert", where / "cert",
                   "--http-tls-key", where / "key", *more)


def connect(port, trusted, **more):
    context = ssl.create_default_context(cafile=trusted)
    for name, value in more.items():
        setattr(context, name, value)
    return contextlib.closing(http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=context))


def answer(port, trusted, path, **more):
    with connect(port, trusted, **more) as connection:
        connection.request("GET", path)
        return connection.getresponse().read()


def common_name(port):
    """Of the certificate that is shown, whoever signed it."""
    pem = ssl.get_server_certificate(("127.0.0.1", port), timeout=PATIENCE)
    return subprocess.run(["openssl", "x509", "-noout", "-subject"], input=pem, text=True, check=True, capture_output=True).stdout.split("=")[-1].strip()


def test_all_is_served_by_tls(pairs):
    with running(pairs) as run:
        port = run.port()
        assert answer(port, pairs / "first.pem", "/healthz") == b"OK"
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            assert answer(port, pairs / "first.pem", "/healthz", minimum_version=version, maximum_version=version) == b"OK"
        with connect(port, pairs / "first.pem") as stream, connect(port, pairs / "first.pem") as connection:
            stream.request("GET", "/api/events")
            events = stream.getresponse()
            for _ in range(20):  # on one connection
                connection.request("GET", "/api/status")
                assert json.loads(connection.getresponse().read())["name"] == "geckotape"
            seen = [events.readline() for _ in range(30)]
            assert b"event: poll\n" in seen and b"event: market\n" in seen
        market = wait_for(lambda: json.loads(answer(port, pairs / "first.pem", "/api/market"))["rows"], what="the market")
        assert len(market) == 250
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain:  # is no TLS: gets nothing
            plain.sendall(b"GET /healthz HTTP/1.1\r\nHost: t\r\n\r\n")
            assert b"OK" not in plain.recv(1000)
        assert answer(port, pairs / "first.pem", "/healthz") == b"OK"
        assert run.stop() == 0


def test_a_renewed_certificate_is_taken_by_a_signal(pairs):
    with running(pairs) as run:
        port = run.port()
        assert common_name(port) == "first"
        with connect(port, pairs / "first.pem") as before:
            before.request("GET", "/healthz")
            assert before.getresponse().read() == b"OK"
            (pairs / "cert").write_bytes((pairs / "second.pem").read_bytes())
            run.process.send_signal(signal.SIGHUP)  # the key is still the old one
            run.expect("the certificate cannot be read again; the old one is kept")
            assert common_name(port) == "first"
            (pairs / "key").write_bytes((pairs / "second.key").read_bytes())
            run.process.send_signal(signal.SIGHUP)
            wait_for(lambda: common_name(port) == "second", what="the new certificate")
            before.request("GET", "/healthz")  # who was there goes on
            assert before.getresponse().read() == b"OK"
        assert run.stop() == 0


def test_files_that_are_no_pair_are_refused_at_the_start(pairs):
    (pairs / "junk").write_text("no certificate")
    for cert, key, why in [("none", "key", "none: "), ("cert", "none", "none: "), ("junk", "key", "junk: "), ("cert", "junk", "junk: "),
                           ("cert", "second.key", "second.key: ")]:
        done = gecko("run", "--simulate", "--data", pairs / "data", "--listen", "127.0.0.1:0", "--http-tls-cert", pairs / cert,
                     "--http-tls-key", pairs / key, check=1)
        assert why in done.stderr.splitlines()[-1], done.stderr
