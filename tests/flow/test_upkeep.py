# SPDX-License-Identifier: Apache-2.0
"""Upkeep of the tape by the running process: sealing, tape.keep, and what verbs ask of it meanwhile."""
import contextlib
import json
import re
import shutil
import sqlite3

import pytest
from gecko import Running, an_hour_ago, check_exactly_once, database, gecko, get, market_body, old_polls, records, wait_for
from server import Answer, PlainServer

JOB = "markets-usd-top60"


def market(request):
    return Answer(body=market_body(60, request.n))


def segments(data, job=JOB):
    return sorted((data / "tape" / job).glob("*.zst"))


@pytest.fixture(name="api")
def serve_api():
    with PlainServer(market) as api:
        yield api


@pytest.fixture(name="data")
def make_data(tmp_path, api):
    """Three segments of four polls each, the last one open."""
    data = tmp_path / "data"
    for step in range(12):
        gecko("once", "--api-url", api.url, "--data", data, "--top", 60, "--api-rate", 100000, check=0)
        if step % 4 == 3 and step < 11:
            an_hour_ago(segments(data)[-1])
    assert len(segments(data)) == 3
    return data


def make_old(data, tmp_path):
    """Polls of long ago, one in a segment."""
    folder = tmp_path / "history"
    folder.mkdir()
    for day in range(1, 5):
        row = {"id": "bitcoin", "symbol": "btc", "name": "Bitcoin", "current_price": day}
        (folder / f"market_2024-01-0{day}T00-00-00Z.json").write_text(json.dumps([row]))
        gecko("import", folder, "--data", data, "--name", "old", check=0)
        an_hour_ago(segments(data, "import-old")[-1])


def start(api, data, *more, under=()):
    return Running("run", "--api-url", api.url, "--data", data, "--top", 60, "--every", "1s", "--api-rate", 100000,
                   "--listen", "127.0.0.1:0", *more, under=under)


def metric(port, name, **labels):
    found = re.search(rf'^{name}{{{",".join(f"{k}=.{v}." for k, v in labels.items())}}} (\S+)$', get(port, "/metrics").decode(), re.MULTILINE)
    return float(found[1]) if found else None


def loaded(data, job):
    with contextlib.suppress(sqlite3.Error), database(data) as db:
        return db.execute("select count(*) from poll join job using (job_id) where name = ?", (job,)).fetchone()[0]
    return 0


def test_the_housekeeper_seals_what_is_closed(data, api):
    heads, sizes = records(data), [s.stat().st_size for s in segments(data)]
    with start(api, data) as run:
        port = run.port()
        wait_for(lambda: metric(port, "geckotape_tape_sealed_total", job=JOB) == 2, what="two sealed segments")
        assert [s.stat().st_size < size for s, size in zip(segments(data), sizes)][:2] == [True, True]
        assert gecko("tape", "compact", "--data", data, check=0).stdout == f"{JOB}: nothing to seal\n"
        refused = gecko("tape", "compact", "--job", "nope", "--data", data)
        assert refused.returncode == 1 and "nope" in refused.stderr
        disk = json.loads(get(port, "/api/status"))["disk"]
        assert disk["tape_bytes"] > 0 and disk["free_bytes"] > 0
        assert metric(port, "geckotape_tape_disk_bytes", job=JOB) > 0
        assert run.stop() == 0
    assert records(data)[:len(heads)] == heads
    gecko("tape", "verify", "--deep", "--data", data, check=0)
    check_exactly_once(data, json_dir=data)


def test_a_damaged_segment_is_told_once_and_the_others_are_sealed(data, api):
    victim = segments(data)[0]
    damaged = bytearray(victim.read_bytes())
    damaged[3000] ^= 1
    victim.write_bytes(damaged)
    with start(api, data) as run:
        port = run.port()
        wait_for(lambda: metric(port, "geckotape_tape_sealed_total", job=JOB) == 1, what="a sealed segment")
        assert run.stop() == 0
    assert run.output.count("a damaged segment is not sealed") == 1
    assert victim.read_bytes() == damaged


def test_what_is_older_than_tape_keep_goes_when_every_sink_has_it(tmp_path, api):
    data = tmp_path / "data"
    old_polls(data, "old", 900, 800, 700, 600)
    make_old(data, tmp_path)
    (tmp_path / "file").touch()
    never = f"sqlite:{tmp_path}/file/x.db"
    keep = ["--tape-keep", "90d", "--sink", f"sqlite:{data}/market.db"]
    with start(api, data, *keep, "--sink", never) as run:
        run.port()
        run.expect("tape.keep is over, but a sink has not loaded")
        wait_for(lambda: loaded(data, "old") == 4, what="the old polls in SQLite")
        assert run.stop() == 0
    assert len(segments(data, "old")) == 4
    # the sink is not configured any more, but nobody said that it never comes back
    with start(api, data, *keep) as run:
        run.port()
        assert "file/x.db" in run.expect(r"tape.keep is over.*")[0]
        assert run.stop() == 0
    assert len(segments(data, "old")) == 4
    for known in (data / "sinks").iterdir():
        if "x.db" in known.read_text():
            known.unlink()
    with start(api, data, *keep) as run:
        port = run.port()
        wait_for(lambda: len(segments(data, "old")) < 4, what="old segments to go")
        wait_for(lambda: metric(port, "geckotape_tape_pruned_bytes_total", job="old"), what="the metric")
        assert run.stop() == 0
    assert "tape.keep is over" not in run.output
    gecko("tape", "verify", "--deep", "--data", data, check=0)
    assert loaded(data, "old") == 4
    # an import's times are those of history: nobody said that it is not wanted any more
    assert len(segments(data, "import-old")) == 4


