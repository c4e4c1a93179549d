# SPDX-License-Identifier: Apache-2.0
"""geckotape load, replay, sink: the tape into sinks by processes beside the collector, and made anew there."""
import os
import pty
import re
import signal
import subprocess

import pytest
from gecko import (BINARY, PATIENCE, Running, an_hour_ago, check_json, clean_env, database, gecko, market_body, records,
                   wait_for)
from replayed import COINS, age, count, dump, n_polls, tape_of
from server import Answer, PlainServer

# ---- load ----


def test_load_takes_all_there_is_and_goes_on_where_it_stopped(tmp_path):
    data = tape_of(tmp_path, 100)
    store, files = tmp_path / "x.db", tmp_path / "files"
    options = ["--from", f"tape:{data}", "--sink", f"sqlite:{store}", "--sink", f"json:{files}"]
    done = gecko("load", *options, check=0)
    assert f"sqlite:{store}: 100 polls loaded" in done.stdout and f"json:{files}: 100 polls loaded" in done.stdout
    assert done.stderr == ""
    tape_of(tmp_path, 30, first=100)
    assert f"sqlite:{store}: 30 polls loaded" in gecko("load", *options, check=0).stdout
    assert f"sqlite:{store}: 0 polls loaded" in gecko("load", *options, check=0).stdout
    assert count(store, "select count(*) from poll") == 130
    assert count(store, "select sum(rows_new + rows_unchanged) from poll") == 130 * COINS
    check_json(files, records(data))
    assert not (tmp_path / "market.db").exists() and not (data / "market.db").exists(), "no default sinks"


def test_load_follows_a_collector_and_finds_its_new_jobs(tmp_path):
    data, store = tmp_path / "data", tmp_path / "x.db"
    options = ["--data", data, "--every", "1s", "--api-rate", 100000, "--listen", "none"]
    with PlainServer(lambda request: Answer(body=market_body(COINS, request.n))) as api:
        with Running("load", "--from", f"tape:{data}", "--sink", f"sqlite:{store}", "--follow") as load:
            with Running("extract", "--api-url", api.url, "--top", 20, *options) as extract:
                wait_for(lambda: n_polls(store) >= 3, what="three polls")
                assert extract.stop() == 0
            with Running("extract", "--api-url", api.url, "--top", 19, *options) as extract:
                wait_for(lambda: count(store, "select count(distinct job_id) from poll") == 2, what="the second job")
                assert extract.stop() == 0
            ends = [r for r in records(data) if r["type"] == "end"]
            wait_for(lambda: n_polls(store) == len(ends), what="all polls")
            assert load.stop() == 0
        assert re.search(rf"sqlite:{store}: {len(ends)} polls loaded", load.output), load.output
        assert "new job job=markets-usd-top19" in load.output
    listed = gecko("sink", "ls", "--data", data, check=0).stdout
    assert len(re.findall(rf"^sqlite:{store}  markets-usd-top(?:19|20)  offset \d+  0 behind", listed, re.MULTILINE)) == 2, listed


def test_a_load_that_is_stopped_on_the_way_says_so(tmp_path):
    data, store = tape_of(tmp_path, 1200), tmp_path / "x.db"
    with Running("load", "--from", f"tape:{data}", "--sink", f"sqlite:{store}") as load:
        wait_for(lambda: n_polls(store) > 0 or load.process.poll() is not None, what="a poll")
        code = load.stop()
    assert code == (75 if n_polls(store) < 1200 else 0), load.output
    assert "stopped on the way" in load.output or code == 0
    gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{store}", check=0)
    assert n_polls(store) == 1200


def test_load_says_what_it_cannot_do(tmp_path):
    data = tape_of(tmp_path, 3)
    store = f"sqlite:{tmp_path}/x.db"
    for args, code, why in [
            (["--from", f"tape:{data}"], 2, "where to?"),
            (["--from", str(data), "--sink", store], 2, "tape:DIR"),
            (["--from", "kafka://x/y", "--sink", store], 2, "tape:DIR"),
            (["--from", "tape:", "--sink", store], 2, "tape:DIR"),
            (["--from", f"tape:{tmp_path}/none", "--sink", store], 1, "no tape in"),
            (["--from", f"tape:{data}", "--sink", "nosuch:x"], 78, "nosuch"),
            (["--from", f"tape:{data}", "--sink", store, "--sink", store], 78, "twice"),
            (["--from", f"tape:{data}", "--sink", f"sqlite:{data}/tape"], 1, "tape"),
    ]:
        done = gecko("load", *args)
        assert (done.returncode, done.stdout.count("\n") <= 1) == (code, True), (args, done)
        assert why in done.stderr.splitlines()[-1], (args, done.stderr)


