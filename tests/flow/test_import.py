# SPDX-License-Identifier: Apache-2.0
"""geckotape import: history from folders, repositories, JSON lines and CSV onto the tape."""
import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

import pytest
from gecko import BINARY, CAPTURES, Running, clean_env, database, gecko, market_body, records, wait_for
from server import Answer, PlainServer

HOUR = 3600


def stamp(n):
    return time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(1704067200 + n * HOUR))


def folder_of(path, n, coins=20):
    path.mkdir()
    for i in range(n):
        (path / f"market_{stamp(i)}.json").write_bytes(market_body(coins, i))
    return path


def bodies(data):
    return gecko("tape", "cat", "--data", data, check=0).stdout.splitlines()


def ends(data):
    return [r for r in records(data) if r["type"] == "end"]


def verified(data):
    gecko("tape", "verify", "--data", data, check=0)
    all_records = records(data)
    assert [r["offset"] for r in all_records] == list(range(1, len(all_records) + 1))
    slots = [r["slot_us"] for r in all_records if r["type"] == "end" and r["outcome"] in ("ok", "partial")]
    assert slots == sorted(set(slots)), "polls are not in the order of time, each once"
    return all_records


# ---- folders ----


def test_a_folder_comes_byte_for_byte_with_its_time(tmp_path):
    source = folder_of(tmp_path / "raw", 5)
    (source / "README").write_text("not a snapshot")
    done = gecko("import", source, "--data", tmp_path / "data", "--vs", "eur", check=0)
    assert "import-raw: 5 polls imported, 2024-01-01T00:00:00Z to 2024-01-01T04:00:00Z, 20 coins" in done.stdout
    assert "prices in eur" in done.stdout and "once or run" in done.stdout.splitlines()[-1]
    assert bodies(tmp_path / "data") == [market_body(20, i).decode() for i in range(5)]
    for i, record in enumerate(verified(tmp_path / "data")):
        assert record["job"] == "import-raw" and record["endpoint"] == "coins/markets"
        assert record["vs_currency"] == "eur" and record["selection"] == "import"
        assert record["slot_us"] == (1704067200 + i // 2 * HOUR) * 10**6
        if record["type"] == "page":
            assert record["fetched_at"] == record["slot"] and record["status"] == 200
            assert record["target"] == f"import:market_{stamp(i // 2)}.json"
        else:
            assert record["outcome"] == "ok" and record["started"] == record["finished"] == record["slot"]
            assert "next_due" not in record and record["credits_spent"] == 0


def test_every_form_of_name_page_and_compression(tmp_path):
    source = tmp_path / "raw"
    source.mkdir()
    body = [market_body(5, i) for i in range(8)]
    (source / "market_2024-01-01T00-00-00.json").write_bytes(body[0])
    (source / "market_20240101T010000Z.json.gz").write_bytes(gzip.compress(body[1][:700]) + gzip.compress(body[1][700:]))
    packed = subprocess.run(["zstd", "-q", "-c"], input=body[2], stdout=subprocess.PIPE, check=True).stdout
    (source / "market_2024-01-01_02:00:00.json.zst").write_bytes(packed)
    (source / "market_1704078000.json").write_bytes(body[3])  # 03:00, and its later pages
    (source / "market_1704078000_p2.json").write_bytes(body[4])
    (source / "market_1704078000_p3.json").write_bytes(body[5])
    (source / "market_1704081600000.json").write_bytes(body[6])
    (source / "market_1704081600000_p3.json").write_bytes(body[7])  # the second is missing
    gecko("import", source, "--data", tmp_path / "data", "--name", "x", check=0)
    verified(tmp_path / "data")
    assert bodies(tmp_path / "data") == [b.decode() for b in body]
    assert [(e["outcome"], e["pages"]) for e in ends(tmp_path / "data")] == [
        ("ok", [1]), ("ok", [3]), ("ok", [5]), ("ok", [7, 8, 9]), ("partial", [11, 0, 12])]
    assert "page 2 " in ends(tmp_path / "data")[-1]["error"]


def test_local_names_and_file_times(tmp_path):
    source = tmp_path / "raw"
    source.mkdir()
    (source / "market_2024-07-01T02-00-00.json").write_bytes(market_body(2))
    (source / "latest.json").write_bytes(market_body(2, 1))
    os.utime(source / "latest.json", (1719788400, 1719788400))  # 2024-06-30T23:00:00Z
    done = gecko("import", source, "--data", tmp_path / "a", "--time-zone", "+02:00", check=0)
    assert "latest.json: no time in its name; --mtime" in done.stderr and "skipped: 1 without a time" in done.stdout
    assert [e["slot"] for e in ends(tmp_path / "a")] == ["2024-07-01T00:00:00Z"]
    gecko("import", source, "--data", tmp_path / "b", "--time-zone", "+02:00", "--mtime", check=0)
    assert [e["slot"] for e in ends(tmp_path / "b")] == ["2024-06-30T23:00:00Z", "2024-07-01T00:00:00Z"]


def test_two_series_in_a_folder_are_not_mixed(tmp_path):
    source = folder_of(tmp_path / "raw", 2)
    (source / f"eur_{stamp(0)}.json").write_bytes(market_body(3))
    done = gecko("import", source, "--data", tmp_path / "data", check=1)
    assert "several series" in done.stderr and "--path" in done.stderr and not (tmp_path / "data/tape").exists()
    gecko("import", source, "--data", tmp_path / "data", "--path", "eur_*", "--name", "eur", check=0)
    assert bodies(tmp_path / "data") == [market_body(3).decode()]


def test_what_is_no_answer_is_skipped_counted_and_named(tmp_path):
    source = folder_of(tmp_path / "raw", 1)
    bad = {
        "a": b"", "b": b"<html>429</html>", "c": b'{"status":{"error_code":429}}', "d": market_body(2)[:-9], "e": b"[]",
        "f": b"[1,2]", "g": b'[{"id":"a"}]', "h": b'[{"current_price":1}]', "i": b"\x1f\x8b\x08broken", "j": b"\xff\xfe",
        "k": b"[" * 100000, "l": b"null", "m": b"\x00" * 1000, "n": b"\x28\xb5\x2f\xfdbroken",
    }
    for n, (name, body) in enumerate(bad.items()):
        (source / f"market_{stamp(n + 1)}_{name}.json").write_bytes(body)
    (source / f"market_{stamp(30)}.json").mkdir()
    os.mkfifo(source / f"market_{stamp(31)}.json")
    os.symlink("/nonexistent", source / f"market_{stamp(32)}.json")
    (source / "market_2099-01-01.json").write_bytes(market_body(1))
    (source / "market_2012-01-01.json").write_bytes(market_body(1))
    os.close(os.open(os.fsencode(source) + b"/market_2024-02-01\xff\n\x1b[31m.json", os.O_CREAT | os.O_WRONLY))
    (source / ("market_2024-02-02" + "x" * 230 + ".json")).write_bytes(b"x")
    done = gecko("import", source, "--data", tmp_path / "data", check=0)
    assert "1 poll imported" in done.stdout
    assert "skipped: 14 not an array of coins" in done.stdout and "skipped: 5 unreadable" in done.stdout
    assert "skipped: 2 of an impossible time" in done.stdout
    assert "in the future" in done.stderr and "before 2013-04-28" in done.stderr
    assert "which the summary counts" in done.stderr, "only the first are named"
    assert "\x1b" not in done.stderr and all(line.startswith("geckotape: ") for line in done.stderr.splitlines())
    verified(tmp_path / "data")


def test_a_body_beyond_the_ceiling_is_skipped(tmp_path):
    source = folder_of(tmp_path / "raw", 1)
    big = b"[" + b" " * (65 * 1024 * 1024) + b"]"
    (source / f"market_{stamp(1)}.json.gz").write_bytes(gzip.compress(big, 1))
    with open(source / f"market_{stamp(2)}.json", "wb") as file:
        file.truncate(10**12)  # takes no room
    done = gecko("import", source, "--data", tmp_path / "data", check=0)
    assert "skipped: 2 too large" in done.stdout and "1 poll imported" in done.stdout


def test_a_dry_run_changes_nothing(tmp_path):
    source = folder_of(tmp_path / "raw", 3)
    (source / f"market_{stamp(9)}.json").write_bytes(b"oops")
    done = gecko("import", source, "--data", tmp_path / "data", "--dry-run", check=0)
    assert "3 polls would be imported, 2024-01-01T00:00:00Z to 2024-01-01T02:00:00Z" in done.stdout
    assert "oops" in done.stderr and not (tmp_path / "data").exists()


# ---- again ----


def test_a_second_import_adds_only_what_is_new(tmp_path):
    source = folder_of(tmp_path / "raw", 3)
    args = ["import", source, "--data", tmp_path / "data"]
    gecko(*args, check=0)
    before = records(tmp_path / "data")
    done = gecko(*args, check=0)
    assert "0 polls imported" in done.stdout and "skipped: 3 on the tape already" in done.stdout
    assert records(tmp_path / "data") == before
    (source / f"market_{stamp(5)}.json").write_bytes(market_body(20, 5))
    (source / "market_2024-01-01T00-30-00Z.json").write_bytes(market_body(20, 9))
    done = gecko(*args, check=0)
    assert "1 poll imported" in done.stdout and "skipped: 1 older than the tape's newest" in done.stdout
    assert "00-30-00Z.json: " in done.stderr and "--name" in done.stderr
    assert len(ends(tmp_path / "data")) == 4
    verified(tmp_path / "data")


def test_equal_snapshots_are_kept_unless_told_otherwise(tmp_path):
    source = tmp_path / "raw"
    source.mkdir()
    for i, step in enumerate([0, 0, 1, 1, 1, 0]):
        (source / f"market_{stamp(i)}.json").write_bytes(market_body(3, step))
    gecko("import", source, "--data", tmp_path / "all", check=0)
    assert len(ends(tmp_path / "all")) == 6
    args = ["import", source, "--data", tmp_path / "few", "--skip-equal"]
    assert "skipped: 3 equal to the one before" in gecko(*args, check=0).stdout
    assert bodies(tmp_path / "few") == [market_body(3, step).decode() for step in (0, 1, 0)]
    done = gecko(*args, check=0)
    assert "skipped: 3 on the tape already" in done.stdout and "skipped: 3 equal to the one before" in done.stdout


def test_a_killed_import_is_gone_on_with(tmp_path):
    source = folder_of(tmp_path / "raw", 400, coins=100)
    want = [market_body(100, i).decode() for i in range(400)]
    args = [BINARY, "import", str(source), "--data", str(tmp_path / "data")]
    segments = tmp_path / "data/tape/import-raw"
    kills = 0
    for target in (20000, 200000, 500000):
        process = subprocess.Popen(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_env())
        wait_for(lambda size=target, p=process: p.poll() is not None or sum(
            f.stat().st_size for f in segments.glob("*.zst")) > size, what="bytes on the tape")
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills > 0, "every import was done before it could be killed"
    gecko(*args[1:], check=0)
    verified(tmp_path / "data")
    good = [e for e in ends(tmp_path / "data") if e["outcome"] == "ok"]
    assert [e["slot_us"] // 10**6 for e in good] == [1704067200 + i * HOUR for i in range(400)]
    by_offset = {r["offset"]: r for r in records(tmp_path / "data")}
    assert [by_offset[e["pages"][0]]["body_len"] for e in good] == [len(b.encode()) for b in want]


def test_another_identity_under_the_same_name_is_refused(tmp_path):
    source = folder_of(tmp_path / "raw", 1)
    gecko("import", source, "--data", tmp_path / "data", check=0)
    done = gecko("import", source, "--data", tmp_path / "data", "--vs", "eur", check=1)
    assert "cannot become" in done.stderr and "another name" in done.stderr


# ---- repositories ----


def git(repository, *args, at=0):
    date = f"{1704067200 + at * HOUR} +0000"
    env = clean_env(GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null", GIT_COMMITTER_DATE=date, GIT_AUTHOR_DATE=date,
                    GIT_AUTHOR_NAME="x", GIT_AUTHOR_EMAIL="x@invalid", GIT_COMMITTER_NAME="x", GIT_COMMITTER_EMAIL="x@invalid")
    return subprocess.run(["git", "-C", str(repository), *args], env=env, check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE).stdout


@pytest.fixture(name="repository")
def make_repository(tmp_path):
    if shutil.which("git") is None:
        pytest.skip("no git here")
    path = tmp_path / "repo"
    path.mkdir()
    git(path, "init", "-q")
    return path


def commit(repository, n, body, name="data/prices.json"):
    (repository / name).parent.mkdir(exist_ok=True)
    (repository / name).write_bytes(body)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", f"snapshot {n}", at=n)


def test_the_commits_of_a_file_are_its_snapshots(tmp_path, repository):
    for n in range(4):
        commit(repository, n, market_body(5, n))
    (repository / "README").write_text("x")
    commit(repository, 9, b"other", "other.json")
    done = gecko("import", repository, "--data", tmp_path / "data", check=1)
    assert "--path FILE" in done.stderr and "--as folder" in done.stderr
    done = gecko("import", repository, "--path", "data/prices.json", "--data", tmp_path / "data", check=0)
    assert "import-repo: 4 polls imported, 2024-01-01T00:00:00Z to 2024-01-01T03:00:00Z" in done.stdout
    assert bodies(tmp_path / "data") == [market_body(5, n).decode() for n in range(4)]
    commits = git(repository, "rev-list", "--reverse", "HEAD", "--", "data/prices.json").decode().split()
    assert [r["target"] for r in records(tmp_path / "data") if r["type"] == "page"] == [f"import:{c}" for c in commits]
    commit(repository, 10, market_body(5, 10))
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    done = gecko("import", bare, "--path", "data/prices.json", "--name", "repo", "--data", tmp_path / "data", check=0)
    assert "1 poll imported" in done.stdout and "skipped: 4 on the tape already" in done.stdout
    verified(tmp_path / "data")


def test_commits_without_a_snapshot_are_skipped_by_name(tmp_path, repository):
    name = "data/prices.json"
    commit(repository, 0, market_body(2, 0))
    commit(repository, 1, b"<html>")
    (repository / name).unlink()
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "gone", at=2)
    os.symlink("/etc/passwd", repository / name)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "a link", at=3)
    (repository / name).unlink()
    (repository / name).mkdir()
    commit(repository, 4, market_body(2, 1), name + "/x")
    shutil.rmtree(repository / name)
    head = git(repository, "rev-parse", "HEAD").decode().strip()
    git(repository, "update-index", "--force-remove", name + "/x")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{head},{name}")
    git(repository, "commit", "-q", "-m", "a submodule", at=5)
    git(repository, "update-index", "--force-remove", name)
    commit(repository, 6, market_body(2, 2))
    done = gecko("import", repository, "--path", name, "--data", tmp_path / "data", check=0)
    assert "2 polls imported" in done.stdout
    assert "not in this commit" in done.stderr and done.stderr.count("is not a file there") == 2
    assert "skipped: 2 not an array of coins" in done.stdout and "skipped: 3 unreadable" in done.stdout
    verified(tmp_path / "data")


