# SPDX-License-Identifier: Apache-2.0
"""The tape in cold storage: closed segments go to a store, are compared there, and only then may be removed; and are loaded from there."""
import shutil
import signal
import sqlite3
import time

import pytest
from gecko import Running, an_hour_ago, gecko, old_polls, under_env, wait_for
from s3_server import S3Server, failed_after, fine, lost_after, lost_before, refused
from server import PlainServer
from test_upkeep import JOB, loaded, market, metric, segments


@pytest.fixture(name="api")
def api_fixture():
    with PlainServer(market) as api:
        yield api


@pytest.fixture(name="s3")
def s3_fixture(monkeypatch):
    with S3Server(page=1000) as server:
        for name, value in server.env(AWS_EC2_METADATA_DISABLED="true").items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture(name="data", scope="module")
def data_fixture(tmp_path_factory):
    """Three segments of two polls each, the last one open."""
    data = tmp_path_factory.mktemp("ship") / "data"
    with PlainServer(market) as api:
        for step in range(6):
            gecko("once", "--api-url", api.url, "--data", data, "--top", 60, "--api-rate", 100000, check=0)
            if step % 2 == 1 and step < 5:
                an_hour_ago(segments(data)[-1])
    assert len(segments(data)) == 3
    return data


@pytest.fixture(name="mine")
def mine_fixture(data, tmp_path):
    shutil.copytree(data, tmp_path / "mine")
    return tmp_path / "mine"


def start(api, data, url, *more):
    return Running("run", "--api-url", api.url, "--data", data, "--top", 60, "--every", "1h", "--api-rate", 100000, "--tape-ship", url,
                   "--listen", "127.0.0.1:0", "--sink", f"sqlite:{data}/market.db", "--log-level", "debug", *more)


def there(s3):
    prefix = "some/prefix/"
    return {name.removeprefix(prefix): stored.content for name, stored in s3.objects["bucket"].items() if name.startswith(prefix)}


def check_shipped(s3, data, n, job=JOB):
    """The first n segments, as they are here, and nothing else."""
    here = {f"{job}/{path.name}": path.read_bytes() for path in segments(data, job)[:n]}
    found = {name: content for name, content in there(s3).items() if not name.endswith("/stream")}
    assert found == here


def below(data, s3):
    """What the stream's directory says of how far the store is."""
    path = data / "tape" / JOB / "shipped"
    url, offset = path.read_text().split() if path.exists() else (s3.url(), 0)
    assert url == s3.url()
    return int(offset)


def ship_all(api, data, url, n=2):
    with start(api, data, url) as run:
        port = run.port()
        wait_for(lambda: metric(port, "geckotape_tape_shipped_total", job=JOB) == n, what="shipped segments")
        assert run.stop() == 0


def test_closed_segments_are_shipped_and_stay_here(s3, api, mine):
    ship_all(api, mine, s3.url())
    check_shipped(s3, mine, 2)
    before = len(s3.log)
    with start(api, mine, s3.url()) as run:  # what is known is not asked for again
        port = run.port()
        wait_for(lambda: metric(port, "geckotape_tape_disk_bytes", job=JOB), what="a round of the housekeeper")
        time.sleep(1)
        assert run.stop() == 0
    assert len(s3.log) == before
    gecko("tape", "verify", "--deep", "--data", mine, check=0)


