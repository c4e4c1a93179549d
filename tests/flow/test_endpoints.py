# SPDX-License-Identifier: Apache-2.0
"""Jobs of all endpoints in one process, and what they leave in the stores, against oracles that read the raw answers."""
import json
import pathlib
import re
import sqlite3

import pytest
from gecko import Running, check_exactly_once, database, gecko, wait_for
from oracle_endpoints import expected, same_number, stored
from replayed import count, dump, n_polls
from server import Answer, PlainServer

JOBS = {
    "coins": {"endpoint": "coins/list"},
    "globe": {"endpoint": "global"},
    "currencies": {"endpoint": "simple/supported_vs_currencies"},
}


def write_config(folder, jobs):
    (folder / "geckotape.yaml").write_text("jobs:\n" + "".join(f"  {name}: {json.dumps(keys)}\n" for name, keys in jobs.items()))


def raw_of(data, job):
    """The answers of a job as the json: sink has them, in order of their slots."""
    return [path.read_bytes() for path in sorted(pathlib.Path(data, "raw").glob(f"{job}_*.json"))]


def check_against_raw(data, job, endpoint):
    """Every poll's rows in SQLite are those of its answer, or of the answer before where nothing changed."""
    known, slots = {}, stored(data / "market.db", endpoint, job)
    with database(data) as db:
        polls = [row[0] for row in db.execute("select slot from poll join job using (job_id) where name = ? and loaded = 'rows' "
                                              "order by slot", (job,))]
    bodies = raw_of(data, job)
    assert len(polls) == len(bodies) > 0
    for slot, body in zip(polls, bodies):
        rows, refusals = expected(endpoint, body)
        here = slots.pop(slot, {})
        known.update(here)
        assert not refusals and set(here) <= {row[0] for row in rows}
        for key, *rest in rows:
            got = known[key]
            if endpoint == "global":
                assert got[:2] == list(rest[:2]) and same_number(got[2], rest[2]), (slot, key, got, rest)
            elif endpoint == "coins/list" and body == bodies[-1]:
                assert got == rest, (slot, key, got, rest)  # coin has the newest names
            if endpoint != "coins/list":
                assert key in here, f"{key} of {slot} is not stored"
    assert not slots, "rows without a poll"


def test_jobs_of_every_endpoint_run_side_by_side(tmp_path):
    write_config(tmp_path, {"market": {"top": 20, "every": "1s"}, **{name: {**keys, "every": "1s"} for name, keys in JOBS.items()}})
    data = tmp_path / "data"
    with Running("run", "--simulate", "--speed", 1000, "--coins", 300, "--data", data, "--listen", "none", cwd=tmp_path) as run:
        store = data / "market.db"
        jobs = ["market", *JOBS]
        done = f"select count(*) >= {len(jobs)} from (select 1 from poll where loaded = 'rows' group by job_id having count(*) >= 3)"
        wait_for(lambda: n_polls(store) and count(store, done), what="three polls of each job")
        assert run.stop() == 0, run.output
    check_exactly_once(data, data)
    for name, keys in JOBS.items():
        check_against_raw(data, name, keys["endpoint"])
    with database(data) as db:
        tables = {row["name"]: row["endpoint"] for row in db.execute("select name, endpoint from job where vs_currency = ''")}
        assert tables == {name: keys["endpoint"] for name, keys in JOBS.items()}
        assert db.execute("select count(*) from coin").fetchone()[0] >= 300
        figures = {row[0] for row in db.execute("select id from latest_global")}
    assert {"active_cryptocurrencies", "total_market_cap.usd", "market_cap_percentage.btc"} <= figures
    last = json.loads(sorted(pathlib.Path(data, "processed").glob("globe_*.json"))[-1].read_text())
    assert {row["id"] for row in last} == figures and set(last[0]) == {"id", "figure", "part", "value"}


def page(coins):
    return json.dumps([{"id": id, "symbol": id[:3], "name": name} for id, name in coins.items()]).encode()


