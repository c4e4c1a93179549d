# SPDX-License-Identifier: Apache-2.0
"""Upkeep of the tape by hand: tape compact, tape prune, tape verify --deep."""
import json
import re
import shutil
import subprocess

import pytest
from gecko import BINARY, an_hour_ago, check_exactly_once, clean_env, gecko, market_body, old_polls, records
from server import Answer, PlainServer


def pages(step, body=None):
    return lambda request: Answer(body=body or market_body(60, step))


def segments(data, job="markets-usd-top60"):
    return sorted((data / "tape" / job).glob("*.zst"))


def poll(api, data, *more):
    return gecko("once", "--api-url", api.url, "--data", data, "--top", 60, "--api-rate", 100000, *more, check=0)


@pytest.fixture(name="data")
def make_data(tmp_path):
    """Three segments of four polls each."""
    data = tmp_path / "data"
    for step in range(12):
        with PlainServer(pages(step)) as api:
            poll(api, data)
        if step % 4 == 3 and step < 11:
            an_hour_ago(segments(data)[-1])
    assert len(segments(data)) == 3
    return data


def zstdcat(data):
    return subprocess.run(["zstdcat", *segments(data)], stdout=subprocess.PIPE, check=True).stdout


def test_compact_packs_what_is_closed_and_changes_nothing_else(data):
    before, heads, size = zstdcat(data), records(data), sum(s.stat().st_size for s in segments(data))
    assert re.search(r"\s0\s+1-24\s", gecko("tape", "ls", "--data", data, check=0).stdout)
    done = gecko("tape", "compact", "--data", data, check=0)
    assert re.fullmatch(r"markets-usd-top60: 2 segments sealed: [\d.]+ kB → [\d.]+ kB, 1/[\d.]+ of what came\n", done.stdout)
    assert "\r" not in done.stderr
    assert zstdcat(data) == before and records(data) == heads
    assert sum(s.stat().st_size for s in segments(data)) < size
    assert re.search(r"\s2\s+1-24\s", gecko("tape", "ls", "--data", data, check=0).stdout)
    assert "every body" in gecko("tape", "verify", "--deep", "--data", data, check=0).stdout
    assert gecko("tape", "compact", "--data", data, check=0).stdout == "markets-usd-top60: nothing to seal\n"
    assert gecko("tape", "cat", "--data", data, check=0).stdout.encode() == before
    with PlainServer(pages(12)) as api:
        poll(api, data)
    check_exactly_once(data)


def test_a_new_sink_loads_a_sealed_tape_whole(data):
    gecko("tape", "compact", "--data", data, check=0)
    for name in ("market.db", "market.db-wal", "market.db-shm"):
        (data / name).unlink(missing_ok=True)
    with PlainServer(pages(12)) as api:
        poll(api, data)
    ends = check_exactly_once(data)
    assert len(ends) == 13


def test_verify_is_quick_or_deep(data):
    gecko("tape", "compact", "--data", data, check=0)
    sealed = segments(data)[0]
    sound = sealed.read_bytes()
    assert "--deep" in gecko("tape", "verify", "--data", data, check=0).stdout
    index_len = int.from_bytes(sound[-16:-12], "little")
    in_bodies = len(sound) - index_len - 100
    for at, is_seen in ((in_bodies, False), (200, True), (len(sound) - 20, True)):
        sealed.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1:])
        gecko("tape", "verify", "--data", data, check=1 if is_seen else 0)
        done = gecko("tape", "verify", "--deep", "--data", data, check=1)
        assert sealed.name in done.stdout and "damaged" in done.stderr
    sealed.write_bytes(sound)
    gecko("tape", "verify", "--deep", "--data", data, check=0)


def test_a_damaged_segment_is_named_and_stays_as_it_is(data):
    victim = segments(data)[0]
    damaged = bytearray(victim.read_bytes())
    damaged[3000] ^= 1
    victim.write_bytes(damaged)
    done = gecko("tape", "compact", "--data", data, check=1)
    assert victim.name in done.stderr
    assert "1 segment sealed" in done.stdout
    assert victim.read_bytes() == damaged


def test_compact_that_fails_says_only_that(data):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    done = subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", "inject=rename:error=EIO", BINARY, "tape", "compact", "--data", data],
                          capture_output=True, text=True, timeout=120, check=False,
                          env=clean_env(ASAN_OPTIONS="detect_leaks=0"))  # which cannot work under strace
    assert done.returncode == 75 and "rename" in done.stderr
    assert done.stdout == ""