def test_a_repository_cannot_make_us_run_anything(tmp_path, repository):
    commit(repository, 0, market_body(2))
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\nexit 0\n")
    trap.chmod(0o755)
    for key in ("core.pager", "pager.rev-list", "core.fsmonitor", "core.sshCommand", "core.askPass", "core.editor",
                "gpg.program", "diff.external", "diff.x.textconv", "filter.x.smudge", "filter.x.clean", "alias.rev-list",
                "core.alternateRefsCommand", "uploadpack.packObjectsHook", "credential.helper"):
        git(repository, "config", key, str(trap))
    git(repository, "config", "log.showSignature", "true")
    git(repository, "config", "core.hooksPath", str(tmp_path))
    (repository / ".gitattributes").write_text("*.json filter=x diff=x\n")
    git(repository, "config", "extensions.partialClone", "origin")
    git(repository, "config", "remote.origin.url", f"ext::{trap}")
    git(repository, "config", "remote.origin.promisor", "true")
    git(repository, "config", "protocol.ext.allow", "always")
    blob = git(repository, "rev-parse", "HEAD:data/prices.json").decode().strip()
    loose = repository / ".git/objects" / blob[:2] / blob[2:]
    body = loose.read_bytes()
    done = gecko("import", repository, "--path", "data/prices.json", "--data", tmp_path / "data", check=0)
    assert "1 poll imported" in done.stdout
    loose.unlink()  # a promised object is not fetched
    done = gecko("import", repository, "--path", "data/prices.json", "--data", tmp_path / "again")
    assert done.returncode == 1 and not (tmp_path / "sprung").exists()
    assert body


