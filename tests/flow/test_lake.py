# SPDX-License-Identifier: Apache-2.0
"""The sink lake: gathering, commits, fences between loaders, and tables that are not for it."""
import concurrent.futures
import json
import os
import shutil
import subprocess

import pytest
from gecko import Running, gecko, get, market_body, records, wait_for
from lake_table import applied, check_exactly_once, check_like_sqlite, exact_rows, read, read_log
from server import Answer, PlainServer
from stores import S_US, SLOT0, make_tape


def page(step, n=4):
    return market_body(n, step)


def polls(first, n, step_us=30 * S_US):
    return [(SLOT0 + i * step_us, "ok", [page(i)]) for i in range(first, first + n)]


def load(data, lake, *more, check=0):
    return gecko("load", "--from", f"tape:{data}", "--sink", f"lake:{lake}", *more, check=check)


def rewrite(log, version, change):
    """A commit as another program would have made it."""
    path = log / "_delta_log" / f"{version:020}.json"
    actions = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    path.write_text("".join(json.dumps(action) + "\n" for action in change(actions)))


def metric(port, name):
    lines = [line for line in get(port, "/metrics").decode().splitlines() if line.startswith(name + "{")]
    return [float(line.split()[-1]) for line in lines]


def test_polls_are_gathered_lag_is_told_and_a_stop_commits(tmp_path):
    data, lake = tmp_path / "data", tmp_path / "lake"
    with PlainServer(lambda request: Answer(body=page(request.n))) as api, \
            Running("run", "--api-url", api.url, "--data", data, "--top", 60, "--every", "1s", "--api-rate", 100000, "--listen", "127.0.0.1:0",
                    "--sink", f"lake:{lake}?commit=1h") as run:
        port = run.port()
        wait_for(lambda: metric(port, "geckotape_sink_lag_records") >= [4.0], what="lag")
        assert read(lake / "poll") == [] and metric(port, "geckotape_sink_offset") in ([], [0.0])
        status = gecko("status", "--data", data).stdout
        assert "commits within 1 h" in status or "commits within 60 min" in status or "commits within 1h" in status, status
        assert json.loads(get(port, "/api/status"))["sinks"][0]["lag"] >= 4
        assert run.stop() == 0
    ends = check_exactly_once(lake, records(data))
    assert len(ends) >= 2 and len(read_log(lake / "market").infos) == 1, "one commit"
    assert f" {ends[-1]['offset']}\n" in next((data / "sinks").iterdir()).read_text(), "what may be removed"


def test_commits_come_by_themselves(tmp_path):
    data, lake = tmp_path / "data", tmp_path / "lake"
    with PlainServer(lambda request: Answer(body=page(request.n))) as api, \
            Running("run", "--api-url", api.url, "--data", data, "--top", 60, "--every", "1s", "--api-rate", 100000, "--listen", "127.0.0.1:0",
                    "--sink", f"lake:{lake}?commit=2s") as run:
        wait_for(lambda: len(read(lake / "poll")) >= 4, what="two commits")
        assert len(read_log(lake / "market").infos) >= 2
        run.kill()
    gecko("load", "--from", f"tape:{data}", "--sink", f"lake:{lake}", check=0)
    check_exactly_once(lake, records(data))


def test_what_a_killed_loader_had_gathered_comes_again(tmp_path):
    data, lake = tmp_path / "data", tmp_path / "lake"
    make_tape(data, polls(0, 3))
    with Running("load", "--from", f"tape:{data}", "--sink", f"lake:{lake}?commit=1h", "--follow", "--log-level", "debug") as run:
        wait_for((lake / "poll" / "_delta_log" / f"{1:020}.json").exists, what="the stream is taken over")
        run.kill()
    assert read(lake / "poll") == []
    load(data, lake)
    check_exactly_once(lake, records(data))


