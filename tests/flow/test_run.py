# SPDX-License-Identifier: Apache-2.0
"""geckotape run as a user meets it: collects, serves, survives, stops."""
import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import time
import urllib.error

import pytest
from gecko import (BINARY, Running, check_exactly_once, clean_env, database, gecko, get, market_body, records, wait_for)
from server import Answer, PlainServer

FAST = ["--every", "1s", "--api-rate", "100000", "--listen", "127.0.0.1:0"]


def market(request):
    return Answer(body=market_body(250, request.n))


def polls(data):
    try:
        with database(data) as db:
            return [dict(row) for row in db.execute("select * from poll order by last_offset")]
    except Exception:  # not there yet
        return []


def test_run_collects_serves_and_stops_cleanly(tmp_path):
    with PlainServer(market) as api, Running("run", "--api-url", api.url, "--data", tmp_path, *FAST) as run:
        port = run.port()
        assert get(port, "/healthz").strip() == b"OK"
        wait_for(lambda: len(polls(tmp_path)) >= 3, what="three polls")
        rows = json.loads(get(port, "/api/v3/coins/markets?vs_currency=usd&per_page=250"))
        assert len(rows) == 250 and len(rows[0]) == 26
        metrics = get(port, "/metrics").decode()
        assert re.search(r'geckotape_polls_total\{job="markets-usd",outcome="ok"\} [3-9]', metrics)
        assert re.search(r'geckotape_sink_lag_records\{sink="sqlite:[^"]*",job="markets-usd"\} 0', metrics)
        assert json.loads(get(port, "/readyz"))
        status = json.loads(get(port, "/api/status"))
        assert status["jobs"][0]["last_outcome"] == "ok" and not status["simulated"]
        assert b"CoinGecko" in get(port, "/")
        assert run.stop() == 0
    ends = check_exactly_once(tmp_path, json_dir=tmp_path)
    assert len(ends) >= 3


def test_unchanged_rows_are_counted_not_stored(tmp_path):
    body = market_body(100, 1)
    with PlainServer(lambda request: Answer(body=body)) as api:
        with Running("run", "--api-url", api.url, "--data", tmp_path, "--top", 100, *FAST) as run:
            wait_for(lambda: len(polls(tmp_path)) >= 3, what="three polls")
            run.stop()
    check_exactly_once(tmp_path, json_dir=tmp_path)
    found = polls(tmp_path)
    assert found[0]["rows_new"] == 100 and found[0]["rows_unchanged"] == 0
    # two polls of one UTC hour: at most one boundary can lie between any two of them
    assert any(p["rows_unchanged"] == 100 and p["rows_new"] == 0 for p in found[1:])
    assert all(p["rows_unchanged"] + p["rows_new"] == 100 for p in found)


def test_absent_coins_are_recorded_and_come_back(tmp_path):
    def script(request):
        return Answer(body=market_body(5) if request.n % 3 != 1 else market_body(4))

    with PlainServer(script) as api:
        for _ in range(3):
            gecko("once", "--api-url", api.url, "--data", tmp_path, "--top", 5, "--api-rate", 100000, check=0)
    with database(tmp_path) as db:
        rows = [dict(r) for r in db.execute("select c.id, a.* from absence a join coin c using (coin_id)")]
        slots = [r[0] for r in db.execute("select slot from poll order by last_offset")]
    assert len(rows) == 1 and rows[0]["id"] == "coin-4"
    assert rows[0]["from_slot"] == slots[1] and rows[0]["until_slot"] == slots[2]


def test_symbols_that_coins_share_or_do_not_have_tell_no_coins_apart(tmp_path):
    body = re.sub(rb'"symbol":"c\d"', lambda m: b'"symbol":"usdc"' if m.start() < 3000 else b'"symbol":""', market_body(12))
    with PlainServer(lambda request: Answer(body=body)) as api:
        gecko("once", "--api-url", api.url, "--data", tmp_path, "--top", 12, check=0)
    check_exactly_once(tmp_path, json_dir=tmp_path)
    with database(tmp_path) as db:
        rows = [tuple(r) for r in db.execute("select symbol, count(*) from market join coin using (coin_id) group by symbol order by 1")]
    assert [symbol for symbol, _ in rows] == ["", "usdc"] and sum(n for _, n in rows) == 12 and min(n for _, n in rows) > 1


