# SPDX-License-Identifier: Apache-2.0
"""Adaptive jobs: polls drift apart while answers repeat, come back when they move, and keep what they promise."""
import json
import re
import sqlite3
import threading
import time
from datetime import datetime

from gecko import Running, gecko, get, market_body, records, wait_for
from server import Answer, PlainServer


def ends(data):
    return [r for r in records(data) if r["type"] == "end"]


def seconds(end):
    slot, due = (datetime.fromisoformat(end[key]) for key in ("slot", "next_due"))
    return (due - slot).total_seconds()


def moved(k):
    """The market, all of it changed."""
    return re.sub(rb'"last_updated":"[^"]*"', b'"last_updated":"2026-11-29T12:00:%02d.000Z"' % k, market_body(20))


def test_answers_that_repeat_are_asked_for_less_until_they_move(tmp_path):
    moves, asked = threading.Event(), []

    def script(request):
        asked.append(request.path)
        return Answer(200, moved(len(asked) if moves.is_set() else 0))

    def interval_ms(port):
        return json.loads(get(port, "/api/status"))["jobs"][0]["interval_ms"]

    with PlainServer(script) as api, \
            Running("run", "--api-url", api.url, "--data", tmp_path, "--top", 20, "--adaptive", "1s-4s", "--api-rate", 6000,
                    "--listen", "127.0.0.1:0", "--sink", f"sqlite:{tmp_path}/market.db") as run:
        port = run.port()
        wait_for(lambda: interval_ms(port) == 4000, what="the interval")
        text = gecko("status", "--data", tmp_path).stdout
        assert "every 1s, adaptive to 4s" in text and "now every 4s" in text
        moves.set()
        wait_for(lambda: interval_ms(port) == 1000, what="the interval")
        wait_for(lambda n=len(asked): len(asked) >= n + 2, what="polls of what moves")
        assert run.stop() == 0
    found = ends(tmp_path)
    put_off = [end.get("skipped", 0) for end in found]
    assert max(put_off) >= 3 and min(put_off) == 0
    assert all(n < seconds(end) for n, end in zip(put_off, found))
    late = [end["slot"] != before["next_due"] for before, end in zip(found, found[1:])]  # a machine that has more to do
    with sqlite3.connect(tmp_path / "market.db") as db:
        assert db.execute("SELECT count(*) FROM gap").fetchone()[0] <= sum(late)


def test_a_cache_is_asked_when_it_has_something_new_also_after_a_restart(tmp_path):
    def run(n, *times):
        with Running("run", "--simulate", "--data", tmp_path, "--top", 20, *times, "--listen", "127.0.0.1:0") as process:
            port = process.port()
            wait_for(lambda: len(ends(tmp_path)) >= n, what="a poll")
            wait_for(lambda: json.loads(get(port, "/api/status"))["jobs"][0]["next_due"], what="a promise")
            status = json.loads(get(port, "/api/status"))["jobs"][0]
            time.sleep(1.5)  # slots go by
            assert process.stop() == 0
        return status

    first = run(1, "--adaptive", "1s-1h")
    end, = ends(tmp_path)
    assert 60 <= seconds(end) <= 120  # s-maxage=60; the answer came when it came
    assert 59 <= end["skipped"] <= seconds(end) - 1
    again = run(1, "--adaptive", "1s-1h")  # the promise is kept
    assert again["next_due"] == first["next_due"] and len(ends(tmp_path)) == 1
    run(2, "--every", "1s")


def test_what_a_cache_had_is_asked_for_again_when_the_cache_has_another(tmp_path):
    """Somebody else asked the same a while ago: the answer is as old, and its cache asks again so much sooner."""
    def page(data):
        return next(r for r in records(data) if r["type"] == "page")

    with Running("simulate", "--plan", "demo", "--limit", 100000, "--coins", 50, "--listen", "127.0.0.1:0") as sim:
        url = f"http://127.0.0.1:{sim.port()}/api/v3"
        gecko("once", "--api-url", url, "--data", tmp_path / "other", "--top", 20, check=0)
        time.sleep(10)
        with Running("run", "--api-url", url, "--data", tmp_path / "data", "--top", 20, "--adaptive", "1s-1h", "--api-rate", 6000, "--listen", "none"):
            wait_for(lambda: (tmp_path / "data" / "tape").exists() and ends(tmp_path / "data"), what="a poll")
        assert sim.stop() == 0
    made, got = page(tmp_path / "other"), page(tmp_path / "data")
    assert got["target"] == made["target"] and got["body_xxh128"] == made["body_xxh128"]
    assert "cf-cache-status: MISS\n" in made["headers"] and "age: " not in made["headers"] and "cf-cache-status: HIT\n" in got["headers"]
    age = int(re.search(r"^age: (\d+)$", got["headers"], re.MULTILINE)[1])
    end, = ends(tmp_path / "data")
    due, fetched = (datetime.fromisoformat(text) for text in (end["next_due"], got["fetched_at"]))
    assert age >= 10 and 60 - age - 2 <= (due - fetched).total_seconds() <= 60 - age + 2  # as s-maxage=60 says, and the next slot