@pytest.mark.parametrize("path", ["--output=leak", "-n1", ":(glob)**", "../x", "/etc/passwd", "./x", "a\nb", "x" * 5000, "nope"])
def test_a_hostile_path_is_only_a_path(tmp_path, repository, path):
    commit(repository, 0, market_body(2))
    done = gecko("import", repository, "--data", tmp_path / "data", f"--path={path}")
    assert done.returncode in (1, 2) and "--path" in done.stderr, done.stderr
    assert not list(tmp_path.rglob("leak*"))


def test_a_file_named_like_an_option_is_imported(tmp_path, repository):
    commit(repository, 0, market_body(2), "--all")
    done = gecko("import", repository, "--data", tmp_path / "data", "--path=--all", check=0)
    assert "1 poll imported" in done.stdout


def test_a_broken_repository_and_no_git_are_named(tmp_path, repository):
    done = gecko("import", repository, "--path", "x", "--data", tmp_path / "data", check=1)
    assert "git rev-list:" in done.stderr and str(repository) in done.stderr
    commit(repository, 0, market_body(2))
    done = gecko("import", repository, "--path", "data/prices.json", "--data", tmp_path / "data",
                 env=clean_env(PATH="/nonexistent"), check=1)
    assert "git: there is no such program; install it" in done.stderr
    shutil.rmtree(repository / ".git/objects")
    done = gecko("import", repository, "--path", "data/prices.json", "--data", tmp_path / "data", check=1)
    assert "git" in done.stderr