def test_a_last_updated_that_goes_back_is_stored_as_it_came(tmp_path):
    minutes = [9, 5, 1]
    with PlainServer(lambda request: Answer(body=market_body(20, minutes[request.n]))) as api:
        for _ in minutes:
            gecko("once", "--api-url", api.url, "--data", tmp_path, "--top", 20, "--api-rate", 100000, check=0)
        shown = gecko("query", "--data", tmp_path, "--format", "jsonl", "--columns", "id,last_updated", check=0).stdout
    check_exactly_once(tmp_path, json_dir=tmp_path)
    with database(tmp_path) as db:
        assert [p["rows_new"] for p in polls(tmp_path)] == [20] * 3
        assert db.execute("select count(*) from market").fetchone()[0] == 60
    assert {json.loads(line)["last_updated"] for line in shown.splitlines()} == {"2026-11-23T14:01:00.000Z"}, "the newest is what came last"


def test_the_api_may_go_and_come_back(tmp_path):
    state = {"is_down": False}

    def script(request):
        return Answer(503, b"<html>down</html>") if state["is_down"] else market(request)

    with PlainServer(script) as api, Running("run", "--api-url", api.url, "--data", tmp_path, *FAST) as run:
        wait_for(lambda: len(polls(tmp_path)) >= 2, what="two polls")
        state["is_down"] = True
        wait_for(lambda: [p for p in polls(tmp_path) if p["outcome"] == "failed"], what="a failed poll")
        state["is_down"] = False
        n = len(polls(tmp_path))
        wait_for(lambda: [p for p in polls(tmp_path)[n:] if p["outcome"] == "ok"], what="a good poll again")
        run.stop()
        assert run.output.count("WARN") + run.output.count("ERROR") <= 6, "log flood:\n" + run.output
    check_exactly_once(tmp_path, json_dir=tmp_path)
    assert any(r["type"] == "page" and r["status"] == 503 for r in records(tmp_path)), "bad answers are kept too"


@pytest.mark.parametrize("answer", [
    Answer(429, b'{"status":{"error_code":429,"error_message":"slow down"}}', headers={"Retry-After": "3600"}),
    Answer(200, b"<html><title>Attention Required!</title></html>"),
    Answer(200, b'{"status":{"error_code":429,"error_message":"slow down"}}'),
    Answer(200, b'[{"id":"bitcoin","symbol":"btc","na', cut=20),
    Answer(200, b"[" * 1000000),
    Answer(401, b'{"status":{"error_code":10002,"error_message":"API Key Missing"}}'),
    Answer(200, b""),
], ids=["429", "html", "error-with-200", "cut", "nested", "key", "empty"])
def test_no_bad_answer_becomes_rows_or_stops_the_collector(tmp_path, answer):
    state = {"n": 0}

    def script(request):
        state["n"] += 1
        return answer if state["n"] == 1 else market(request)

    with PlainServer(script) as api:
        done = gecko("once", "--api-url", api.url, "--data", tmp_path, "--api-rate", 100000, "--api-timeout", "2s",
                     timeout=200)
        if done.returncode == 0:  # a retry within the poll brought it
            assert state["n"] >= 2
        else:
            assert done.returncode == (78 if answer.status == 401 else 75) and done.stderr
            gecko("once", "--api-url", api.url, "--data", tmp_path, "--api-rate", 100000, check=0)
    check_exactly_once(tmp_path, json_dir=tmp_path)
    with database(tmp_path) as db:
        assert db.execute("select count(*) from market").fetchone()[0] == 250


def test_a_bad_value_costs_one_cell_and_a_row_without_a_symbol_the_row(tmp_path):
    body = market_body(4).replace(b'"current_price":', b'"current_price":"many","x":', 1)
    body = b'"symbol":null,"y":'.join(body.rsplit(b'"symbol":', 1))
    with PlainServer(lambda request: Answer(body=body)) as api:
        gecko("once", "--api-url", api.url, "--data", tmp_path, "--top", 4, check=0)
    with database(tmp_path) as db:
        assert db.execute("select count(*), count(current_price) from market").fetchone()[:] == (3, 2)
        refused = [(r["coin"], r["field"], r["value"])
                   for r in db.execute("select * from quarantine order by idx")]
    assert refused == [("coin-0", "current_price", "many"), ("coin-3", "symbol", None)]


