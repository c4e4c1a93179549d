# SPDX-License-Identifier: Apache-2.0
"""`serve`: the HTTP side alone over a store that a collector writes, now and as of a moment."""
import contextlib
import datetime
import json
import signal
import sqlite3
import time
import urllib.error
import urllib.request

import pytest
from test_own_api import Listener
from gecko import Running, database, gecko, get, wait_for

PRICE = "/api/v3/simple/price?ids=bitcoin,ethereum&vs_currencies=usd&precision=full&include_market_cap=true&include_last_updated_at=true"
MARKETS = "/api/v3/coins/markets?vs_currency=usd&per_page=250"


def collector(data, *more):
    return Running("run", "--simulate", "--data", data, "--every", "1s", "--coins", "40", "--top", "30", "--speed", "600", "--listen", "127.0.0.1:0", *more)


def serve(store, *more):
    return Running("serve", "--from", store, "--listen", "127.0.0.1:0", *more)


def status_of(port, path):
    """The status, and what a refusal says."""
    try:
        get(port, path)
        return 200, ""
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def is_loaded(port):
    return status_of(port, MARKETS)[0] == 200 and len(json.loads(get(port, MARKETS))) == 30


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/market.db"
    return request.getfixturevalue("server").url()


def answer(port, path):
    """A busy store may refuse one asker and not the next."""
    try:
        return get(port, path)
    except urllib.error.HTTPError as refused:
        if refused.code != 503:
            raise
        return f"{port} is busy: {refused.read()}"


def test_two_servers_answer_as_the_collector_does(tmp_path, store):
    paths = [PRICE, MARKETS, "/api/v3/coins/list", "/api/v3/simple/supported_vs_currencies", "/api/market", "/api/polls?limit=3",
             "/api/coverage", "/api/quarantine", "/api/quality", "/api/gaps?since=2026-01-01T00:00:00Z", "/api/v3/coins/bitcoin"]
    with collector(tmp_path, "--sink", store) as run, serve(store) as one, serve(store) as two:
        port, others = run.port(), [one.port(), two.port()]
        wait_for(lambda: all(is_loaded(each) for each in [port, *others]), what="a first poll")
        wait_for(lambda: all(json.loads(get(each, "/api/status"))["jobs"] for each in others), what="the store's jobs")
        for path in paths:  # the store changes every second: asked anew until no change came between
            wait_for(lambda path=path: len({answer(each, path) for each in [port, *others, port]}) == 1, what=f"the same {path}")
        wait_for(lambda: all(status_of(each, "/readyz")[0] == 200 for each in others), what="readiness")
        state = json.loads(get(others[0], "/api/status"))
        assert [(job["name"], job["vs_currency"], job["idle"]) for job in state["jobs"]] == [("markets-usd-top30", "usd", False)]
        assert [one.stop(), two.stop(), run.stop()] == [0, 0, 0]


def test_the_only_job_needs_no_name_though_it_promises_no_next_poll(tmp_path):
    """`once` promises none, nor does a job before its first poll: no reason to ask which one is meant."""
    once = ["once", "--simulate", "--data", tmp_path, "--coins", "5", "--sink", f"sqlite:{tmp_path}/market.db"]
    paths = ["/api/coverage", "/api/gaps", "/api/polls"]
    gecko(*once, "--top", "3", check=0)
    with serve(f"sqlite:{tmp_path}/market.db") as server:
        wait_for(lambda: json.loads(get(server.port(), "/api/status"))["jobs"], what="the store's job")
        assert [job["idle"] for job in json.loads(get(server.port(), "/api/status"))["jobs"]] == [True]
        assert [status_of(server.port(), path)[0] for path in paths] == [200] * 3
        gecko(*once, "--top", "2", check=0)
        wait_for(lambda: len(json.loads(get(server.port(), "/api/status"))["jobs"]) == 2, what="another job")
        for path in paths:
            status, why = status_of(server.port(), path)
            assert status == 400 and "markets-usd-top2, markets-usd-top3" in why


def test_what_needs_a_collector_says_so(tmp_path):
    with collector(tmp_path) as run:
        wait_for(lambda port=run.port(): is_loaded(port), what="a first poll")
        assert run.stop() == 0
    with serve(f"sqlite:{tmp_path}/market.db") as server:
        port = server.port()
        assert status_of(port, "/api/record?stream=a&offset=1")[0] == 404
        assert status_of(port, "/api/polls")[0] == 200
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/api/polls", method="POST", data=b"{}"))
        assert refused.value.code in (401, 403, 501)
        assert [status_of(port, path)[0] for path in ("/healthz", "/readyz", "/metrics", "/", "/api/series?id=bitcoin", "/nosuch")] == [200] * 5 + [404]
        assert server.stop(signal.SIGINT) == 0


