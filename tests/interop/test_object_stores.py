# SPDX-License-Identifier: Apache-2.0
"""The S3 store against real servers: versitygw, and MinIO where it was built (GECKOTAPE_MINIO=1 builds it, five minutes on two cores)."""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import pytest
from gecko import ROOT
from http_faults import FaultProxy, changed, cut, failed, failed_after, fine, lost_after
from objects import AGAIN, FATAL, OK, Store, check_all, some_bytes
from postgres import free_port

PART = 5 * 1024 * 1024  # the least that S3 allows
INTO = pathlib.Path(ROOT) / "build-interop" / "go"
SERVERS = {"versitygw": "github.com/versity/versitygw/cmd/versitygw@v1.8.0", "minio": "github.com/minio/minio@latest"}
ENV = {"AWS_ACCESS_KEY_ID": "testaccess", "AWS_SECRET_ACCESS_KEY": "testsecret123"}


def program(name):
    path = INTO / name
    if path.exists():
        return path
    if name == "minio" and os.environ.get("GECKOTAPE_MINIO") != "1":
        pytest.skip("MinIO is built with GECKOTAPE_MINIO=1 only")
    if shutil.which("go") is None:
        pytest.skip("no go, which builds the server")
    INTO.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["go", "install", "-ldflags=-s -w", SERVERS[name]], env={**os.environ, "GOBIN": str(INTO)}, capture_output=True,
                          text=True, check=False, timeout=1800)
    if done.returncode != 0:
        pytest.skip(f"{name} cannot be built: {done.stderr.strip().splitlines()[-1:]}")
    return path


class Server:
    def __init__(self, name):
        path = program(name)
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"geckotape-{name}-", dir="/tmp"))
        (self.dir / "data" / "bucket").mkdir(parents=True)
        self.port = free_port()
        address, data = f"127.0.0.1:{self.port}", str(self.dir / "data")
        command = [path, "--port", address, "--region", "us-east-1", "posix", data] if name == "versitygw" else \
            [path, "server", "--quiet", "--address", address, data]
        env = {**os.environ, "ROOT_ACCESS_KEY": "testaccess", "ROOT_SECRET_KEY": "testsecret123", "MINIO_ROOT_USER": "testaccess",
               "MINIO_ROOT_PASSWORD": "testsecret123", "MINIO_BROWSER": "off", "MINIO_UPDATE": "off"}
        with open(self.dir / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=self.dir)
        for _ in range(300):
            assert self.process.poll() is None, (self.dir / "log").read_text()
            try:
                urllib.request.urlopen(f"http://{address}/", timeout=5)
                break
            except urllib.error.HTTPError:
                break
            except OSError:
                time.sleep(0.1)

    def url(self, prefix="", bucket="bucket", port=None):
        return f"s3://{bucket}/{prefix}?endpoint=http://127.0.0.1:{port or self.port}&region=us-east-1"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        shutil.rmtree(self.dir, ignore_errors=True)


@pytest.fixture(scope="module", name="server", params=sorted(SERVERS))
def server_fixture(request):
    server = Server(request.param)
    server.name = request.param
    yield server
    server.stop()


@pytest.fixture(name="proxy")
def proxy_fixture(server):
    with FaultProxy(server.port) as proxy:
        yield proxy


N = iter(range(1000))


def test_what_every_store_does(server):
    with Store(server.url("a/b"), ENV, part=PART) as store:
        check_all(store, PART)


def test_wrong_credentials_and_buckets(server):
    for env, says in (({**ENV, "AWS_SECRET_ACCESS_KEY": "wrong"}, "secret does not fit"), ({**ENV, "AWS_ACCESS_KEY_ID": "nobody"}, "does not know")):
        with Store(server.url("x"), env) as store:
            answer = store.put("x", b"1")
            assert answer.st == FATAL
            assert says in answer.error
    with Store(server.url("x", "missing"), ENV) as store:
        for answer in (store.put("x", b"1"), store.get("x"), store.stat("x")):
            assert answer.st == FATAL, answer
            assert "no such bucket" in answer.error