def test_a_gap_is_named_with_its_mend_and_passed_over_when_told(tmp_path):
    data, store = tape_of(tmp_path, 5), tmp_path / "x.db"
    options = ["--from", f"tape:{data}", "--sink", f"sqlite:{store}"]
    gecko("load", *options, check=0)
    an_hour_ago(next((data / "tape" / "import-raw").glob("*.zst")))
    tape_of(tmp_path, 5, first=5)
    an_hour_ago(sorted((data / "tape" / "import-raw").glob("*.zst"))[-1])
    tape_of(tmp_path, 5, first=10)
    for segment in sorted((data / "tape" / "import-raw").glob("*.zst"))[:2]:
        segment.unlink()
    refused = gecko("load", *options, check=1)
    assert "--accept-gap" in refused.stderr.splitlines()[-1]
    assert "the sink has loaded job import-raw up to offset 10, and the oldest record kept is 21" in refused.stderr
    accepted = gecko("load", *options, "--accept-gap", check=0)
    assert "5 polls loaded" in accepted.stdout
    assert accepted.stderr.count("going on there") == 1, accepted.stderr


# ---- replay ----


def test_replay_makes_a_store_what_a_load_of_today_makes_of_the_tape(tmp_path):
    data, store = tape_of(tmp_path, 150), tmp_path / "x.db"
    gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{store}", check=0)
    fresh = dump(store)
    age(store)
    day = ["--since", "2024-01-01T00:30:00Z", "--until", "2024-01-01T01:00:00Z"]
    done = gecko("replay", "--data", data, "--sink", f"sqlite:{store}", *day, check=0)
    assert "30 of 30 polls made anew, 600 rows" in done.stdout
    assert count(store, "select count(*) from poll where transform_version = 0") == 120
    done = gecko("replay", "--data", data, "--sink", f"sqlite:{store}", check=0)
    assert "120 of 120 polls made anew" in done.stdout and "30 of today's transform already" in done.stdout
    gecko("replay", "--data", data, "--sink", f"sqlite:{store}", "--force", check=0)
    assert dump(store) == fresh
    assert "0 of 0 polls" in gecko("replay", "--data", data, "--sink", f"sqlite:{store}", check=0).stdout


def test_replay_writes_json_files_again(tmp_path):
    data, files = tape_of(tmp_path, 10), tmp_path / "files"
    gecko("load", "--from", f"tape:{data}", "--sink", f"json:{files}?compress=none", check=0)
    before = {p: p.read_bytes() for p in files.rglob("*") if p.is_file() and p.parent.name != ".geckotape"}
    for path in sorted((files / "processed").iterdir())[:5]:
        path.write_text("spoilt")
    done = gecko("replay", "--data", data, "--sink", f"json:{files}?compress=zstd", check=0)
    assert "10 of 10 polls made anew" in done.stdout
    after = {p: p.read_bytes() for p in files.rglob("*") if p.is_file() and p.parent.name != ".geckotape"}
    assert after == before, "the files are not what they were, by the compression they were written with"


def test_replay_reaches_the_process_that_loads_the_sink(tmp_path):
    data = tmp_path / "data"
    sink = f"sqlite:{data}/market.db"
    with PlainServer(lambda request: Answer(body=market_body(COINS, request.n))) as api:
        with Running("run", "--api-url", api.url, "--data", data, "--every", "1s", "--api-rate", 100000, "--top", 20,
                     "--listen", "none", "--sink", sink) as run:
            wait_for(lambda: n_polls(data / "market.db") >= 5, what="five polls")
            age(data / "market.db")
            done = gecko("replay", "--data", data, "--sink", sink, check=0)
            assert re.search(r"[5-9]|\d\d", done.stdout), done.stdout
            assert count(data / "market.db", "select count(*) from market where current_price = -1") == 0
            other = gecko("replay", "--data", data, "--sink", f"sqlite:{tmp_path}/other.db")
            assert other.returncode != 0 and other.stderr
            assert run.stop() == 0
    assert "taken over" not in run.output