def test_two_collectors_of_a_job_share_a_lake(tmp_path):
    """Both load at once, again and again: no slot's rows are there twice, and both get to their end."""
    lake, tapes = tmp_path / "lake", [tmp_path / "a", tmp_path / "b"]
    for turn in range(4):
        for data in tapes:
            make_tape(data, polls(turn * 5, 5))
        with concurrent.futures.ThreadPoolExecutor() as pool:
            done = list(pool.map(lambda data: load(data, lake, check=None), tapes))
        for data, result in zip(tapes, done):
            assert result.returncode in (0, 1, 75), result.stderr
            load(data, lake)
    rows = read(lake / "market")
    assert len({(r["job"], r["slot"], r["id"]) for r in rows}) == len(rows)
    found = read(lake / "poll")
    assert len(found) == 40 and sorted(p["slot"] for p in found if p["loaded"] == "rows") == [SLOT0 + i * 30 * S_US for i in range(20)]
    applied(lake)


def test_the_older_of_two_loaders_of_a_stream_stops(tmp_path):
    data, lake = tmp_path / "data", tmp_path / "lake"
    make_tape(data, polls(0, 3))
    with Running("load", "--from", f"tape:{data}", "--sink", f"lake:{lake}?commit=1s", "--follow") as older:
        wait_for(lambda: len(read(lake / "poll")) == 3, what="a commit")
        load(data, lake)
        make_tape(data, polls(3, 1))
        older.expect("taken over by another geckotape")
    load(data, lake)
    check_exactly_once(lake, records(data))


@pytest.mark.parametrize("partial_first", [True, False])
def test_an_ok_poll_takes_the_place_of_a_partial_one_over_commits(partial_first, tmp_path):
    lake, one, other = tmp_path / "lake", tmp_path / "one", tmp_path / "other"
    partial, ok = (SLOT0, "partial", [page(0, 2), None]), (SLOT0, "ok", [page(1, 3)])
    make_tape(one, [partial if partial_first else ok])
    make_tape(other, [ok if partial_first else partial])
    load(one, lake)
    load(other, lake)
    assert len(read(lake / "market")) == 3
    assert [(p["outcome"], p["loaded"]) for p in sorted(read(lake / "poll"), key=lambda p: p["outcome"])] == \
        [("ok", "rows"), ("partial", "rows" if partial_first else "duplicate")]
    make_tape(other, polls(5, 2))
    load(other, lake)
    assert len(read(lake / "market")) == 3 + 8


def test_a_partial_poll_whose_file_others_merged_stays(tmp_path):
    """An ok poll that cannot take its rows away is a duplicate: no slot has the rows of two polls."""
    data, lake = tmp_path / "data", tmp_path / "lake"
    make_tape(data, [(SLOT0, "partial", [page(0, 2), None])])
    load(data, lake)
    path, add = next(iter(read_log(lake / "market").files.items()))
    merged = path.replace("part-", "merged-")
    shutil.copy(lake / "market" / path, lake / "market" / merged)
    rewrite(lake / "market", 1, lambda _: [{"remove": {"path": path, "dataChange": False, "deletionTimestamp": 1}},
                                           {"add": {**add, "path": merged, "dataChange": False}}])
    make_tape(data, [(SLOT0, "ok", [page(1, 3)])])
    assert "stay, and the ok poll of that slot is a duplicate" in load(data, lake, "--log-level", "info").stderr
    assert len(read(lake / "market")) == 2
    assert sorted((p["outcome"], p["loaded"]) for p in read(lake / "poll")) == [("ok", "duplicate"), ("partial", "rows")]