def test_a_clock_that_is_wrong(server):
    if shutil.which("faketime") is None:
        pytest.skip("no faketime")
    import objects
    wrapper = server.dir / "late"
    wrapper.write_text(f"#!/bin/sh\nexec faketime -f -2h {pathlib.Path(objects.TOOL).resolve()} \"$@\"\n")
    wrapper.chmod(0o755)
    tool, objects.TOOL = objects.TOOL, str(wrapper)
    try:
        with Store(server.url("x"), ENV) as store:
            answer = store.put("x", b"1")
    finally:
        objects.TOOL = tool
    assert answer.st == FATAL
    assert "clock" in answer.error


def test_of_many_writers_one_gets_through(server):
    won, lock = [], threading.Lock()
    prefix = f"race{next(N)}"

    def write(me):
        with Store(server.url(prefix), ENV, tries=8) as store:
            for i in range(20):
                answer = store.put(f"log/{i}", str(me).encode(), "absent")
                assert answer.st == OK, answer.error
                if not answer.refused:
                    with lock:
                        won.append((i, me))

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(i for i, _ in won) == list(range(20))
    with Store(server.url(prefix), ENV) as store:
        for i, me in won:
            assert store.get(f"log/{i}").content == str(me).encode()


@pytest.mark.parametrize("fault", [lost_after, failed_after(500, "InternalError")])
def test_a_put_if_absent_that_meets_itself_is_unknown(server, proxy, fault):
    with Store(server.url(f"f{next(N)}", port=proxy.port), ENV) as store:
        proxy.faults = [fault]
        answer = store.put("x", b"1", "absent")
        assert (answer.st, answer.refused, answer.unknown) == (OK, True, True)
        assert store.get("x").content == b"1"


@pytest.mark.parametrize("at", range(1, 5))
def test_an_upload_lost_at_each_of_its_requests(server, proxy, at):
    """begin, two parts, the end"""
    content = some_bytes(PART + 1000)
    with Store(server.url(f"f{next(N)}", port=proxy.port), ENV, part=PART) as store:
        proxy.faults = [fine] * (at - 1) + [lost_after]
        answer = store.upload("u", content, "absent", chunk=1 << 20)
        assert at == 4 or (answer.st, answer.refused, answer.unknown) == (OK, False, False), answer.error
        assert at < 4 or answer.unknown or answer.st == OK, answer  # versitygw ends an upload twice alike
        assert store.get("u").content == content


@pytest.mark.parametrize("at", range(1, 5))
def test_an_upload_that_cannot_go_on_is_not_to_be_seen(server, proxy, at):
    with Store(server.url(f"f{next(N)}", port=proxy.port), ENV, part=PART) as store:
        proxy.faults = [fine] * (at - 1) + [failed(403, "AccessDenied")]
        answer = store.upload("u", some_bytes(PART + 1000), "absent", chunk=1 << 20)
        assert (answer.st, answer.unknown) == (FATAL, False)
        assert store.stat("u").there is False
        assert store.list() == []


def test_bytes_that_come_cut_or_changed(server, proxy):
    with Store(server.url(f"f{next(N)}", port=proxy.port), ENV) as store:
        store.put("x", b"0123456789")
        for fault in (cut(0), cut(4), changed):
            proxy.faults = [fault]
            assert store.get("x").content == b"0123456789"
        proxy.faults = [changed] * 3
        answer = store.get("x")
        assert answer.st == AGAIN
        assert "checksum" in answer.error


def test_uploads_against_a_raw_put(server):
    """What is printed is for people: the wall's time, in which the server compares hashes that curl does not send, and our CPU's."""
    size = 256 * 1024 * 1024
    big = server.dir / "big"
    big.write_bytes(os.urandom(1024 * 1024) * (size // (1024 * 1024)))
    with Store(server.url("speed"), ENV, part=8 * 1024 * 1024) as store:
        begin = time.monotonic()
        assert store.ask("upload", "u", "always", "", big, 1 << 20).st == OK
        ours = time.monotonic() - begin
        assert store.stat("u").size == size
        stat = pathlib.Path(f"/proc/{store.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        cpu = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    begin = time.monotonic()
    subprocess.run(["curl", "-sS", "--fail", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "testaccess:testsecret123",
                    "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "-T", big, f"http://127.0.0.1:{server.port}/bucket/speed/raw"], check=True)
    raw = time.monotonic() - begin
    print(f"# {server.name}: {size >> 20} MB in {ours:.2f} s, of them {cpu:.2f} s of CPU here; by curl without hashes in {raw:.2f} s")
    big.unlink()