def test_the_stop_cancels_a_stalled_fetch_at_once(tmp_path):
    with PlainServer(lambda request: Answer(delay=30)) as api:
        with Running("run", "--api-url", api.url, "--data", tmp_path, *FAST) as run:
            run.port()
            wait_for(lambda: api.requests, what="a request")
            started = time.monotonic()
            assert run.stop() == 0
            assert time.monotonic() - started < 12  # it would be given up after 15 s
        ends = [r for r in records(tmp_path) if r["type"] == "end"]
        assert ends[-1]["outcome"] == "aborted"


def test_a_slot_whose_poll_was_cut_short_is_polled_again(tmp_path):
    options = ["--data", tmp_path, "--every", "1h", "--listen", "none"]
    with PlainServer(lambda request: Answer(delay=30)) as api, Running("run", "--api-url", api.url, *options) as run:
        wait_for(lambda: api.requests, what="a request")
        assert run.stop() == 0
    with PlainServer(market) as api, Running("run", "--api-url", api.url, *options) as run:
        wait_for(lambda: [p for p in polls(tmp_path) if p["outcome"] == "ok"], what="a good poll")
        run.stop()
    check_exactly_once(tmp_path, json_dir=tmp_path)


def test_a_slot_whose_poll_failed_is_polled_again_within_the_slot(tmp_path):
    state = {"n": 0}

    def script(request):
        state["n"] += 1
        return Answer(401, b'{"status":{"error_code":10002,"error_message":"API Key Missing"}}') if state["n"] == 1 else market(request)

    with PlainServer(script) as api:
        with Running("run", "--api-url", api.url, "--data", tmp_path, "--every", "1h", "--listen", "none") as run:
            wait_for(lambda: [p for p in polls(tmp_path) if p["outcome"] == "ok"], what="a good poll")
            run.stop()
    check_exactly_once(tmp_path, json_dir=tmp_path)


def test_once_tries_a_failed_slot_again(tmp_path):
    state = {"is_down": True}

    def script(request):
        return Answer(401, b"{}") if state["is_down"] else market(request)

    with PlainServer(script) as api:
        once = ["once", "--every", "1h", "--api-url", api.url, "--data", tmp_path]
        gecko(*once, check=78)
        state["is_down"] = False
        assert "already" not in gecko(*once, check=0).stdout
    check_exactly_once(tmp_path, json_dir=tmp_path)


def test_a_short_page_does_not_end_the_list(tmp_path):
    def script(request):
        return Answer(body=market_body(249 if request.page == 1 else 250, first=250 * (request.page - 1)))

    with PlainServer(script) as api:
        gecko("once", "--api-url", api.url, "--data", tmp_path, "--top", 750, "--api-rate", 100000, check=0)
        assert [r.page for r in api.requests] == [1, 2, 3]
    with database(tmp_path) as db:
        assert db.execute("select count(*) from market").fetchone()[0] == 749


def test_rows_of_a_simulator_elsewhere_are_marked(tmp_path):
    with Running("simulate", "--listen", "127.0.0.1:0", "--coins", 250) as sim:
        port = int(sim.expect(r"http://127\.0\.0\.1:(\d+)")[1])
        with Running("run", "--api-url", f"http://127.0.0.1:{port}/api/v3", "--data", tmp_path, *FAST) as run:
            own = run.port()
            wait_for(lambda: json.loads(get(own, "/api/status"))["simulated"], what="the mark")
            run.stop()


def test_a_coin_cannot_steer_the_terminal(tmp_path):
    body = market_body(2).replace(b'"coin-0"', b'"\\u001b[31mred\\u009b"')
    with PlainServer(lambda request: Answer(body=body)) as api:
        out = gecko("once", "--api-url", api.url, "--data", tmp_path, "--top", 2, check=0).stdout
        out += gecko("query", "--data", tmp_path, check=0).stdout
    assert "31mred" in out and "\x1b" not in out and "\x9b" not in out


def test_a_log_that_nobody_reads_stops_nothing(tmp_path):
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    with PlainServer(market) as api:
        process = subprocess.Popen([BINARY, "run", "--api-url", api.url, "--data", str(tmp_path), "--every", "1s",
                                    "--api-rate", "100000", "--listen", "none", "--log-level", "debug"],
                                   stdout=writing, stderr=writing, env=clean_env())
        os.close(writing)
        try:
            # a request's line is some 130 bytes: the pipe is full long before
            wait_for(lambda: len(api.requests) >= 45, timeout=120, what="requests")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.wait()
            os.close(reading)
    check_exactly_once(tmp_path, json_dir=tmp_path)