def test_replay_says_what_it_cannot_do(tmp_path):
    data, store = tape_of(tmp_path, 3), tmp_path / "x.db"
    sink = ["--sink", f"sqlite:{store}"]
    for args, code, why in [
            ([], 2, "which sink?"),
            (sink + ["--sink", f"json:{tmp_path}/j"], 2, "several sinks"),
            (sink + ["--since", "yesterday"], 2, "--since: \"yesterday\" is no time"),
            (sink + ["--until", "2024-13-01"], 2, "--until"),
            (sink + ["--since=-1h", "--until=-2h"], 2, "is not before"),
            (sink + ["--job", "nosuch"], 1, "no tape of job nosuch"),
            (["--sink", "memory:"], 1, "memory:"),
            (["--sink", "nosuch:x"], 78, "nosuch"),
            (["--sink", "sqlite:"], 78, "names no file"),
    ]:
        done = gecko("replay", "--data", data, *args)
        assert done.returncode == code, (args, done)
        assert why in done.stderr.splitlines()[-1], (args, done.stderr)
    assert "nothing to make anew there" in gecko("replay", "--data", data, *sink, check=1).stderr
    assert not store.exists(), "a mistyped path makes no store"
    assert "no tape in" in gecko("replay", "--data", tmp_path / "none", *sink, check=1).stderr


@pytest.mark.parametrize("since", ["-1h", "1h ago", "2024-01-01", "2024-01-01T00:00:00+00:00"])
def test_times_are_written_as_people_do(tmp_path, since):
    data, store = tape_of(tmp_path, 3), tmp_path / "x.db"
    gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{store}", check=0)
    done = gecko("replay", "--data", data, "--sink", f"sqlite:{store}", "--since", since, "--force", check=0)
    assert ("0 of 0" if "h" in since else "3 of 3") in done.stdout


def test_a_terminal_gets_a_bar_and_ctrl_c_ends_after_the_batch(tmp_path):
    data, store = tape_of(tmp_path, 1200), tmp_path / "x.db"
    gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{store}", check=0)
    fresh = dump(store)
    master, slave = pty.openpty()
    with subprocess.Popen([BINARY, "replay", "--data", str(data), "--sink", f"sqlite:{store}", "--force"],
                          stdout=subprocess.PIPE, stderr=slave, env=clean_env()) as replay:
        os.close(slave)
        shown = ""
        with os.fdopen(master, "rb", buffering=0) as terminal:
            while " left" not in shown and replay.poll() is None:
                try:
                    shown += terminal.read(4096).decode()
                except OSError:  # the other end is closed
                    break
            replay.send_signal(signal.SIGINT)
            out = replay.stdout.read().decode()
            code = replay.wait(PATIENCE)
    if code == 75:  # else it was faster than we
        assert re.search(r"#*\.* \d+ of 1200 polls, \d+ rows/s, .* left", shown), shown
        assert re.search(r"\d+ of 1200 polls made anew", out)
    assert code in (0, 75)
    assert gecko("replay", "--data", data, "--sink", f"sqlite:{store}", "--force", check=0)
    assert dump(store) == fresh


# ---- known sinks ----


def test_sinks_are_known_and_may_be_forgotten(tmp_path):
    data, store = tape_of(tmp_path, 5), tmp_path / "x.db"
    assert "no sink" in gecko("sink", "ls", "--data", data, check=0).stderr
    gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{store}", "--sink", "null:", check=0)
    lines = gecko("sink", "ls", "--data", data, check=0).stdout.splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"sqlite:{store}  import-raw  offset 10  0 behind  noted 20")
    done = gecko("sink", "forget", f"sqlite:{store}", "--data", data, check=0)
    assert "is forgotten" in done.stdout
    assert gecko("sink", "ls", "--data", data, check=0).stdout.startswith("null:")
    again = gecko("sink", "forget", f"sqlite:{store}", "--data", data, check=1)
    assert "sink ls" in again.stderr
    assert store.exists()
    for words in [["ls", "x"], ["forget"], ["rename"], []]:
        assert gecko("sink", *words, "--data", data).returncode == 2


def test_a_damaged_note_is_named(tmp_path):
    data = tape_of(tmp_path, 5)
    gecko("load", "--from", f"tape:{data}", "--sink", "null:", check=0)
    note, = (data / "sinks").iterdir()
    note.write_bytes(note.read_bytes()[:-5])
    done = gecko("sink", "ls", "--data", data, check=1)
    assert str(note) in done.stderr and "delete it" in done.stderr
    loaded = gecko("load", "--from", f"tape:{data}", "--sink", "null:", check=0)
    assert loaded.stderr.count("its tape will not wait") == 1
    gecko("sink", "forget", "null:", "--data", data, check=0)
    gecko("load", "--from", f"tape:{data}", "--sink", "null:", check=0)
    assert gecko("sink", "ls", "--data", data, check=0).stdout.startswith("null:")


def test_a_query_reads_what_load_stored(tmp_path):
    data = tape_of(tmp_path, 5)
    gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{data}/market.db", check=0)
    with database(data) as db:
        assert db.execute("select count(*) from coin_market_raw").fetchone()[0] == COINS