LISTS = [
    {"bitcoin": "Bitcoin", "old": "Old", "matic": "Matic"},
    {"bitcoin": "Bitcoin", "matic": "Matic", "fresh": "Fresh"},  # old goes, fresh comes
    {"bitcoin": "Bitcoin", "matic": "Polygon", "fresh": "Fresh"},  # another name
    {"bitcoin": "Bitcoin", "matic": "Polygon", "fresh": "Fresh", "old": "Old"},  # and back
]


def polls_of_lists(tmp_path):
    """A poll of each list, and of a globe that gains and loses figures; returns the data directory."""
    write_config(tmp_path, JOBS)
    data, n = tmp_path / "data", {}

    def answer(request):
        at = n[request.path] = n.get(request.path, -1) + 1
        if request.path.endswith("/coins/list"):
            return Answer(body=page(LISTS[at]))
        if request.path.endswith("/global"):
            return Answer(body=json.dumps({"data": {"markets": at, "total": {"usd": at + 0.5, f"c{at}": 1}}}).encode())
        return Answer(body=b'["usd","eur"]' if at < 3 else b'["usd","xau"]')

    with PlainServer(answer) as api:
        for _ in LISTS:
            gecko("once", "--api-url", api.url, "--api-rate", 100000, "--data", data, cwd=tmp_path, check=0)
    return data


def test_a_list_tells_new_gone_and_renamed_coins(tmp_path):
    data = polls_of_lists(tmp_path)
    with database(data) as db:
        slots = [row[0] for row in db.execute("select slot from poll join job using (job_id) where name = 'coins' order by slot")]
        names = [tuple(row) for row in db.execute("select id, coin_name.name from coin_name join coin using (coin_id) "
                                                  "order by id, since")]
        gone = [tuple(row) for row in db.execute("select id, from_slot, until_slot from absence join coin using (coin_id)")]
        counts = [tuple(row) for row in db.execute("select rows_new, rows_unchanged, rows_absent from poll join job using (job_id) "
                                                   "where name = 'coins' order by slot")]
    assert names == [("bitcoin", "Bitcoin"), ("fresh", "Fresh"), ("matic", "Matic"), ("matic", "Polygon"), ("old", "Old")]
    assert gone == [("old", slots[1], slots[3])]
    if len({slot // 86_400_000_000 for slot in slots}) == 1:
        assert counts == [(3, 0, 0), (1, 2, 1), (1, 2, 0), (1, 3, 0)]
    for name, keys in JOBS.items():
        check_against_raw(data, name, keys["endpoint"])


@pytest.mark.parametrize("harm", ["", "delete from {table}; delete from {latest}", "update {latest} set fetched_at = 1"])
def test_a_replay_makes_the_rows_of_every_table_anew(harm, tmp_path):
    data = polls_of_lists(tmp_path)
    store, want = data / "market.db", dump(data / "market.db")
    db = sqlite3.connect(store)
    for table in ("listing", "global", "vs_currency"):
        db.executescript(harm.format(table=table, latest=f"latest_{table}"))
    db.close()
    for job in JOBS:
        done = gecko("replay", "--sink", f"sqlite:{store}", "--data", data, "--job", job, "--force", check=0)
        assert re.search(r"4 of 4 polls made anew", done.stdout), done.stdout
    assert dump(store) == want
    files = {path: path.read_bytes() for path in (data / "processed").iterdir()}
    (data / "processed" / sorted(path.name for path in files if path.name.startswith("globe"))[0]).write_text("spoilt")
    gecko("replay", "--sink", f"json:{data}?keep=1d", "--data", data, "--job", "globe", "--force", check=0)
    assert {path: path.read_bytes() for path in (data / "processed").iterdir()} == files


def test_an_answer_of_another_endpoint_is_none(tmp_path):
    """A wrong --api-url, or a proxy, may answer a list where the globe is due: that is kept, and no data."""
    write_config(tmp_path, {"globe": {"endpoint": "global"}})
    with PlainServer(lambda request: Answer(body=page(LISTS[0]))) as api:
        done = gecko("once", "--api-url", api.url, "--api-rate", 100000, "--data", tmp_path / "data", cwd=tmp_path)
    assert done.returncode == 75 and "an array instead of an object with data" in done.stdout + done.stderr
    assert count(tmp_path / "data" / "market.db", "select count(*) from global") == 0