# ---- lines ----


def test_json_lines_newest_first(tmp_path):
    source = tmp_path / "history.jsonl"
    with open(source, "wb") as file:
        for i in reversed(range(50)):
            file.write(b'{"fetched_at": %d, "data": %s}\n' % (1704067200 + i * HOUR, market_body(10, i)))
    done = gecko("import", source, "--data", tmp_path / "data", check=0)
    assert "import-history: 50 polls imported" in done.stdout
    assert bodies(tmp_path / "data") == [market_body(10, i).decode() for i in range(50)]
    verified(tmp_path / "data")


def test_csv_coin_by_coin(tmp_path):
    source = tmp_path / "Daily Prices.csv"
    with open(source, "w", encoding="utf-8") as file:
        file.write("Date,Slug,Price,Volume\n")
        for coin in ("bitcoin", "ethereum", "tether"):
            for day in range(300):
                file.write(f"{1704067200 + day * 86400},{coin},{day}.10,\n")
    args = ["import", source, "--data", tmp_path / "data"]
    done = gecko(*args, "--map", "Slug=id", check=0)
    assert "import-daily-prices: 300 polls imported" in done.stdout and "3 coins in the last" in done.stdout
    lines = bodies(tmp_path / "data")
    assert lines[7] == "[" + ",".join(
        f'{{"id":"{coin}","symbol":"","name":"{coin}","current_price":7.10,"total_volume":null}}'
        for coin in ("bitcoin", "ethereum", "tether")) + "]"
    verified(tmp_path / "data")


