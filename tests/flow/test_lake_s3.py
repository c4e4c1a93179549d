# SPDX-License-Identifier: Apache-2.0
"""A lake in an object store: the same in S3 as on disk, whatever answer is lost, and no store that would overwrite commits."""
import concurrent.futures
import pathlib
import shutil

import pytest
from gecko import clean_env, gecko, market_body, records
from lake_table import applied, check_exactly_once, check_like_sqlite, read
from s3_server import Handler, S3Server, failed_after, lost_after, lost_before
from stores import S_US, SLOT0, make_tape

PREFIX = "some/prefix/"


@pytest.fixture(name="s3")
def s3_fixture():
    with S3Server() as server:
        yield server


def polls(first, n):
    return [(SLOT0 + i * 30 * S_US, "ok", [market_body(4, i)]) for i in range(first, first + n)]


def url(s3):
    return "lake+" + s3.url(prefix="/" + PREFIX.rstrip("/"))


def load(s3, data, check=0):
    return gecko("load", "--from", f"tape:{data}", "--sink", url(s3), env=clean_env(**s3.env()), check=check)


def fetched(s3, folder):
    """The lake as it is there, in a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for key, stored in s3.objects["bucket"].items():
        path = pathlib.Path(folder, key.removeprefix(PREFIX))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored.content)
    return pathlib.Path(folder)


def test_a_lake_in_s3_is_as_one_on_disk(s3, tmp_path):
    data = tmp_path / "data"
    for first in (0, 3):
        make_tape(data, polls(first, 3))
        load(s3, data)
    lake = fetched(s3, tmp_path / "lake")
    check_exactly_once(lake, records(data))
    gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{tmp_path}/x.db", check=0)
    check_like_sqlite(lake, tmp_path / "x.db", ["market", "poll"])
    for what in ("verify", "optimize", "verify", "vacuum"):
        gecko("lake", what, url(s3), env=clean_env(**s3.env()), check=0)
    check_like_sqlite(fetched(s3, lake), tmp_path / "x.db", ["market", "poll"])


@pytest.mark.parametrize("fault", [lost_after, lost_before, failed_after(500)], ids=["lost after", "lost before", "failed after"])
def test_no_lost_answer_doubles_or_loses_a_poll(fault, s3, tmp_path):
    """Requests of a load in turn, those that write all of them."""
    data = tmp_path / "data"
    make_tape(data, polls(0, 2))
    load(s3, data)
    make_tape(data, polls(2, 1))
    before = dict(s3.objects["bucket"])
    s3.log.clear()
    load(s3, data)
    methods = s3.methods()
    for n in [i for i, method in enumerate(methods) if method not in ("GET", "HEAD") or i % 8 == 0]:
        s3.objects["bucket"] = dict(before)
        s3.faults = [None] * n + [fault]
        load(s3, data)
        assert s3.faults == []
        check_exactly_once(fetched(s3, tmp_path / "lake"), records(data))
    assert methods.count("PUT") >= 5


def test_two_collectors_share_a_lake_in_s3(s3, tmp_path):
    tapes = [tmp_path / "a", tmp_path / "b"]
    for data in tapes:
        make_tape(data, polls(0, 6))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda data: load(s3, data, check=None), tapes))
    for data in tapes:
        load(s3, data)
    lake = fetched(s3, tmp_path / "lake")
    applied(lake)
    assert sorted(p["slot"] for p in read(lake / "poll") if p["loaded"] == "rows") == [SLOT0 + i * 30 * S_US for i in range(6)]
    rows = read(lake / "market")
    assert len({(r["slot"], r["id"]) for r in rows}) == len(rows) == 24


def test_a_store_that_would_overwrite_commits_is_refused(s3, tmp_path, monkeypatch):
    monkeypatch.setattr(Handler, "check_condition", lambda *args: None)
    make_tape(tmp_path / "data", polls(0, 2))
    done = load(s3, tmp_path / "data", check=None)
    assert done.returncode != 0 and "overwrites what is only to be written where nothing is" in done.stderr
    assert [key for key in s3.objects["bucket"] if "_delta_log" in key] == []


def test_wrong_credentials_are_named(s3, tmp_path):
    make_tape(tmp_path / "data", polls(0, 1))
    done = gecko("load", "--from", f"tape:{tmp_path}/data", "--sink", url(s3), env=clean_env(**s3.env(secret="some-other")))
    assert done.returncode != 0 and "the secret does not fit" in done.stderr and "some-other" not in done.stderr