def test_who_watches_is_told_what_the_store_has_new(tmp_path, store):
    with collector(tmp_path, "--sink", store) as run, serve(store) as server:
        wait_for(lambda: is_loaded(server.port()), what="a first poll")
        wait_for(lambda: any(job["last_slot"] for job in json.loads(get(server.port(), "/api/status"))["jobs"]), what="a look behind it")
        state = json.loads(get(server.port(), "/api/status"))
        assert (state["reader"], state["at"], state["speed"]) == (True, None, 0)
        assert state["jobs"][0]["every_ms"] % 1000 == 0 and state["jobs"][0]["every_ms"] > 0  # what the last poll promised: more if it was late
        with Listener(server.port()) as listener:
            listener.next("reset")  # what came before it is in no event
            copy = {row[0]: row for row in json.loads(get(server.port(), "/api/market"))["rows"]}
            told, changed = [], 0
            while len(told) < 3 or changed < 30:
                kind, data = listener.event()
                if kind == "poll":
                    told.append(data)
                elif kind == "market":
                    assert data["vs_currency"] == "usd"
                    changed += len(data["rows"])
                    copy = {key: row for key, row in copy.items() if key not in data["gone"]} | {row[0]: row for row in data["rows"]}
            stored = {poll["slot"]: poll for poll in json.loads(get(server.port(), "/api/polls?limit=500"))["polls"]}
            assert [poll.pop("latency_ms") for poll in told] == [0] * len(told)
            assert told == [stored[poll["slot"]] for poll in told]
            assert [poll["slot"] for poll in told] == sorted({poll["slot"] for poll in told})
            assert run.stop() == 0
            now = json.loads(get(server.port(), "/api/market"))
            fetched_at = now["columns"].index("fetched_at")
            while any(copy.get(row[0], {fetched_at: None})[fetched_at] != row[fetched_at] for row in now["rows"]):  # the rest comes with the next look
                kind, data = listener.event()
                copy |= {row[0]: row for row in data["rows"]} if kind == "market" else {}
        assert server.stop() == 0


def add_polls(place, n, job=None):
    """So many failed polls behind the last one, at once, as of a collector that comes back; job: the first ones of another, of this name."""
    with contextlib.closing(sqlite3.connect(place / "market.db")) as db, db:
        db.row_factory = sqlite3.Row
        row = dict(db.execute("SELECT * FROM poll ORDER BY slot DESC LIMIT 1").fetchone()) | {"outcome": "failed", "loaded": "none"}
        if job:
            other = dict(db.execute("SELECT * FROM job WHERE job_id = ?", (row["job_id"],)).fetchone()) | {"job_id": 1000, "name": job}
            db.execute(f"INSERT INTO job ({', '.join(other)}) VALUES ({', '.join('?' * len(other))})", list(other.values()))
            row["job_id"] = other["job_id"]
        for _ in range(n):
            row |= {"slot": row["slot"] + 10**6, "first_offset": row["last_offset"] + 1, "last_offset": row["last_offset"] + 1}
            db.execute(f"INSERT INTO poll ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", list(row.values()))


def test_who_watches_is_told_to_ask_anew_when_more_came_than_is_told(tmp_path):
    with collector(tmp_path) as run:
        wait_for(lambda port=run.port(): is_loaded(port), what="a first poll")
        assert run.stop() == 0
    with serve(f"sqlite:{tmp_path}/market.db") as server, Listener(server.port()) as listener:
        listener.next("reset")
        for n, job, want in ((20, None, ["poll"] * 20), (21, None, ["poll"] * 20 + ["reset"]), (1, "another", ["reset"]), (2, None, ["poll"] * 2)):
            add_polls(tmp_path, n, job)
            told = []
            while len(told) < len(want):
                told += [kind for kind, _ in [listener.event()] if kind in ("poll", "reset")]
            assert told == want, (n, job)
        assert server.stop() == 0


def test_who_watches_the_past_is_told_as_it_goes_on(tmp_path):
    with collector(tmp_path) as run:
        wait_for(lambda port=run.port(): is_loaded(port), what="a first poll")
        begin = time.time_ns() // 1000
        wait_for(lambda port=run.port(): len(json.loads(get(port, "/api/polls?limit=50"))["polls"]) >= 12, what="twelve polls")
        assert run.stop() == 0
    with serve(f"sqlite:{tmp_path}/market.db", "--at", text_of(begin), "--speed", "1") as server, Listener(server.port()) as listener:
        state = json.loads(get(server.port(), "/api/status"))
        assert state["reader"] and state["speed"] == 1 and text_of(begin)[:19] <= state["at"] < state["now"]
        before = 0
        for _ in range(2):
            event = listener.next("market")
            assert event["rows"] and event["time"] >= before
            before = event["time"]
        assert server.stop() == 0