def test_columns_that_a_table_lacks_are_added(tmp_path):
    data, lake = tmp_path / "data", tmp_path / "lake"
    make_tape(data, polls(0, 2))
    load(data, lake)

    def without(name):
        def change(actions):
            for action in actions:
                if "metaData" in action:
                    schema = json.loads(action["metaData"]["schemaString"])
                    schema["fields"] = [f for f in schema["fields"] if f["name"] != name]
                    schema["fields"].append({"name": "note", "type": "string", "nullable": True, "metadata": {"by": "somebody"}})
                    action["metaData"]["schemaString"] = json.dumps(schema)
            return actions
        return change

    for table, column in (("market", "ath_date"), ("poll", "drift")):
        (lake / table / "_delta_log" / f"{0:020}.json").write_text(
            (lake / table / "_delta_log" / f"{0:020}.json").read_text())
        rewrite(lake / table, 0, without(column))
    make_tape(data, polls(2, 2))
    load(data, lake)
    for table, column in (("market", "ath_date"), ("poll", "drift")):
        schema = read_log(lake / table).schema
        assert column in schema and schema["note"] == "string"
    check_exactly_once(lake, records(data))
    gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{tmp_path}/x.db", check=0)
    check_like_sqlite(lake, tmp_path / "x.db", ["market", "poll"])


def protocol(**what):
    return lambda actions: [*actions, {"protocol": what}]


def meta_with(**config):
    def change(actions):
        meta, = (a["metaData"] for a in actions if "metaData" in a)
        meta["configuration"].update(config)
        return actions
    return change


def retyped(actions):
    meta, = (a["metaData"] for a in actions if "metaData" in a)
    meta["schemaString"] = meta["schemaString"].replace('"credits","type":"long"', '"credits","type":"string"')
    return actions