def test_nothing_goes_while_a_sink_cannot_be_noted(tmp_path, api):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    data = tmp_path / "data"
    old_polls(data, "old", 900, 800, 700, 600)
    (tmp_path / "file").touch()
    never = f"sqlite:{tmp_path}/file/x.db"
    keep = ["--tape-keep", "90d", "--sink", f"sqlite:{data}/market.db"]
    # where the sink that cannot be reached is noted
    gecko("load", "--from", f"tape:{data}", "--sink", never)
    note, = (data / "sinks").iterdir()
    note.unlink()
    gecko("load", "--from", f"tape:{data}", "--sink", keep[-1], check=0)
    with start(api, data, *keep, "--sink", never, under=["strace", "-D", "-f", "-o", "/dev/null", "-P", f"{note}.tmp", "-e",
                                                          "inject=openat:error=ENOSPC"]) as run:
        port = run.port()
        run.expect("upkeep does not succeed.*note how far")
        wait_for(lambda: metric(port, "geckotape_tape_sealed_total", job="old") == 3, what="the round's end")
        assert len(segments(data, "old")) == 4
        prune = gecko("tape", "prune", "--keep", "90d", "--data", data)
        assert prune.returncode != 0 and note.name in prune.stderr
        assert len(segments(data, "old")) == 4
        assert run.stop() == 0
    assert len(segments(data, "old")) == 4


def test_prune_asks_the_running_process(tmp_path, api):
    data = tmp_path / "data"
    make_old(data, tmp_path)
    with start(api, data) as run:
        run.port()
        wait_for(lambda: loaded(data, "import-old") == 4, what="the import in SQLite")
        wait_for(lambda: len(api.requests) >= 2, what="polls")
        # both sinks have it when it may go
        dry = wait_for(lambda: [out for out in [gecko("tape", "prune", "--keep", "90d", "--job", "import-old", "--dry-run", "--data",
                                                      data, check=0).stdout] if "nothing" not in out], what="something to remove")[0]
        left = gecko("tape", "prune", "--keep", "90d", "--data", data, check=0).stdout
        assert "import-old: history, which stays" in left
        assert "to remove" in dry and len(segments(data, "import-old")) == 4
        done = gecko("tape", "prune", "--keep", "90d", "--job", "import-old", "--data", data, check=0).stdout
        assert "removed" in done and len(segments(data, "import-old")) < 4
        assert run.stop() == 0
    gecko("tape", "verify", "--deep", "--data", data, check=0)
    # its sinks go on where they were
    assert gecko("once", "--api-url", api.url, "--data", data, "--top", 60, check=0)
    assert loaded(data, "import-old") == 4


def test_replay_asks_the_running_process(tmp_path, api):
    data = tmp_path / "data"
    make_old(data, tmp_path)
    with start(api, data) as run:
        run.port()
        wait_for(lambda: loaded(data, "import-old") == 4 and loaded(data, JOB) >= 1, what="polls in SQLite")
        sink = f"sqlite:{data}/market.db"
        replay = ["replay", "--sink", sink, "--data", data, "--job", "import-old"]
        assert re.search(r"0 of 0 polls made anew.*4 of today's transform already", gecko(*replay, check=0).stdout)
        assert re.search(r"4 of 4 polls made anew, 4 rows", gecko(*replay, "--force", check=0).stdout)
        other = gecko("replay", "--sink", "sqlite:/elsewhere.db", "--data", data)
        assert other.returncode == 1 and f"there are: {sink}" in other.stderr
        nope = gecko("replay", "--sink", sink, "--data", data, "--job", "nope")
        assert nope.returncode == 1 and "nope" in nope.stderr
        null = gecko("replay", "--sink", f"json:{data}?keep=1d", "--data", data, "--force")
        assert null.returncode in (0, 1), null.stderr
        assert run.stop() == 0
    check_exactly_once(data)


def test_a_sink_at_work_is_not_forgotten_and_another_is(data, api, tmp_path):
    with start(api, data, "--sink", f"sqlite:{tmp_path}/new.db") as run:
        run.port()
        busy = gecko("sink", "forget", f"sqlite:{tmp_path}/new.db", "--data", data)
        assert busy.returncode == 1 and "is at work here" in busy.stderr
        gecko("sink", "forget", f"sqlite:{data}/market.db", "--data", data, check=0)
        known = gecko("sink", "ls", "--data", data, check=0).stdout
        assert "new.db" in known and "market.db" not in known
        assert run.stop() == 0


def test_the_stages_work_as_two_processes(tmp_path, api):
    data = tmp_path / "data"
    polling = ["extract", "--api-url", api.url, "--data", data, "--top", 60, "--every", "1s", "--api-rate", 100000, "--listen", "none"]
    with Running(*polling) as extract, \
            Running("load", "--follow", "--from", f"tape:{data}", "--sink", f"sqlite:{data}/market.db") as load:
        extract.expect("run: started")
        wait_for(lambda: loaded(data, JOB) >= 3, what="polls in SQLite")
        assert extract.stop() == 0
        n = sum(r["type"] == "end" for r in records(data))
        wait_for(lambda: loaded(data, JOB) == n, what="the rest")
        assert load.stop() == 0
    check_exactly_once(data)
