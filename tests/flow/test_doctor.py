# SPDX-License-Identifier: Apache-2.0
"""geckotape doctor: each thing that can be wrong, made wrong for real."""
import contextlib
import email.utils
import fcntl
import os
import pathlib
import shutil
import socket
import sqlite3
import struct
import subprocess
import time

import pytest
from gecko import BINARY, IS_SANITIZED, PATIENCE, clean_env, gecko
from server import Answer, PlainServer

PING = b'{"gecko_says":"(V3) To the Moon!"}'
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def doctor(*args, check=None, **more):
    done = gecko("doctor", *args, check=check, **more)
    for line in done.stdout.splitlines():
        assert line.split(" ", 1)[0] in ("ok", "warn", "FAIL"), line
    return done.stdout


def offline(data, *args, check=None):
    return doctor("--offline", "--data", data, *args, check=check)


def failures(out):
    return [line.split(None, 1)[1] for line in out.splitlines() if line.startswith("FAIL")]


def test_doctor_finds_nothing_and_leaves_nothing(tmp_path):
    out = doctor("--simulate", "--data", tmp_path / "data", "--log-file", tmp_path / "etl.log", check=0)
    assert "will be made" in out and "answers in" in out and "it agrees with the API's" in out
    assert "warn" not in out and "FAIL" not in out
    assert list(tmp_path.iterdir()) == []


def test_doctor_changes_nothing_of_a_collector(tmp_path):
    def files():
        return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in tmp_path.rglob("*")
                if not p.name.endswith(("-shm", "-wal")) and p != tmp_path}

    gecko("once", "--simulate", "--data", tmp_path, check=0)
    before = files()
    out = doctor("--simulate", "--data", tmp_path, check=0)
    assert "1 stream readable to the end" in out and "market.db is there and can be written" in out
    assert files() == before