def test_a_slot_is_polled_once_however_often_it_starts(tmp_path):
    with PlainServer(market) as api:
        for _ in range(3):
            done = gecko("once", "--every", "1h", "--api-url", api.url, "--data", tmp_path, check=0)
        assert "already" in done.stdout
        assert len(api.requests) in (1, 2)  # two when the hour ended in between


def test_a_poll_off_the_grid_leaves_the_slot_to_the_grid(tmp_path):
    with PlainServer(lambda request: Answer(body=market_body(2))) as api:
        once = ["once", "--api-url", api.url, "--data", tmp_path]
        gecko(*once, check=0)
        polled = gecko(*once, "--every", "1d", check=0).stdout
        assert "already" not in polled and len(api.requests) == 2
        gecko(*once, check=0)  # hides the slot from who looks at the last poll alone
        gecko(*once, "--every", "1d", check=0)
        assert len(api.requests) in (3, 4)  # four when the day ended in between
    check_exactly_once(tmp_path, json_dir=tmp_path)


def test_without_a_network_run_says_so_once_and_keeps_trying(tmp_path):
    with PlainServer(market) as api:
        url = api.url
    # nobody listens there any more
    with Running("run", "--api-url", url, "--data", tmp_path, *FAST) as run:
        port = run.port()
        run.expect(r"simulat")
        time.sleep(2.5)
        text = run.read()
        assert text.count("simulat") == 1 and len(text.splitlines()) < 8, "log flood:\n" + text
        with pytest.raises(urllib.error.HTTPError) as refused:
            get(port, "/readyz")
        assert refused.value.code == 503 and b"markets-usd" in refused.value.read()
        assert run.stop() == 0


def test_simulate_needs_no_network_and_is_marked_everywhere(tmp_path):
    with Running("run", "--simulate", "--top", 50, "--every", "1s", "--listen", "127.0.0.1:0", cwd=tmp_path) as run:
        port = run.port()
        data = tmp_path / "data-sim"
        wait_for(lambda: polls(data), what="a poll")
        assert json.loads(get(port, "/api/status"))["simulated"]
        assert "SIMULATED" in run.read()
        run.stop()
    assert (data / "SIMULATED").exists()
    assert not (tmp_path / "data").exists()
    check_exactly_once(data, json_dir=data)


def test_a_terminal_gets_a_greeting_and_a_line_per_poll(tmp_path):
    try:
        primary, secondary = pty.openpty()
    except OSError as why:
        pytest.skip(f"no terminal to be had here: {why}")
    process = subprocess.Popen([BINARY, "run", "--simulate", "--every", "1s", "--listen", "127.0.0.1:0"], stdout=secondary,
                               stderr=subprocess.STDOUT, env=clean_env(), cwd=tmp_path)
    os.close(secondary)
    text = ""
    try:
        until = time.monotonic() + 60
        while len(re.findall(r"\d rows: ", text)) < 2 and time.monotonic() < until:
            text += os.read(primary, 4096).decode()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        os.close(primary)
    assert "SIMULATED" in text and "http://127.0.0.1:" in text and "Ctrl-C" in text
    assert re.search(r"\d\d:\d\d:\d\d  ok +250 rows: \d+ new, \d+ unchanged, \d+ absent · [\d.]+ kB · [\d.]+ s · bitcoin [\d.]+ usd", text), text


def test_query_prints_what_was_stored(tmp_path):
    body = market_body(5)
    with PlainServer(lambda request: Answer(body=body)) as api:
        gecko("once", "--api-url", api.url, "--data", tmp_path, "--top", 5, check=0)
    out = gecko("query", "--data", tmp_path, "--format", "jsonl", "--columns", "id,ath,atl_change_percentage,name", check=0).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    assert {r["id"] for r in rows} == {f"coin-{i}" for i in range(5)}
    assert all(r["atl_change_percentage"] == 1.9026007997779706e+37 for r in rows)
    csv = gecko("query", "coin-1", "--data", tmp_path, "--format", "csv", "--columns", "id,name", check=0).stdout
    assert csv == 'id,name\ncoin-1,"Coin ""1"" é"\n'
    assert "coin-3" in gecko("query", "--data", tmp_path, check=0).stdout