REFUSED = {
    "a feature": (protocol(minReaderVersion=3, minWriterVersion=7, readerFeatures=["deletionVectors"], writerFeatures=["deletionVectors"]),
                  'feature "deletionVectors"'),
    "a feature of writers": (protocol(minReaderVersion=1, minWriterVersion=7, writerFeatures=["appendOnly", "rowTracking"]),
                             'feature "rowTracking"'),
    "a version": (protocol(minReaderVersion=2, minWriterVersion=5), "readers of version 2 and writers of version 5"),
    "column mapping": (meta_with(**{"delta.columnMapping.mode": "name"}), "columnMapping"),
    "another type": (retyped, "the column credits of the table poll is no long there"),
    "no Delta at all": (lambda actions: [{"commitInfo": {}}], "no metadata"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_table_that_is_not_for_us_is_refused_by_name(what, tmp_path):
    data, lake = tmp_path / "data", tmp_path / "lake"
    change, message = REFUSED[what]
    make_tape(data, polls(0, 2))
    load(data, lake)
    rewrite(lake / "poll", 0, change)
    before = sorted(lake.rglob("*"))
    done = load(data, lake, check=None)
    assert done.returncode != 0 and message in done.stderr and str(lake) in done.stderr, done.stderr
    assert sorted(lake.rglob("*")) == before


def test_features_that_change_nothing_for_us_are_fine(tmp_path):
    data, lake = tmp_path / "data", tmp_path / "lake"
    make_tape(data, polls(0, 2))
    load(data, lake)
    rewrite(lake / "poll", 3, protocol(minReaderVersion=1, minWriterVersion=7, writerFeatures=["appendOnly", "invariants"]))
    make_tape(data, polls(2, 2))
    load(data, lake)
    assert read_log(lake / "poll").txns and len([a for a in read_log(lake / "poll").files]) == 2


def test_a_table_that_is_gone_is_told(tmp_path):
    data, lake = tmp_path / "data", tmp_path / "lake"
    for turn in range(2):
        make_tape(data, polls(turn * 2, 2))
        load(data, lake)
    shutil.rmtree(lake / "market")
    done = load(data, lake, check=None)
    assert done.returncode != 0 and "the table market is gone" in done.stderr
    shutil.rmtree(lake / "poll")
    load(data, lake)
    check_exactly_once(lake, records(data))


def test_real_and_simulated_rows_do_not_mix(tmp_path):
    lake = tmp_path / "lake"
    gecko("once", "--simulate", "--data", tmp_path / "sim", "--sink", f"lake:{lake}", check=0)
    assert read_log(lake / "market").meta["description"].startswith("SIMULATED")
    make_tape(tmp_path / "data", polls(0, 2))
    done = load(tmp_path / "data", lake, check=None)
    assert done.returncode != 0 and "SIMULATED" in done.stderr


@pytest.mark.parametrize("options,message", [("commit=0s", "commit is a duration"), ("commit=25h", "up to 1d"), ("commit=often", "commit is a duration"),
                                             ("rows=some", "rows is changed or all"), ("colour=blue", "colour")])
def test_options_that_mean_nothing_are_refused(options, message, tmp_path):
    done = gecko("once", "--simulate", "--data", tmp_path / "data", "--sink", f"lake:{tmp_path}/lake?{options}")
    assert done.returncode == 78 and message in done.stderr
    assert not (tmp_path / "lake").exists()


def test_a_disk_that_is_full_leaves_no_half_of_a_commit(tmp_path):
    mount, data = tmp_path / "small", tmp_path / "data"
    mount.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount], check=False,
                                           stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("cannot mount a small file system here")
    try:
        lake = mount / "lake"
        make_tape(data, polls(0, 2))
        load(data, lake)
        make_tape(data, polls(2, 20))
        with open(mount / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"x" * 4096)
            except OSError:
                pass
        full = load(data, lake, check=None)
        assert full.returncode != 0 and "No space left" in full.stderr
        assert len(read(lake / "poll")) == 2 and len(list(exact_rows(lake / "market"))) == 8
        os.unlink(mount / "filler")
        load(data, lake)
        check_exactly_once(lake, records(data))
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


# ---- upkeep ----


def lake_verb(what, lake, *options, check=0):
    return gecko("lake", what, f"lake:{lake}", *options, check=check)


@pytest.fixture(name="full")
def full_lake(tmp_path):
    """Five commits of one day, a partial poll, and one of the next day."""
    data, lake = tmp_path / "data", tmp_path / "lake"
    for turn in range(4):
        make_tape(data, polls(turn * 3, 3))
        load(data, lake)
    make_tape(data, [(SLOT0 + 3600 * S_US, "partial", [page(40), None]), (SLOT0 + 86400 * S_US, "ok", [page(50)])])
    load(data, lake)
    return data, lake


def sorted_rows(lake, table):
    return sorted((json.dumps(r, default=str, sort_keys=True) for r in exact_rows(lake / table)))


def test_optimize_changes_files_and_no_row(full):
    data, lake = full
    before = {table: sorted_rows(lake, table) for table in ("market", "poll")}
    said = lake_verb("optimize", lake, "--dry-run").stdout
    assert "market/date=2026-11-23: 4 files" in said and "would become one" in said
    assert {table: sorted_rows(lake, table) for table in before} == before and len(read_log(lake / "market").files) == 6
    said = lake_verb("optimize", lake).stdout
    assert "market/date=2026-11-23: 4 files" in said and "are 1 now" in said
    assert {table: sorted_rows(lake, table) for table in before} == before
    assert len(read_log(lake / "market").files) == 3, "of each day one, and the partial poll's"
    assert lake_verb("optimize", lake).stdout == "" and lake_verb("verify", lake).returncode == 0
    # the partial poll's rows are still alone, and the loader goes on
    other = data.parent / "other"
    make_tape(other, [(SLOT0 + 3600 * S_US, "ok", [page(41)])])
    load(other, lake)
    assert len([r for r in read(lake / "market") if r["slot"] == SLOT0 + 3600 * S_US]) == 4
    lake_verb("verify", lake)


def test_verify_counts_what_is_there(full):
    said = lake_verb("verify", full[1]).stdout
    assert said == f"poll: 14 rows of 2 days in 6 files, {sum(f['size'] for f in read_log(full[1] / 'poll').files.values())} bytes\n" \
                   f"market: {len(read(full[1] / 'market'))} rows of 2 days in 6 files, " \
                   f"{sum(f['size'] for f in read_log(full[1] / 'market').files.values())} bytes\n"


def flip(path):
    data = bytearray(path.read_bytes())
    data[100:140] = bytes(40)  # of a page, and the header of the next; indexes of pages are not read
    path.write_bytes(data)


def edit_add(path, change):
    """path: of a data file; the action that added it."""
    log = path.parent.parent / "_delta_log"
    for commit in log.glob("*.json"):
        actions = [json.loads(line) for line in commit.read_text().splitlines()]
        for action in actions:
            if "add" in action and action["add"]["path"].endswith(path.name):
                change(action["add"])
                commit.write_text("".join(json.dumps(a) + "\n" for a in actions))


def other_stats(what, column, value):
    def change(add):
        stats = json.loads(add["stats"])
        stats[what][column] = value
        add["stats"] = json.dumps(stats)
    return change


def more_rows(add):
    add["stats"] = json.dumps({**json.loads(add["stats"]), "numRecords": 99})


@pytest.mark.parametrize("damage,said", [
    (flip, "part-"), (os.unlink, "it is not there"), (lambda path: path.write_bytes(path.read_bytes()[:-9]), "by the log"),
    (lambda path: edit_add(path, more_rows), "not what the log says"),
    (lambda path: edit_add(path, other_stats("maxValues", "current_price", 1e9)), "not what the log says"),
    (lambda path: edit_add(path, other_stats("minValues", "slot", "2026-11-23T00:00:00.000Z")), "not what the log says"),
    (lambda path: edit_add(path, other_stats("nullCount", "id", 3)), "not what the log says"),
], ids=["flipped", "gone", "cut", "count", "maximum", "minimum", "nulls"])
def test_verify_names_what_is_damaged(damage, said, full):
    _, lake = full
    path = next(iter(sorted((lake / "market").glob("date=2026-11-23/*.parquet"))))
    damage(path)
    done = lake_verb("verify", lake, check=1)
    assert said in done.stderr and path.name in done.stderr and "things are not as they should be" in done.stderr


def test_verify_misses_rows(full):
    """A file that somebody took out of the table."""
    _, lake = full
    log = read_log(lake / "market")
    path, add = sorted(log.files.items())[0]
    rewrite(lake / "market", log.version + 1, lambda _: [{"remove": {"path": path, "dataChange": True, "deletionTimestamp": 1,
                                                                     "partitionValues": add["partitionValues"]}}])
    assert "0 rows, and" in lake_verb("verify", lake, check=1).stderr


def test_vacuum_removes_only_what_nobody_needs(full):
    _, lake = full
    day = lake / "market" / "date=2026-11-23"
    young, old, foreign = day / "part-young.zstd.parquet", day / "part-old.zstd.parquet", day / "notes.txt"
    for path in (young, old, foreign):
        path.write_bytes(b"x")
    lake_verb("optimize", lake)  # what it took out of the tables is younger than a week there
    everything = set(day.iterdir())
    for path in everything - {young}:
        os.utime(path, (1, 1))
    assert lake_verb("vacuum", lake, "--dry-run").stdout == "market/date=2026-11-23/part-old.zstd.parquet would be removed\n"
    assert set(day.iterdir()) == everything
    assert "market: 1 files, 1 bytes, removed" in lake_verb("vacuum", lake).stdout
    assert set(day.iterdir()) == everything - {old}
    lake_verb("verify", lake)


def test_the_verb_is_for_lakes(tmp_path):
    for what, url, code, said in (("verify", f"lake:{tmp_path}/no", 1, "there is no lake"), ("verify", f"json:{tmp_path}", 2, "is no lake"),
                                  ("polish", f"lake:{tmp_path}", 2, "write geckotape lake")):
        done = gecko("lake", what, url)
        assert done.returncode == code and said in done.stderr, done.stderr
    assert not (tmp_path / "no").exists()