MISTAKES = [
    (["nope"], 2, "nope: No such file"),
    ([], 2, "usage"),
    (["/dev/null"], 1, "neither a file nor a folder"),
    (["empty"], 1, "empty"),
    (["array.json"], 1, "without a time"),
    (["packed.jsonl.gz"], 1, "unpack it first"),
    (["folder"], 1, "no snapshot with a time"),
    (["a.csv", "--name", "No Good"], 1, "--name"),
    (["a.csv", "--name", "../x"], 1, "--name"),
    (["a.csv", "--as", "tar"], 2, "auto|folder|git|jsonl|csv"),
    (["a.csv", "--time-zone", "Mars"], 1, "--time-zone"),
    (["a.csv", "--map", "Price"], 2, "--map"),
    (["a.csv", "--vs", "US$"], 2, "--vs"),
    (["a.csv", "--as", "folder"], 1, "Not a directory"),
    (["folder", "--as", "csv"], 1, "not a file"),
    (["folder", "--as", "git", "--path", "x"], 1, "git rev-list"),
]


@pytest.mark.parametrize("args,code,text", MISTAKES, ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_mistakes_are_named(tmp_path, args, code, text):
    (tmp_path / "empty").write_text("")
    (tmp_path / "array.json").write_bytes(market_body(1))
    (tmp_path / "packed.jsonl.gz").write_bytes(gzip.compress(b"{}"))
    (tmp_path / "a.csv").write_text("time,id,price\n2024-01-01,a,1\n")
    (tmp_path / "folder").mkdir()
    done = gecko("import", *args, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert text in done.stderr and not done.stdout
    assert not list(tmp_path.glob("data/tape/*"))


def stored(data):
    with contextlib.suppress(sqlite3.Error), database(data) as db:  # it may be in the making
        return db.execute("select count(*) from poll join job using (job_id) where name = 'import-raw' and rows_new = 20").fetchone()[0]
    return 0


def test_once_loads_what_was_imported(tmp_path):
    source = folder_of(tmp_path / "raw", 3)
    gecko("import", source, "--data", tmp_path / "data", check=0)
    with PlainServer(lambda request: Answer(body=market_body(20))) as api:
        gecko("once", "--top", "20", "--api-url", api.url, "--data", tmp_path / "data", check=0)
    with database(tmp_path / "data") as db:
        rows = db.execute("select slot, outcome, rows_in, rows_quarantined from poll join job using (job_id) where name = 'import-raw' order by slot")
        assert [tuple(r) for r in rows] == [((1704067200 + i * HOUR) * 10**6, "ok", 20, 0) for i in range(3)]


def test_a_collector_that_runs_imports_and_loads_at_once(tmp_path):
    source = folder_of(tmp_path / "raw", 1)
    with PlainServer(lambda request: Answer(body=market_body(20, request.n))) as api, \
            Running("run", "--api-url", api.url, "--api-rate", 100000, "--top", 20, "--every", "1s", "--listen", "127.0.0.1:0",
                    "--data", tmp_path / "data") as run:
        run.port()
        wait_for(lambda: list((tmp_path / "data/tape").glob("*/*.zst")), what="a poll on the tape")
        done = gecko("import", source, "--data", tmp_path / "data")
        assert done.returncode == 0, done.stderr
        assert "1 poll imported" in done.stdout and "sinks load it now" in done.stdout
        wait_for(lambda: stored(tmp_path / "data") == 1, what="the import in the sink")
        run.stop()
    assert "1 on the tape already" in gecko("import", source, "--data", tmp_path / "data", check=0).stdout
    names = {r["job"] for r in records(tmp_path / "data")}
    assert names == {"markets-usd-top20", "import-raw"}


def refuse_simulated(source, data):
    for more in ([], ["--dry-run"]):
        refused = gecko("import", source, "--data", data, *more)
        assert refused.returncode == 78 and "holds simulated data" in refused.stderr and "--data another" in refused.stderr
    assert not (data / "tape/import-raw").exists()


def ask(data, *words):
    """A request without the verb's own checks, as another version would send it."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(data / "control.sock"))
        control.sendall(" ".join(words).encode() + b"\n")
        return b"".join(iter(lambda: control.recv(65536), b"")).decode()


def test_real_history_and_simulated_data_do_not_mix(tmp_path):
    source = folder_of(tmp_path / "raw", 1)
    with Running("run", "--simulate", "--every", "1s", "--listen", "127.0.0.1:0", "--data", tmp_path / "data") as run:
        run.port()
        wait_for((tmp_path / "data/control.sock").exists, what="a process that listens")
        refuse_simulated(source, tmp_path / "data")
        assert "holds simulated data" in ask(tmp_path / "data", "import", f"path={source}")
        run.stop()
    refuse_simulated(source, tmp_path / "data")
    gecko("import", source, "--data", tmp_path / "real", check=0)
    refused = gecko("run", "--simulate", "--data", tmp_path / "real", "--listen", "none")
    assert refused.returncode == 78 and "holds real data" in refused.stderr


def test_real_consecutive_captures(tmp_path):
    captures = sorted((CAPTURES / "markets").glob("madjin_*.json")) if CAPTURES.is_dir() else []
    if not captures:
        pytest.skip("no ../shared/captures here")
    done = gecko("import", CAPTURES / "markets", "--path", "madjin_*", "--name", "madjin", "--data", tmp_path / "data", check=0)
    assert f"{len(captures)} polls imported, 2023-03-20T00:00:00Z" in done.stdout
    verified(tmp_path / "data")
    by_target = {r["target"]: r["body_len"] for r in records(tmp_path / "data") if r["type"] == "page"}
    assert by_target == {f"import:{c.name}": c.stat().st_size for c in captures}
    for line, capture in zip(bodies(tmp_path / "data"), captures):
        if b"\n" not in capture.read_bytes():
            assert json.loads(line) == json.loads(capture.read_bytes())
    assert re.search(r"100 coins in the last", done.stdout)
