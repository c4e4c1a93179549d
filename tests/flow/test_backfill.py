# SPDX-License-Identifier: Apache-2.0
"""geckotape backfill against the simulator with the limits of real plans."""
import contextlib
import fcntl
import json
import os
import pty
import random
import signal
import sqlite3
import subprocess
import termios
import time

import pytest
from gecko import BINARY, FAKETIME, IS_SANITIZED, Running, clean_env, database, fake_clock, gecko, get, wait_for
from postgres import Server, binaries
from server import Answer, PlainServer
from stores import make_tape

DAY, HOUR = 86400, 3600
KEY = {"GECKOTAPE_API_KEY": "CG-abc"}


@contextlib.contextmanager
def simulator(plan, *args, env=None):
    with Running("simulate", "--listen", "127.0.0.1:0", "--plan", plan, "--limit", 1000000, "--coins", 300, *args, env=env) as sim:
        yield f"http://127.0.0.1:{sim.port()}/api/v3"


def backfill(url, data, *args, plan="demo", check=0, env=None, **more):
    return gecko("backfill", *args, "--api-url", url, "--api-plan", plan, "--api-rate", 100000, "--data", data, env=env or clean_env(**KEY), check=check,
                 **more)


def iso(when):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


def records(data, job):
    """Every record header of a stream; none when there is no such."""
    if not (data / "tape" / job).exists():
        return []
    return [json.loads(line) for line in gecko("tape", "cat", "--headers", "--job", job, "--data", data, check=0).stdout.splitlines()]


def asked(data, job="backfill-usd"):
    """The targets of all answers of a stream."""
    return [r["target"] for r in records(data, job) if r["type"] == "page"]


def series(data, table, coin, step):
    """Times in s, each once: of two answers with the same moment the later one counts."""
    with database(data) as db:
        return [row[0] / 1e6 for row in db.execute(f"select distinct at from {table} where coin = ? and step = ? order by at", (coin, step))]


def check_once(data, table):
    """Each poll is in the store once and whole."""
    with database(data) as db:
        bad = db.execute(f"select slot from poll join job using (job_id) left join (select slot, count(*) as n from {table} group by slot) using (slot) "
                         f"where endpoint like 'coins/%' and name like 'backfill%' and loaded = 'rows' and rows_new <> coalesce(n, 0)").fetchall()
        assert not bad


def check_whole(times, step, since, until):
    """No step of the span is without a point, in the simulator's gapless market."""
    assert times[0] <= since + 2 * step and times[-1] >= until - 2 * step, (times[0], since, times[-1], until)
    assert max(b - a for a, b in zip(times, times[1:])) < 2 * step
    assert len(times) >= (until - since) / step - 3


def test_a_year_of_points_as_the_demo_plan_has_them(tmp_path):
    with simulator("demo") as url:
        done = backfill(url, tmp_path, "bitcoin", "ethereum", "--granularity", "daily,hourly,5m", "--yes")
        assert "14 calls, as many credits of the 10000" in done.stdout and "14 of 14 charts are on the tape" in done.stdout
        now = time.time()
        again = backfill(url, tmp_path, "bitcoin", "ethereum", "--granularity", "daily,hourly,5m", "--yes")
        assert "6 of 6 series are on the tape already" in again.stdout and "nothing is missing" in again.stdout
    assert len(asked(tmp_path)) == 14
    for coin in ("bitcoin", "ethereum"):
        for step, since in ((DAY, 365 * DAY), (HOUR, 365 * DAY), (300, DAY)):
            check_whole(series(tmp_path, "history", coin, step), step, now - since + 1200, now - 2400 - step)
    check_once(tmp_path, "history")
    with database(tmp_path) as db:
        assert db.execute("select count(*) from poll where outcome <> 'ok'").fetchone()[0] == 0
        assert db.execute("select count(*) from gap").fetchone()[0] == 0