def text_of(us):
    return (datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=us)).isoformat() + "Z"


def test_a_moment_is_served_as_it_was_answered_then(tmp_path, store):
    told = []  # (moment, price, markets), each as the collector answered when nothing changed around
    with collector(tmp_path, "--sink", store) as run:
        port = run.port()
        wait_for(lambda: is_loaded(port), what="a first poll")

        def record():
            poll = json.loads(get(port, "/api/polls?limit=1"))["polls"]
            bodies = get(port, PRICE), get(port, MARKETS)
            moment = time.time_ns() // 1000
            if poll != json.loads(get(port, "/api/polls?limit=1"))["polls"] or bodies != (get(port, PRICE), get(port, MARKETS)):
                return False
            finished = datetime.datetime.fromisoformat(poll[0]["finished"].replace("Z", "+00:00")).timestamp() * 10**6
            if finished > moment or any(bodies == known for _, known in told):
                return False
            told.append((moment, bodies))
            return len(told) == 4
        wait_for(record, what="four different answers")
        assert run.stop() == 0
    for moment, bodies in told:
        with serve(store, "--at", text_of(moment)) as server:
            port = server.port()
            assert (get(port, PRICE), get(port, MARKETS)) == bodies
            assert get(port, MARKETS + "&at=2099-01-01T00:00:00Z") == bodies[1], "no look beyond the moment"
            assert get(port, "/api/market") == get(port, "/api/market?at=2099-01-01T00:00:00Z")
            assert max(t for t, *_ in json.loads(get(port, "/api/series?id=bitcoin&until=2099-01-01T00:00:00Z"))["points"]) * 1000 <= moment
            assert status_of(port, "/api/polls?job=markets-usd-top30")[0] == 501
            assert status_of(port, "/readyz")[0] == 200
            assert server.stop() == 0
    first, last = told[0], told[-1]
    with serve(store, "--at", text_of(first[0]), "--speed", "2") as server:
        port = server.port()
        wait_for(lambda: get(port, PRICE) == last[1][0], what="the last answer again")
        assert server.stop() == 0


def test_a_store_that_comes_later_is_waited_for(tmp_path):
    with serve(f"sqlite:{tmp_path}/market.db") as server:
        port = server.port()
        for path in (MARKETS, "/api/market", "/readyz"):
            code, why = status_of(port, path)
            assert code == 503 and "nothing is loaded yet" in why
        assert status_of(port, "/healthz")[0] == 200
        with collector(tmp_path) as run:
            wait_for(lambda: is_loaded(port) and status_of(port, "/readyz")[0] == 200, what="the store")
            assert run.stop() == 0
        assert server.stop() == 0


def test_a_server_writes_nothing(tmp_path):
    with collector(tmp_path) as run:
        wait_for(lambda port=run.port(): is_loaded(port), what="a first poll")
        assert run.stop() == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("market.db")}
    with serve(f"sqlite:{tmp_path}/market.db") as server:
        assert is_loaded(server.port())
        assert server.stop() == 0
    assert before and {path: path.read_bytes() for path in before} == before
    with database(tmp_path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_wrong_password_is_told(server):
    with serve(server.url(user="nobody")) as process:
        port = process.port()
        code, why = status_of(port, "/readyz")
        assert code == 503 and "password" in why and "secret" not in why
        assert process.stop() == 0


@pytest.mark.parametrize("args, word", [
    ([], "--from: which store?"),
    (["--from", "nosuch:x"], "--from: "),
    (["--from", "json:x"], "cannot be read back"),
    (["--from", "null:"], "cannot be read back"),
    (["--from", "market.db"], "--from: "),
    (["--from", "memory:"], "cannot be served"),
    (["--from", "sqlite:x.db", "--listen", "none"], "--listen none"),
    (["--from", "sqlite:x.db", "--at", "someday"], "--at"),
    (["--from", "sqlite:x.db", "--at", "2099-01-01"], "not yet"),
    (["--from", "sqlite:x.db", "--speed", "2"], "--at"),
])
def test_mistakes_are_one_line_with_the_mend(args, word, tmp_path):
    done = gecko("serve", *args, cwd=tmp_path, check=2)
    assert word in done.stderr and done.stderr.count("\n") == 1
