# SPDX-License-Identifier: Apache-2.0
"""export --output: a file is there whole or not at all; what cannot be is refused with the mend, before anything is written."""
import fcntl
import os
import pathlib
import signal
import subprocess
import time

import pytest
from gecko import BINARY, IS_SANITIZED, PATIENCE, clean_env, gecko, market_body
from stores import S_US, SLOT0, make_tape

FORMS = ["csv", "csv.gz", "jsonl.zst", "parquet"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Some 12,000 rows."""
    place = tmp_path_factory.mktemp("store")
    make_tape(place / "data", [(SLOT0 + 60 * n * S_US, "ok", [market_body(250, step=n)]) for n in range(50)])
    gecko("load", "--from", f"tape:{place}/data", "--sink", f"sqlite:{place}/market.db", check=0)
    return f"sqlite:{place}/market.db"


def args(store, *more):
    return ["export", "rows", "--from", store, "--since", "2026-11-23T13:00:00Z", "--until", "2026-11-24T00:00:00Z", *map(str, more)]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_is_made_anew_and_leaves_nothing_beside_it(store, form, tmp_path):
    file = tmp_path / f"x.{form}"
    file.write_text("the one before")
    (tmp_path / f"x.{form}.tmp").write_text("what one who was killed has left" * 10**6)
    gecko(*args(store, "--output", file), check=0)
    first = file.read_bytes()
    assert len(first) > 60_000 and os.listdir(tmp_path) == [file.name]
    gecko(*args(store, "--output", file), check=0)
    assert file.read_bytes() == first


def test_a_link_where_it_writes_is_not_followed(store, tmp_path):
    other = tmp_path / "another's"
    other.write_text("kept")
    (tmp_path / "x.csv.tmp").symlink_to(other)
    done = gecko(*args(store, "--output", tmp_path / "x.csv"), check=1)
    assert "x.csv.tmp" in done.stderr and other.read_text() == "kept"
    assert not (tmp_path / "x.csv").exists() and (tmp_path / "x.csv.tmp").is_symlink()


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_leaves_what_was_there(store, form, tmp_path):
    file = tmp_path / f"x.{form}"
    file.write_text("the one before")
    # no file may be longer than 100 blocks of 512 bytes; SQLite needs 32 kB
    done = subprocess.run(["sh", "-c", "trap '' XFSZ; ulimit -f 100; exec \"$@\"", "sh", BINARY, *args(store, "--output", file)],
                          env=clean_env(), stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "no room; make some" in done.stderr and str(file) in done.stderr, done.stderr
    assert file.read_text() == "the one before" and os.listdir(tmp_path) == [file.name]


def test_a_full_device_is_named(store):
    done = gecko(*args(store, "--output", "/dev/full"), check=1)
    assert "no room; make some" in done.stderr and "/dev/full" in done.stderr


@pytest.mark.parametrize("form", FORMS)
def test_who_is_killed_leaves_no_file(store, form, tmp_path):
    file, part = tmp_path / f"x.{form}", tmp_path / f"x.{form}.tmp"
    running = subprocess.Popen([BINARY, *args(store, "--output", file)], env=clean_env())
    until = time.monotonic() + PATIENCE
    while not part.exists() and not file.exists() and time.monotonic() < until:
        time.sleep(0.001)
    running.kill()
    if running.wait() == -signal.SIGKILL and not file.exists():
        assert os.listdir(tmp_path) == [part.name]
    gecko(*args(store, "--output", file), check=0)
    assert os.listdir(tmp_path) == [file.name]


def test_two_do_not_write_one_file(store, tmp_path):
    with open(tmp_path / "x.csv.tmp", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        done = gecko(*args(store, "--output", tmp_path / "x.csv"), check=1)
        assert "another process is writing it" in done.stderr and (tmp_path / "x.csv.tmp").exists()


def test_a_pipe_that_is_there_is_written_to(store, tmp_path):
    pipe = tmp_path / "x.parquet"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    gecko(*args(store, "--output", pipe), check=0)
    data = reader.communicate(timeout=PATIENCE)[0]
    assert data[:4] == data[-4:] == b"PAR1" and pipe.is_fifo()


@pytest.mark.parametrize(("more", "words"), [
    (["--output", "x.parquet", "--format", "csv"], ["--format says otherwise"]),
    (["--output", "x.parquet.gz"], ["compressed inside", "name it x.parquet"]),
    (["--output", "x.csv.zst", "--format", "parquet"], ["--format says otherwise"]),
    (["--output", "x", "--format", "json"], ["csv, jsonl or parquet", "geckotape query prints JSON"]),
    (["--output", "x", "--format", "table"], ["csv, jsonl or parquet", "geckotape query prints tables"]),
    (["--output", "."], ["is a directory"]),
    (["--output", "x.parquet", "--columns", "id,ath,id"], ["id is there twice"]),
    (["--output", "x.parquet", "--columns", "price"], ["no column price"]),
    (["--output", "x.csv", "--universe", "top10"], ["--universe"]),
    (["--output", "x.csv", "--max-stale", "1h"], ["--max-stale"]),
    (["--output", "x.csv", "--every", "1h"], ["--every", "candles"]),
    (["--output", "x.csv", "--until", "2020-01-01"], ["--since: not before"]),
])
def test_what_cannot_be_is_refused_with_the_mend(store, more, words, tmp_path):
    done = gecko(*args(store, *more), cwd=tmp_path, check=2)
    assert all(word in done.stderr for word in words), done.stderr
    assert not os.listdir(tmp_path)


def test_other_refusals(store, tmp_path):
    done = gecko(*args(store, "--output", tmp_path / "no" / "x.csv"), check=1)
    assert "--output: " in done.stderr and "No such file or directory" in done.stderr
    done = gecko("export", "candles", "--from", store, "--columns", "id", check=2)
    assert "--columns: candles have all of theirs" in done.stderr
    done = gecko("export", "--from", store, "--columns", "id", check=2)
    assert "--columns: a panel has those of --panel" in done.stderr
    done = gecko("query", "--from", store, "--format", "parquet", check=2)
    assert "geckotape export" in done.stderr
    assert not pathlib.Path(tmp_path, "no").exists()


def test_parquet_does_not_go_to_a_terminal(store):
    leader, terminal = os.openpty()
    done = subprocess.run([BINARY, *args(store, "--format", "parquet")], env=clean_env(), stdout=terminal, stderr=subprocess.PIPE, text=True)
    os.close(terminal)
    os.close(leader)
    assert done.returncode == 2 and "give --output FILE" in done.stderr


def peak_kb(*words):
    """As the kernel has it while it runs; what it forked from counts in what wait4() tells."""
    running, peak = subprocess.Popen([BINARY, *words], env=clean_env()), 0
    while running.poll() is None:
        with open(f"/proc/{running.pid}/status", encoding="ascii") as status:
            peak = max([peak] + [int(line.split()[1]) for line in status if line.startswith("VmHWM:")])
        time.sleep(0.001)
    assert running.returncode == 0
    return peak


@pytest.mark.skipif(IS_SANITIZED, reason="a sanitizer keeps what is freed: no memory to compare")
def test_memory_is_that_of_a_part(tmp_path):
    """Rows of all coins that begin behind an empty span, where parts grow until rows come: as much memory as an hour of them takes."""
    make_tape(tmp_path / "data", [(SLOT0 + 60 * n * S_US, "ok", [market_body(250, step=n)]) for n in range(300)])
    gecko("load", "--from", f"tape:{tmp_path}/data", "--sink", f"sqlite:{tmp_path}/market.db", check=0)

    def peak(since, until, file):
        return peak_kb("export", "rows", "--from", f"sqlite:{tmp_path}/market.db", "--since", since, "--until", until, "--output", str(tmp_path / file))

    hour = peak("2026-11-23T14:00:00Z", "2026-11-23T15:00:00Z", "hour.csv")
    assert peak("2026-11-22T07:00:00Z", "2026-11-24T00:00:00Z", "all.csv") < 2 * hour
    assert (tmp_path / "all.csv").stat().st_size > 4 * (tmp_path / "hour.csv").stat().st_size