def test_candles_as_the_demo_plan_has_them(tmp_path):
    with simulator("demo") as url:
        done = backfill(url, tmp_path, "bitcoin", "--ohlc", "--granularity", "30m,4h,4d", "--yes")
        assert "3 of 3 charts are on the tape" in done.stdout
        refused = backfill(url, tmp_path, "bitcoin", "--ohlc", "--granularity", "hourly", "--yes", check=2)
        assert "plans analyst and lite; this one has 4d, 4h, 30m" in refused.stderr
    now = time.time()
    for step, since in ((1800, DAY), (4 * HOUR, 30 * DAY), (4 * DAY, 365 * DAY)):
        times = series(tmp_path, "ohlc", "bitcoin", step)
        assert all(t % step == 0 for t in times) and times[-1] <= now
        check_whole(times, step, now - since, now - step)
    check_once(tmp_path, "ohlc")


def test_a_paid_plan_goes_further_back_and_has_candles_by_spans(tmp_path):
    with simulator("analyst") as url:
        backfill(url, tmp_path, "bitcoin", "--since", "2023-01-01", "--until", "2024-01-01", "--granularity", "hourly", "--yes", plan="analyst")
        backfill(url, tmp_path, "bitcoin", "--since", "2023-01-01", "--until", "2023-07-01", "--ohlc", "--granularity", "daily", "--yes", plan="analyst")
    times = series(tmp_path, "history", "bitcoin", HOUR)
    assert len(asked(tmp_path)) == 5 and times
    check_whole(times, HOUR, 1672531200, 1704067200)
    assert all("interval=daily" in t for t in asked(tmp_path, "backfill-ohlc-usd")) and len(series(tmp_path, "ohlc", "bitcoin", DAY)) >= 178