def make_old(tmp_path):
    """Polls of long ago, one in a segment."""
    data, folder = tmp_path / "data", tmp_path / "history"
    folder.mkdir()
    for day in range(1, 5):
        row = {"id": "bitcoin", "symbol": "btc", "name": "Bitcoin", "current_price": day}
        (folder / f"market_2024-01-0{day}T00-00-00Z.json").write_text(json.dumps([row]))
        gecko("import", folder, "--data", data, "--name", "old", check=0)
        an_hour_ago(segments(data, "import-old")[-1])
    return data


def test_prune_removes_old_segments_that_no_sink_needs(tmp_path):
    data = make_old(tmp_path)
    before = records(data)
    n = len(segments(data, "import-old"))
    assert n == 4
    # whose times are those of history: only who names it means it
    left = gecko("tape", "prune", "--keep", "90d", "--data", data, check=0).stdout
    assert left == "import-old: history, which stays; --job import-old removes of it\n" and records(data) == before
    prune = ["tape", "prune", "--keep", "90d", "--job", "import-old", "--data", data]
    dry = gecko(*prune, "--dry-run", check=0).stdout
    assert "to remove" in dry and len(segments(data, "import-old")) == n
    done = gecko(*prune, check=0).stdout
    assert "removed" in done and "no sink" in done
    after = records(data)
    assert 0 < len(after) < len(before) and after == before[-len(after):]
    gecko("tape", "verify", "--deep", "--data", data, check=0)
    assert "nothing to remove" in gecko(*prune, check=0).stdout


def test_old_counts_from_the_newest_poll_and_not_from_a_clock(tmp_path):
    data = tmp_path / "data"

    def prune(keep):
        return gecko("tape", "prune", "--keep", keep, "--data", data, check=0).stdout

    # by the clock of today, as by one that is wrong, all of it is old
    old_polls(data, "one", 500, 450, "failed:-900", "failed:-901", 420, 400)
    assert prune("101d") == "one: nothing to remove\n"
    assert prune("40d").startswith("one: 2 segments, ")
    # those of the future were written before the one of 420 days ago
    assert prune("10d").startswith("one: 3 segments, ")
    # a stream that is polled no more ages by the others
    old_polls(data, "idle", 900, 800, 700)
    assert prune("30d").startswith("idle: 2 segments, ")
    gecko("tape", "verify", "--deep", "--data", data, check=0)


def test_prune_leaves_what_is_young(data):
    before = records(data)
    assert gecko("tape", "prune", "--keep", "1d", "--data", data, check=0).stdout == "markets-usd-top60: nothing to remove\n"
    assert records(data) == before
    done = gecko("tape", "prune", "--data", data, check=2)
    assert "--keep" in done.stderr
    assert gecko("tape", "prune", "--data", data, env=clean_env(GECKOTAPE_TAPE_KEEP="1d"), check=0).stdout


def test_upkeep_of_nothing_is_refused(tmp_path):
    for verb in (["compact"], ["prune", "--keep", "1d"]):
        done = gecko("tape", *verb, "--data", tmp_path / "none", check=1)
        assert "no tape" in done.stderr
        assert not (tmp_path / "none").exists()


def test_stores_of_one_relative_path_are_two_sinks(tmp_path, data):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        gecko("load", "--from", f"tape:{data}", "--sink", "sqlite:./copy.db", cwd=tmp_path / name, check=0)
    known = gecko("sink", "ls", "--data", data, check=0).stdout
    assert f"sqlite:{tmp_path}/a/copy.db " in known and f"sqlite:{tmp_path}/b/copy.db " in known
    gecko("sink", "forget", "sqlite:./copy.db", "--data", data, cwd=tmp_path / "a", check=0)
    known = gecko("sink", "ls", "--data", data, check=0).stdout
    assert "/a/copy.db" not in known and "/b/copy.db" in known
    gecko("sink", "forget", f"sqlite:{tmp_path}/b/copy.db", "--data", data, check=0)
    assert "copy.db" not in gecko("sink", "ls", "--data", data, check=0).stdout
    nope = gecko("sink", "forget", "sqlite:./copy.db", "--data", data, cwd=tmp_path / "a")
    assert nope.returncode == 1 and "sink ls" in nope.stderr