def test_a_directory_is_a_store_too(api, mine, tmp_path):
    ship_all(api, mine, f"file:{tmp_path}/cold")
    for path in segments(mine)[:2]:
        assert (tmp_path / "cold" / JOB / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("fault", [lost_before, lost_after, failed_after(500), refused(503, "SlowDown")])
def test_what_fails_on_the_way_is_made_up_for(s3, api, mine, fault):
    s3.faults = [fine, fault, fine, fault, fault]
    ship_all(api, mine, s3.url())
    check_shipped(s3, mine, 2)


def test_bytes_that_are_others_there_are_told_and_nothing_is_removed(s3, api, mine):
    ship_all(api, mine, s3.url())
    (mine / "tape" / JOB / "shipped").unlink()
    name = f"some/prefix/{JOB}/{segments(mine)[0].name}"
    stored = s3.objects["bucket"][name]
    s3.objects["bucket"][name] = stored._replace(content=stored.content[:-1] + b"x", checksum=None)
    with start(api, mine, s3.url()) as run:
        run.expect("is not what is here")
        assert run.stop() == 0
    assert s3.objects["bucket"][name].content.endswith(b"x")


def test_two_collectors_streams_of_one_name_do_not_mix(s3, api, data, mine, tmp_path):
    ship_all(api, mine, s3.url())
    other = tmp_path / "other"
    gecko("once", "--api-url", api.url, "--data", other, "--top", 60, "--api-rate", 100000, check=0)
    an_hour_ago(segments(other)[-1])
    gecko("once", "--api-url", api.url, "--data", other, "--top", 60, "--api-rate", 100000, check=0)
    before = there(s3)
    with start(api, other, s3.url()) as run:
        run.expect("another collector's stream")
        assert run.stop() == 0
    assert there(s3) == before


def test_wrong_credentials_are_told_once_and_polls_go_on(s3, api, mine, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with start(api, mine, s3.url()) as run:
        run.expect("the secret does not fit")
        assert run.stop() == 0
    assert there(s3) == {}


def test_a_url_that_is_none(api, mine):
    done = gecko("run", "--api-url", api.url, "--data", mine, "--tape-ship", "s3:nothing")
    assert done.returncode != 0
    assert "tape.ship" in done.stderr + done.stdout


def test_nothing_old_is_removed_that_the_store_does_not_have(s3, api, tmp_path):
    data = tmp_path / "data"
    old_polls(data, "old", 900, 800, 700, 600)
    assert len(segments(data, "old")) == 4
    full = tmp_path / "full"
    shutil.copytree(data, full)
    s3.faults = [refused(503, "SlowDown")] * 1000
    with start(api, data, s3.url(), "--tape-keep", "90d") as run:
        port = run.port()
        wait_for(lambda: loaded(data, "old") == 4, what="the old polls in SQLite")
        run.expect("copy segments to the store of tape.ship")
        run.expect("tape.keep is over")
        assert len(segments(data, "old")) == 4
        gecko("tape", "prune", "--keep", "90d", "--data", data, check=0)
        assert len(segments(data, "old")) == 4
        assert run.stop() == 0
    # nor by the verb, while nothing runs
    said = gecko("tape", "prune", "--keep", "90d", "--tape-ship", s3.url(), "--data", data, check=0).stdout
    assert "the store of tape.ship" in said
    assert len(segments(data, "old")) == 4
    s3.faults = []
    with start(api, data, s3.url(), "--tape-keep", "90d") as run:
        port = run.port()
        wait_for(lambda: metric(port, "geckotape_tape_shipped_total", job="old") == 3, what="shipped segments")
        assert run.stop() == 0
    with start(api, data, s3.url(), "--tape-keep", "90d") as run:
        wait_for(lambda: len(segments(data, "old")) == 1, what="the old segments removed")
        assert run.stop() == 0
    assert sum(name.startswith("old/") and name.endswith(".zst") for name in there(s3)) == 3
    # all is there to be loaded, but for what is not closed
    gecko("load", "--from", f"tape+{s3.url()}", "--sink", f"sqlite:{tmp_path}/cold.db", check=0)
    gecko("load", "--from", f"tape:{full}", "--sink", f"sqlite:{tmp_path}/all.db", check=0)
    found = []
    for name in ("cold", "all"):
        with sqlite3.connect(tmp_path / f"{name}.db") as db:
            found.append(db.execute("select slot from poll join job using (job_id) where name = 'old' order by 1").fetchall())
    assert found[0] == found[1][:3]


def test_a_tape_is_loaded_from_the_store(s3, api, mine, tmp_path):
    ship_all(api, mine, s3.url())
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    gecko("load", "--from", f"tape+{s3.url()}", "--sink", f"sqlite:{tmp_path}/cold.db", env={**under_env(()), "TMPDIR": str(scratch)}, check=0)
    assert not list(scratch.iterdir())
    with sqlite3.connect(tmp_path / "cold.db") as db:
        assert db.execute("select count(*) from poll").fetchone() == (4,)
    following = gecko("load", "--from", f"tape+{s3.url()}", "--follow", "--sink", f"sqlite:{tmp_path}/none.db")
    assert following.returncode == 2
    assert "--follow" in following.stderr
    missing = gecko("load", "--from", f"tape+{s3.url(prefix='/nothing')}", "--sink", f"sqlite:{tmp_path}/none.db")
    assert missing.returncode == 1
    assert "no tape is there" in missing.stderr


@pytest.mark.parametrize("at", range(1, 10))
def test_killed_at_each_request_nothing_is_missing_nothing_is_twice(s3, api, mine, at):
    """claim; and of each of two segments: is it there, put, is it there, read"""
    killed, first = [], int(segments(mine)[2].name[:20])

    def kill(handler):
        run = killed[0]
        run.process.send_signal(signal.SIGKILL)
        fine(handler)  # done, but nobody is there to be told

    s3.faults = [fine] * (at - 1) + [kill]
    with start(api, mine, s3.url()) as run:
        killed.append(run)
        assert run.process.wait(60) == -signal.SIGKILL
    with start(api, mine, s3.url()) as run:
        wait_for(lambda: below(mine, s3) == first, what="the note that all is shipped")
        assert run.stop() == 0
    check_shipped(s3, mine, 2)
    gecko("tape", "verify", "--deep", "--data", mine, check=0)


def test_what_is_made_up_says_so_when_it_comes_back(s3, tmp_path):
    data = tmp_path / "simulated"
    for i in range(2):
        gecko("once", "--simulate", "--top", 20, "--data", data, check=0)
        if i == 0:
            [job] = (data / "tape").iterdir()
            an_hour_ago(next(job.glob("*.zst")))
    with Running("run", "--simulate", "--top", 20, "--data", data, "--every", "1h", "--tape-ship", s3.url(), "--listen", "127.0.0.1:0",
                 "--sink", "null:") as run:
        wait_for((job / "shipped").exists, what="a shipped segment")
        assert run.stop() == 0
    gecko("load", "--from", f"tape+{s3.url()}", "--sink", f"sqlite:{tmp_path}/cold.db", check=0)
    with sqlite3.connect(tmp_path / "cold.db") as db:
        assert db.execute("select distinct is_simulated from job").fetchall() == [(1,)]
    objects = s3.objects["bucket"]
    objects["some/prefix/real/stream"] = objects[f"some/prefix/{job.name}/stream"]._replace(content=b"0\n", checksum=None)
    mixed = gecko("load", "--from", f"tape+{s3.url()}", "--sink", f"sqlite:{tmp_path}/mixed.db")
    assert mixed.returncode == 1
    assert "real and simulated" in mixed.stderr