def test_candles_are_whole_wherever_a_request_is_cut(tmp_path):
    hourly = ["bitcoin", "--ohlc", "--granularity", "hourly", "--yes", "--since", "2023-01-01T05:30:00Z", "--until"]
    with simulator("analyst") as url:
        backfill(url, tmp_path, *hourly, "2023-02-14T10:20:00Z", plan="analyst")
        backfill(url, tmp_path, *hourly, "2023-03-20T07:40:00Z", plan="analyst")
        again = backfill(url, tmp_path, *hourly, "2023-03-20T07:40:00Z", plan="analyst")
        whole = {}
        for since in range(1672531200, 1679270400 + 8 * HOUR, 30 * DAY):  # cut by nothing, as it is asked for between two candles
            answer = get(int(url.split(":")[2].split("/")[0]), f"/api/v3/coins/bitcoin/ohlc/range?vs_currency=usd&from={since}&to={since + 30 * DAY}"
                         "&interval=hourly", {"x-cg-pro-api-key": KEY["GECKOTAPE_API_KEY"]})
            whole.update({ms // 1000: tuple(values) for ms, *values in json.loads(answer)})
    assert "nothing is missing" in again.stdout
    with database(tmp_path) as db:
        got = [(at // 10**6, tuple(values)) for at, *values in db.execute("select at, open, high, low, close from ohlc order by at")]
    assert [at for at, _ in got] == list(range(1672531200 + 6 * HOUR, 1679270400 + 7 * HOUR + 1, HOUR))
    assert all(values == whole[at] for at, values in got)


def points(since, made, until):
    """An hourly chart as the API made it: a little behind the hours, the last point that of the moment when it was made."""
    times = [at + 30 for at in range(-(-since // HOUR) * HOUR, int(min(made, until)) - 30, HOUR)]
    times += [int(made)] * (made < until)
    line = json.dumps([[at * 1000, 1.5] for at in times]).encode()
    return b'{"prices":' + line + b',"market_caps":[],"total_volumes":[]}'


@pytest.mark.parametrize("age, calls", [(3 * HOUR, 1), (20, 0)])
def test_points_that_a_cache_kept_back_are_asked_for_again(age, calls, tmp_path):
    lists = {"/coins/list": b'[{"id":"a","symbol":"a","name":"A"}]', "/simple/supported_vs_currencies": b'["usd"]'}
    ages = [age]

    def answer(request):
        if request.path in lists:
            return Answer(200, lists[request.path])
        return Answer(200, points(int(request.query["from"]), time.time() - ages[0], int(request.query["to"])), {"Age": str(ages[0])})

    with PlainServer(answer) as api:
        args = ["backfill", "a", "--granularity", "hourly", "--since", iso(time.time() - 3 * DAY), "--yes", "--api-url", api.url, "--api-rate", 100000,
                "--data", tmp_path]
        started = time.time()
        gecko(*args, check=0)
        ages[0] = 0
        again, at_last = gecko(*args, check=0), gecko(*args, check=0)
    assert ("1 of 1 charts are on the tape" if calls else "nothing is missing") in again.stdout and "nothing is missing" in at_last.stdout
    assert len(asked(tmp_path)) == 1 + calls
    times = {at - 30 for at in series(tmp_path, "history", "a", HOUR)}
    assert times >= set(grid(started - 3 * DAY + 60, started - 2200, HOUR))


def test_what_the_wall_forbids_is_told_before_and_not_asked_for(tmp_path):
    with simulator("demo") as url:
        done = backfill(url, tmp_path, "bitcoin", "--since", "2020-01-01", "--dry-run")
        assert "nothing before 20" in done.stdout and "the plan demo has no older ones so fine" in done.stdout
        assert not (tmp_path / "tape" / "backfill-usd").exists()
        backfill(url, tmp_path, "bitcoin", "--since", "2020-01-01", "--granularity", "daily,hourly", "--yes")
    assert all(r["status"] == 200 for r in records(tmp_path, "backfill-usd") if r["type"] == "page")


@pytest.mark.parametrize("args, said", [
    (["btc"], "btc: CoinGecko knows no such coin, did you mean bitcoin?"),
    (["bitcoin", "etherum", "no-such-thing-at-all"], "etherum: CoinGecko knows no such coin, did you mean ethereum?; no-such-thing-at-all: CoinGecko knows no such coin"),
    (["bitcoin", "--vs", "eru"], "eru: CoinGecko knows no such currency, did you mean"),
    (["bitcoin", "--granularity", "minutely"], '"minutely" is not one of daily, hourly, 5m'),
    (["bitcoin", "--since", "2026-01-02", "--until", "2026-01-01"], "--since 2026-01-02 is not before --until 2026-01-01"),
    ([], "of which coins?"),
])
def test_mistakes_are_named_before_credits_are_spent(args, said, tmp_path):
    with simulator("demo") as url:
        done = backfill(url, tmp_path, *args, "--yes", check=2)
    assert said in done.stderr and not (tmp_path / "tape" / "backfill-usd").exists()


def has_terminal():
    """Ctrl-C of the terminal on stdin is for who is called next."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_nothing_is_asked_for_without_a_yes(tmp_path):
    with simulator("demo") as url:
        done = backfill(url, tmp_path, "bitcoin", check=2)
        assert "1 call" in done.stdout and "--yes does it" in done.stderr
        assert not (tmp_path / "tape" / "backfill-usd").exists()
        for answer, n in ((b"\x03", 0), (b"n\n", 0), (b"y\n", 1)):  # the first is Ctrl-C, without Enter behind it
            master, slave = pty.openpty()
            with subprocess.Popen([BINARY, "backfill", "bitcoin", "--api-url", url, "--api-plan", "demo", "--api-rate", "100000", "--data", str(tmp_path)],
                                  stdin=slave, stdout=slave, stderr=slave, env=clean_env(**KEY), preexec_fn=has_terminal) as process:
                os.close(slave)
                seen = b""
                while b"Go on? [y/N]" not in seen:
                    seen += os.read(master, 4096)
                os.write(master, answer)
                with contextlib.suppress(OSError):
                    while True:
                        seen += os.read(master, 4096)
                process.wait(60)
                assert process.returncode == 0
            os.close(master)
            assert len(asked(tmp_path)) == n if n else not (tmp_path / "tape" / "backfill-usd").exists()


@pytest.mark.parametrize("seed", range(3))
def test_a_kill_loses_no_answer_and_costs_no_call_twice(seed, tmp_path):
    coins = ["bitcoin", "ethereum", "tether", "solana"]
    args = [*coins, "--granularity", "daily,hourly", "--yes"]
    with simulator("demo") as url:
        for n in range(3):
            with Running("backfill", *args, "--api-url", url, "--api-plan", "demo", "--api-rate", 1200, "--data", tmp_path, env=clean_env(**KEY)) as run:
                wait_for(lambda: run.process.poll() is not None or len(list(tmp_path.glob("tape/backfill-usd/*"))) > 0, what="a first answer")
                time.sleep(random.Random(seed * 10 + n).random() * 0.4)
                run.kill()
        done = backfill(url, tmp_path, *args)
        assert "charts are on the tape" in done.stdout or "nothing is missing" in done.stdout
    targets = asked(tmp_path)
    pages = {(t.split("?")[0], t.split("from=")[1].split("&")[0][:-4]) for t in targets}
    ends = [r["outcome"] for r in records(tmp_path, "backfill-usd") if r["type"] == "end"]
    assert ends.count("ok") >= 24 and set(ends) <= {"ok", "aborted"} and pages
    # a kill may fall between an answer and its poll's end: that one is asked for again
    assert len(targets) <= 24 + ends.count("aborted") + 3
    for coin in coins:
        check_whole(series(tmp_path, "history", coin, HOUR), HOUR, time.time() - 365 * DAY + 1800, time.time() - 2 * HOUR)
    check_once(tmp_path, "history")


def test_it_goes_through_the_collector_that_runs(tmp_path):
    with simulator("demo") as url:
        with Running("run", "--api-url", url, "--api-plan", "demo", "--api-rate", 60000, "--top", 20, "--every", "1s", "--data", tmp_path, "--listen", "none",
                     env=clean_env(**KEY)) as run:
            wait_for(lambda: (tmp_path / "control.sock").exists() and (tmp_path / "market.db").exists(), what="a collector")
            done = gecko("backfill", "bitcoin", "--granularity", "daily,hourly", "--data", tmp_path, "--yes", env=clean_env(), check=0)
            assert "6 calls" in done.stdout and "6 of 6 charts are on the tape" in done.stdout
            unknown = gecko("backfill", "btc", "--data", tmp_path, "--yes", env=clean_env())
            assert unknown.returncode == 1 and "did you mean bitcoin" in unknown.stderr
            wait_for(lambda: len(series(tmp_path, "history", "bitcoin", HOUR)) > 8700, what="its rows")
            wait_for(lambda: records(tmp_path, "markets-usd-top20"), what="polls meanwhile")
            assert run.stop() == 0, run.output
    check_once(tmp_path, "history")
    with database(tmp_path) as db:
        assert {row[0] for row in db.execute("select name from job")} == {"markets-usd-top20", "backfill-usd", "coins-list", "vs-currencies"}


def test_a_chart_that_is_refused_for_good_does_not_stop_the_others(tmp_path):
    lists = {"/coins/list": b'[{"id":"a","symbol":"a","name":"A"},{"id":"b","symbol":"b","name":"B"}]', "/simple/supported_vs_currencies": b'["usd"]'}
    wall = (b'{"error":{"status":{"timestamp":"2024-04-20T22:00:05.123+00:00","error_code":10012,"error_message":"Your request exceeds the allowed time '
            b'range. Public API users are limited to querying historical data within the past 365 days."}}}')

    def answer(request):
        path = request.path.partition("?")[0].removeprefix("/api/v3")
        if path in lists:
            return Answer(200, lists[path])
        return Answer(401, wall) if path.startswith("/coins/a/") else Answer(200, b'{"prices":[[1760000000000,1.50]],"market_caps":[],"total_volumes":[]}')

    with PlainServer(answer) as api:
        done = gecko("backfill", "a", "b", "--yes", "--api-url", api.url, "--api-rate", 100000, "--data", tmp_path)
    assert done.returncode == 1 and "not had: /coins/a/market_chart" in done.stdout and "1 of 2 charts are on the tape" in done.stdout
    assert "does not go back so far" in done.stdout
    with sqlite3.connect(tmp_path / "market.db") as db:
        assert db.execute("select coin, price from history").fetchall() == [("b", 1.5)]
    db.close()


def test_an_api_that_does_not_answer_is_tried_later(tmp_path):
    with PlainServer(lambda request: Answer(500, b'{"status":500,"error":"Internal Server Error"}')) as api:
        done = gecko("backfill", "a", "--yes", "--api-url", api.url, "--api-rate", 100000, "--data", tmp_path, timeout=120)
    assert done.returncode == 75 and "the list of names cannot be had" in done.stderr


def test_a_signal_stops_it_between_two_calls(tmp_path):
    with simulator("demo") as url:
        with Running("backfill", "bitcoin", "ethereum", "--granularity", "hourly", "--yes", "--api-url", url, "--api-plan", "demo", "--api-rate", 120,
                     "--data", tmp_path, env=clean_env(**KEY)) as run:
            wait_for(lambda: (tmp_path / "tape" / "backfill-usd").exists(), what="a first answer")
            assert run.stop(signal.SIGINT) == 75 and "goes on where it was" in run.output
    assert {r["outcome"] for r in records(tmp_path, "backfill-usd") if r["type"] == "end"} <= {"ok", "aborted"}


def test_who_asked_may_leave_while_the_collector_waits_for_its_pace(tmp_path):
    with simulator("demo") as url:
        # freed memory is overwritten: what is read there shows at once
        with Running("run", "--api-url", url, "--api-plan", "demo", "--api-rate", 60, "--top", 20, "--every", "1h", "--data", tmp_path, "--listen", "none",
                     env=clean_env(MALLOC_PERTURB_="165", **KEY)) as run:
            wait_for(lambda: (tmp_path / "control.sock").exists(), what="a collector")
            with Running("backfill", "bitcoin", "ethereum", "--granularity", "hourly", "--data", tmp_path, "--yes", env=clean_env()) as client:
                wait_for(lambda: asked(tmp_path), what="a first answer")
                client.kill()
            wait_for(lambda: run.process.poll() is not None or len(asked(tmp_path)) > 1, what="the poll that was under way")
            assert run.stop() == 0, run.output
    assert all(target.startswith("/api/v3/coins/bitcoin/market_chart/range?vs_currency=usd&from=1") for target in asked(tmp_path))


def market(coins):
    return json.dumps([{"id": coin, "symbol": coin, "name": coin, "current_price": 1.5} for coin in coins]).encode()


def grid(since, until, step):
    """The moments of a grid in [since, until)."""
    first = -(-since // step) * step
    return range(int(first), int(until), step)


@pytest.mark.parametrize("seed", range(4))
def test_gaps_are_filled_as_far_as_the_plan_has_them(seed, tmp_path):
    rng, step, now = random.Random(seed), 600, int(time.time()) // 600 * 600
    slots = [now - 5 * DAY + i * step for i in range(5 * DAY // step)]
    outages = [(s, s + rng.choice([1, 2, 3, 7, 20, 80]) * step) for s in rng.sample(slots[:-200], 12)] + [(now - 9000, now - 5400)]
    away = (now - 3 * DAY, now - 3 * DAY + 5 * HOUR)  # when ethereum was not in the selection
    polls = []
    for slot in slots:
        if not any(a <= slot < b for a, b in outages):
            coins = ["bitcoin", "ethereum", "solana"] if not away[0] <= slot < away[1] else ["bitcoin", "solana"]
            polls.append((slot * 10**6, "ok", [market(coins)]))
    make_tape(tmp_path, polls)
    sink = ["--sink", f"sqlite:{tmp_path}/market.db"]
    gecko("load", "--from", f"tape:{tmp_path}", *sink, check=0)
    with contextlib.closing(sqlite3.connect(tmp_path / "market.db")) as db:  # made-up polls promise nothing
        db.execute("update poll set next_due = slot + ?", (step * 10**6,))
        db.commit()
        gaps = [(a / 1e6, (b or now * 10**6) / 1e6) for a, b in db.execute("select from_slot, until_slot from gap")]
        away = [(a / 1e6, b / 1e6) for a, b in db.execute("select from_slot, until_slot from absence")]
    assert len(gaps) >= 5 and len(away) <= 1
    with simulator("demo") as url:
        done = backfill(url, tmp_path, "--gaps", "--yes", *sink)
        again = backfill(url, tmp_path, "--gaps", "--yes", *sink)
    assert "of 3 coins lack something" in done.stdout and "nothing is missing" in again.stdout, done.stdout + again.stdout
    edge, too_fine = now - DAY + 1500, 0
    for coin in ("bitcoin", "ethereum", "solana"):
        fine, hourly = series(tmp_path, "history", coin, 300), series(tmp_path, "history", coin, HOUR)
        for a, b in gaps + (away if coin == "ethereum" else []):
            for when in grid(max(a, edge), min(b, now - 2700), 300):
                assert any(when <= t < when + 300 for t in fine), (coin, when)
            for when in grid(a, min(b, edge - 3000), HOUR):
                assert any(when <= t < when + HOUR for t in hourly), (coin, when)
            too_fine += b < edge - 3000 and not grid(a, b, HOUR)
    assert not too_fine or "too short to fill: CoinGecko has no point of them" in done.stdout
    assert len(asked(tmp_path)) <= 6  # one hourly and one of 5 minutes for each coin
    check_once(tmp_path, "history")


@pytest.mark.skipif(not FAKETIME or IS_SANITIZED, reason="faketime is not installed, or does not go with sanitizers")
def test_a_gap_that_was_filled_finely_is_not_asked_for_again_a_day_later(tmp_path):
    now, step, sink = int(time.time()) // 600 * 600, 600, ["--sink", f"sqlite:{tmp_path}/market.db"]
    slots = [at for at in range(now - 12 * HOUR, now + 1, step) if not now - 8 * HOUR < at < now - 5 * HOUR]
    make_tape(tmp_path, [(at * 10**6, "ok", [market(["bitcoin"])]) for at in slots])
    gecko("load", "--from", f"tape:{tmp_path}", *sink, check=0)
    with contextlib.closing(sqlite3.connect(tmp_path / "market.db")) as db:  # made-up polls promise nothing; the last one, none before a week
        db.execute("update poll set next_due = slot + case when slot = ? then ? else ? end", (now * 10**6, 7 * DAY * 10**6, step * 10**6))
        db.commit()
        assert db.execute("select count(*) from gap").fetchone()[0] == 1
    with simulator("demo") as url:
        assert "1 of 1 charts are on the tape" in backfill(url, tmp_path, "--gaps", "--yes", *sink).stdout
    fine = series(tmp_path, "history", "bitcoin", 300)
    assert all(any(when <= at < when + 300 for at in fine) for when in grid(now - 8 * HOUR + step, now - 5 * HOUR, 300))
    with simulator("demo", env=fake_clock(FAKETIME="+26h")) as url:
        later = backfill(url, tmp_path, "--gaps", "--yes", *sink, env=fake_clock(FAKETIME="+26h", **KEY))
    assert "1 gap since" in later.stdout and "nothing is missing" in later.stdout and "too short" not in later.stdout, later.stdout
    assert len(asked(tmp_path)) == 1


def test_gaps_are_of_what_is_collected(tmp_path):
    make_tape(tmp_path, [(int(time.time()) // 600 * 600 * 10**6, "ok", [market(["bitcoin"])])])
    with simulator("demo") as url:
        nothing = backfill(url, tmp_path, "bitcoin", "--gaps", "--yes")
        assert "0 gaps since" in nothing.stdout and "nothing is missing" in nothing.stdout
        other = backfill(url, tmp_path, "solana", "--gaps", "--yes", check=2)
        assert "solana: no job collects it" in other.stderr
        other = backfill(url, tmp_path, "--gaps", "--yes", "--vs", "eur", check=2)
        assert "no job collects coins/markets in eur" in other.stderr
        both = backfill(url, tmp_path, "--gaps", "--granularity", "daily", check=2)
        assert "leave out --granularity" in both.stderr


def test_charts_show_what_was_backfilled_where_nothing_was_polled(tmp_path):
    now = int(time.time()) // 600 * 600
    make_tape(tmp_path, [((now - i * 600) * 10**6, "ok", [market(["bitcoin"])]) for i in range(12, -1, -1)])
    sink = ["--sink", f"sqlite:{tmp_path}/market.db"]
    gecko("load", "--from", f"tape:{tmp_path}", *sink, check=0)
    before = time.time()
    with simulator("demo") as url:
        backfill(url, tmp_path, "bitcoin", "--since", "-10d", "--granularity", "daily,hourly", "--yes", *sink)
        backfill(url, tmp_path, "bitcoin", "--ohlc", "--granularity", "4h", "--yes", *sink)
    known = {int(at * 1000): at for at in series(tmp_path, "history", "bitcoin", HOUR)}
    paths = [f"/api/series?id=bitcoin&from={iso(now - 9 * DAY)}&until={iso(now)}&points=217", "/api/v3/coins/bitcoin/ohlc?vs_currency=usd&days=14",
             f"/api/v3/coins/bitcoin/market_chart?vs_currency=usd&days=8&at={iso(before - 1)}"]
    with Running("serve", "--from", f"sqlite:{tmp_path}/market.db", "--listen", "127.0.0.1:0") as run:
        port = run.port()
        told = [json.loads(get(port, path)) for path in paths]
        line = json.loads(get(port, f"/api/series?id=bitcoin&from={iso(now - 9 * DAY)}&until={iso(now)}&points=217"))
        times, filled = [p[0] for p in line["points"]], set(line["filled"])
        assert len(times) > 200 and times == sorted(times) and filled <= set(times)
        polled = [t for t in times if t not in filled]
        assert polled and min(polled) >= (now - 7200) * 1000 and all(p[1] == 1.5 for p in line["points"] if p[0] in polled)
        assert filled <= set(known), "a point that CoinGecko did not send"
        chart = json.loads(get(port, "/api/v3/coins/bitcoin/market_chart?vs_currency=usd&days=8"))
        assert len(chart["prices"]) > 180 and {t for t, _ in chart["prices"] if t < (now - 7200) * 1000} <= set(known)
        candles = json.loads(get(port, "/api/v3/coins/bitcoin/ohlc?vs_currency=usd&days=14"))
        with database(tmp_path) as db:
            own = {row[0] // 1000: tuple(row)[1:] for row in db.execute("select at, open, high, low, close from ohlc where step = 14400")}
        assert len(candles) > 70 and all(own[c[0]] == tuple(c[1:]) for c in candles if c[0] in own and c[0] < (now - 8 * HOUR) * 1000)
        # nobody knew it yet before it was fetched
        past = json.loads(get(port, f"/api/v3/coins/bitcoin/market_chart?vs_currency=usd&days=8&at={iso(before - 1)}"))
        assert past["prices"] and all(t >= (now - 7300) * 1000 for t, _ in past["prices"])
        assert run.stop() == 0
    if binaries() is None:
        pytest.skip("no PostgreSQL here: only SQLite was asked")
    server = Server()
    try:
        server.create("etl")
        store = server.url(host="socket")
        gecko("load", "--from", f"tape:{tmp_path}", "--sink", store, check=0)
        with Running("serve", "--from", store, "--listen", "127.0.0.1:0") as run:
            assert [json.loads(get(run.port(), path)) for path in paths] == told
            assert run.stop() == 0
    finally:
        server.remove()