def test_doctor_names_a_holder_that_takes_no_requests(tmp_path):
    with open(tmp_path / "lock", "w", encoding="ascii") as lock:
        lock.write("4711\n")
        lock.flush()
        fcntl.fcntl(lock, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK
        out = offline(tmp_path, check=0)
    assert "warn  process: 4711 writes to" in out
    assert "nobody runs" in offline(tmp_path, check=0)


def test_doctor_names_data_that_is_no_directory(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "file is no directory; name another with --data" in failures(offline(tmp_path / "file", check=1))[0]
    assert "data" in failures(offline(tmp_path / "file" / "below", check=1))[0]


def test_doctor_names_simulated_data(tmp_path):
    gecko("once", "--simulate", "--data", tmp_path, check=0)
    assert "holds simulated data" in failures(offline(tmp_path, check=1))[0]


def run_as_nobody(*args):
    done = subprocess.run([BINARY, "doctor", "--offline", *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=clean_env(), user=NOBODY, group=NOBODY,
                          extra_groups=[], timeout=PATIENCE, check=False, cwd="/")
    return done.returncode, done.stdout


@contextlib.contextmanager
def public_dir():
    """A directory that others reach; pytest's own ones are private."""
    path = pathlib.Path(f"/tmp/geckotape-doctor-{os.getpid()}")
    path.mkdir(mode=0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@as_root
def test_doctor_names_a_read_only_directory():
    if subprocess.run([BINARY, "--version"], user=NOBODY, group=NOBODY, extra_groups=[], check=False, cwd="/",
                      stdout=subprocess.DEVNULL).returncode != 0:
        pytest.skip("another user cannot run this binary")
    with public_dir() as data:
        code, out = run_as_nobody("--data", data)
        assert code == 1
        assert "no file can be made: Permission denied; give this user the right" in failures(out)[0]
        code, out = run_as_nobody("--data", data / "new" / "deeper")
        assert code == 1
        assert "cannot be made: " in failures(out)[0] and "Permission denied" in failures(out)[0]
        data.chmod(0o777)
        code, out = run_as_nobody("--data", data)
        assert code == 0 and "warn  owner: " in out


@contextlib.contextmanager
def tmpfs(path, *options):
    path.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(["size=1m", *options]), "none", path],
                      check=False, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


@as_root
def test_doctor_names_a_full_disk(tmp_path):
    with tmpfs(tmp_path / "small") as data:
        with open(data / "fill", "wb") as fill, contextlib.suppress(OSError):
            while True:
                fill.write(bytes(65536))
                fill.flush()
        found = failures(offline(data, check=1))
        assert "the disk is full: make room" in found[0]
        assert found[1].startswith("disk: 0 B free of 1.0 MB; make room")


@as_root
def test_doctor_names_a_read_only_file_system(tmp_path):
    with tmpfs(tmp_path / "ro", "ro") as data:
        assert "Read-only file system; mount it for writing" in failures(offline(data, check=1))[0]


def test_doctor_names_a_log_that_cannot_be(tmp_path):
    out = offline(tmp_path, "--log-file", tmp_path, check=1)
    assert "Is a directory; name another with --log-file" in failures(out)[0]
    out = offline(tmp_path, "--log-file", "/proc/self/none/etl.log", check=1)
    assert failures(out)[0].startswith("log: ")
    assert "etl.log will be made" in offline(tmp_path, "--log-file", tmp_path / "etl.log", check=0)


# ---- the API ----

def knows(key):
    """Script: only this key is good."""
    refusal = Answer(status=401, body=b'{"status":{"timestamp":"x","error_code":10002,"error_message":"API Key Missing"}}')
    return lambda request: Answer(body=PING) if request.headers.get("x-cg-demo-api-key") == key else refusal


def api(*answers):
    return PlainServer(list(answers))


def ask(server, tmp_path, *args, check=None, **env):
    return doctor("--api-url", server.url, "--data", tmp_path, *args, check=check, env=clean_env(**env))


def test_doctor_pings_the_api_with_the_plans_key_and_shows_it_not(tmp_path):
    with PlainServer(knows("CG-s3cret-s3cret")) as server:
        out = ask(server, tmp_path, "--api-plan", "demo", check=0, GECKOTAPE_API_KEY="CG-s3cret-s3cret")
    assert [r.path for r in server.requests] == ["/ping"] * 3
    assert [r.headers["x-cg-demo-api-key"] for r in server.requests] == ["CG-s3cret-s3cret"] * 2 + ["CG-invalid000000"]
    assert server.requests[0].headers["user-agent"].startswith("geckotape/")
    assert "ok    key: *** of 16 bytes, for plan demo: the API knows it" in out and "s3cret" not in out


def test_doctor_names_a_key_that_is_ignored(tmp_path):
    with api(Answer(body=PING)) as server:
        out = ask(server, tmp_path, "--api-plan", "demo", check=1, GECKOTAPE_API_KEY="CG-s3cret-s3cret")
    assert failures(out) == ["key: *** of 16 bytes, for plan demo: a made-up key is taken as well: yours is ignored, and calls count "
                             "as those of nobody; look for a proxy that removes x-cg-demo-api-key, and at --api-url"]


def test_doctor_tells_what_a_paid_plan_has(tmp_path):
    body = b'{"plan":"Analyst","rate_limit_request_per_minute":500,"monthly_call_credit":1000,"current_remaining_monthly_calls":%d}'
    for left, finding in ((996, "ok  "), (0, "warn")):
        with PlainServer(lambda r, left=left: Answer(body=body % left if r.path == "/key" else PING)) as server:
            out = ask(server, tmp_path, "--api-plan", "pro", check=0, GECKOTAPE_API_KEY="CG-s3cret-s3cret")
        assert f"{finding}  credits: {left} of 1000 are left this month" in out
        assert "ok    rate: 300 calls a minute at most, the jobs make 2.0" in out
        assert server.requests[-1].headers["x-cg-pro-api-key"] == "CG-s3cret-s3cret"


WRONG_HOST = b'{"timestamp":"x","error_code":%d,"status":{"error_message":"If you are using another API key, please change your root URL"}}'


@pytest.mark.parametrize("plan, code, mend", [("demo", 10010, "a Pro key belongs to the Pro host: --api-plan pro"),
                                              ("pro", 10011, "a Demo key belongs to the public host: --api-plan demo")])
def test_doctor_names_a_key_for_the_other_host_once(tmp_path, plan, code, mend):
    with api(Answer(status=400, body=WRONG_HOST % code)) as server:
        out = ask(server, tmp_path, "--api-plan", plan, check=1, GECKOTAPE_API_KEY="CG-s3cret-s3cret")
    (line,) = failures(out)
    assert line.startswith(f"key: *** of 16 bytes, for plan {plan}: HTTP 400 ({code}): ") and line.endswith(mend)


def test_doctor_names_a_dead_port(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/api/v3"
        out = doctor("--api-url", url, "--data", tmp_path, check=1)
    assert failures(out)[0].startswith(f"API: {url}: ") and "look at the network" in failures(out)[0]


def test_doctor_names_a_host_that_is_not(tmp_path):
    out = doctor("--api-url", "http://nowhere.invalid/api/v3", "--data", tmp_path, check=1)
    assert "DNS" in failures(out)[0]


def test_doctor_names_tls_that_is_none(tmp_path):
    with api(Answer(raw=b"HTTP/1.1 200 OK\r\n\r\n")) as server:
        out = doctor("--api-url", server.url.replace("http:", "https:"), "--data", tmp_path, check=1)
    assert "look at scheme and port" in failures(out)[0]


@pytest.mark.parametrize("ahead, words", [(3700, "1h 1m behind the API's"), (-3 * 86400 - 60, "3d ahead of the API's")])
def test_doctor_names_a_wrong_clock(tmp_path, ahead, words):
    date = email.utils.formatdate(time.time() + ahead, usegmt=True)
    with api(Answer(body=PING, headers={"Date": date})) as server:
        out = ask(server, tmp_path, check=1)
    assert failures(out) == [f"clock: it is {words}; set this machine's clock, with NTP if it can be"]


ANSWERS = [
    (Answer(status=401, body=b"{}"), "FAIL", "wants a key"),
    (Answer(status=403, body=b"{}"), "FAIL", "refuses this address"),
    (Answer(status=404, body=b"{}"), "FAIL", "it ends in /api/v3"),
    (Answer(status=429, body=b"{}"), "warn", "too many calls"),
    (Answer(status=503, body=b"{}"), "warn", "may be over soon"),
    (Answer(status=301, body=b""), "FAIL", "look at --api-url"),
    (Answer(body=b"<html>log in here</html>"), "FAIL", "a login page in between"),
    (Answer(body=b"[1]"), "FAIL", "not as CoinGecko does"),
    (Answer(body=b"x" * 2_000_000), "FAIL", "larger than the ceiling"),
    (Answer(body=PING, headers={"Date": None}), "warn", "sends no Date"),
    (Answer(raw=b"SSH-2.0-OpenSSH\r\n"), "FAIL", "no HTTP/1.1 server"),
    (Answer(status=403, body=b"{\"x\":\"\x1b[2J\"}"), "FAIL", "refuses this address"),
]


@pytest.mark.parametrize("answer, finding, text", ANSWERS)
def test_doctor_judges_what_the_api_answers(tmp_path, answer, finding, text):
    with api(answer) as server:
        out = ask(server, tmp_path, check=1 if finding == "FAIL" else 0)
    assert any(line.startswith(finding) and text in line for line in out.splitlines()), out
    assert "\x1b" not in out


def test_doctor_blames_the_key_when_there_is_one(tmp_path):
    with PlainServer(knows("CG-right-right")) as server:
        out = ask(server, tmp_path, "--api-plan", "demo", check=1, GECKOTAPE_API_KEY="CG-wrong-wrong")
    assert failures(out) == ["key: *** of 14 bytes, for plan demo: HTTP 401 (10002): API Key Missing; the API key is missing or wrong: "
                             "check GECKOTAPE_API_KEY and --api-plan"]


def test_doctor_offline_asks_nobody(tmp_path):
    with api(Answer(body=PING)) as server:
        ask(server, tmp_path, "--offline", check=0)
    assert server.requests == []


def test_doctor_knows_a_clock_in_1970(tmp_path):
    faketime = shutil.which("faketime")
    if not faketime or IS_SANITIZED:
        pytest.skip("faketime is not installed, or does not go with sanitizers")
    done = subprocess.run([faketime, "1970-01-02 00:00:00", BINARY, "doctor", "--offline", "--data", tmp_path],
                          stdout=subprocess.PIPE, text=True, env=clean_env(), check=False, timeout=PATIENCE)
    assert done.returncode == 1 and "clock: it says 1970-01-0" in done.stdout


# ---- sinks and tape ----

def test_doctor_names_a_database_that_is_none(tmp_path):
    (tmp_path / "text.db").write_text("this is no database, but long enough to look at" * 100)
    out = offline(tmp_path, "--sink", f"sqlite:{tmp_path}/text.db", check=1)
    assert "not a database" in failures(out)[0]
    assert (tmp_path / "text.db").read_text().startswith("this is no database")


def test_doctor_makes_no_database_for_the_question(tmp_path):
    out = offline(tmp_path, "--sink", f"sqlite:{tmp_path}/new.db", "--sink", f"json:{tmp_path}/json",
                  "--sink", "null:", "--sink", "memory:", check=0)
    assert out.count("will be made") == 2 and "sink: null: opens" in out
    assert list(tmp_path.iterdir()) == []


def test_doctor_names_a_sink_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("x")
    out = offline(tmp_path, "--sink", f"sqlite:{tmp_path}/file/new.db", check=1)
    assert "new.db" in failures(out)[0]


def test_doctor_leaves_another_programs_database_alone(tmp_path):
    path = tmp_path / "other.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.execute("create table theirs (x)")
        db.commit()
    before = path.read_bytes()
    out = offline(tmp_path, "--sink", f"sqlite:{path}")
    assert "other.db is there and can be written" not in out
    assert path.read_bytes() == before


def test_doctor_tells_of_torn_ends(tmp_path):
    gecko("once", "--simulate", "--data", tmp_path, check=0)
    segment = next((tmp_path / "tape" / "markets-usd").iterdir())
    (segment.parent / f"{segment.name}.100.torn").write_bytes(b"x")
    out = doctor("--simulate", "--data", tmp_path, check=0)
    assert "warn  tape: 1 torn end of a write" in out
