# SPDX-License-Identifier: Apache-2.0
"""--upstream: what is not here, or not fresh enough, is fetched once for all who ask, under the one limit of calls, kept on the tape first,
and served as it came; stale, with its age, when there can be no call."""
import collections
import concurrent.futures
import contextlib
import http.client
import http.server
import json
import re
import signal
import sqlite3
import threading
import time
import urllib.parse

import pytest
from gecko import Running, clean_env, gecko, get, market_body, records, wait_for
from oracle import read_time

KEY = "CG-0123456789abcdefghij"


class Api(http.server.ThreadingHTTPServer):
    """The API, and what it was asked for. `answer` maps a path to (status, headers, body); a body may be a function of how often it was
    asked for. With `gate` cleared, answers wait."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls, self.headers, self.lock = [], [], threading.Lock()
        self.answers, self.gate, self.refusal, self.is_down = {}, threading.Event(), None, False
        self.gate.set()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/api/v3"

    def asked(self, text=""):
        with self.lock:
            return [path for path, _ in self.calls if text in path]

    def times(self):
        with self.lock:
            return [at for _, at in self.calls]

    def __exit__(self, *exc):
        self.gate.set()
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        api, path = self.server, self.path.removeprefix("/api/v3")
        with api.lock:
            api.calls.append((path, time.monotonic()))
            api.headers.append(dict(self.headers))
            n = sum(path == other for other, _ in api.calls)
        api.gate.wait(60)
        if api.is_down:
            self.close_connection = True
            return
        name = path.split("?")[0]
        status, headers, body = api.refusal or api.answers.get(name) or (404, {}, b'{"error":"coin not found"}')
        body = body(n) if callable(body) else body
        with contextlib.suppress(OSError):
            self.send_response(status)
            for key, value in {"Content-Type": "application/json; charset=utf-8", **headers}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


Answer = collections.namedtuple("Answer", "status headers body")


def ask(port, path, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", f"/api/v3{path}", headers={key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        return Answer(answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


@contextlib.contextmanager
def served(api, place, *options, env=None):
    """serve --upstream, nothing else."""
    with Running("serve", "--upstream", "--data", place / "data", "--api-url", api.url, "--api-rate", 6000, "--listen", "127.0.0.1:0", *options,
                 env=env) as run:
        yield run, run.port()


@pytest.fixture
def api():
    with Api() as made:
        made.answers["/simple/price"] = 200, {}, lambda n: b'{"bitcoin": {"usd": %d.50e0}}\n' % n
        yield made


PRICE = "/simple/price?ids=bitcoin&vs_currencies=usd"


# ---- what is served ----


def test_answers_are_upstreams_byte_for_byte_and_on_the_tape(api, tmp_path):
    bodies = {"/coins/bitcoin": b'{"id":"bitcoin","price":1.10e-05,\n "n":null}', "/coins/bitcoin/market_chart": b"[[1,2.0],[3,4]]",
              "/exchanges": b'[ {"id":"binance"} ]', "/coins/markets": b"[]", "/global": b'{"data":{"x":1.000}}',
              "/coins/caf\u00e9 au/history".encode().decode(): b'{"id":"caf\\u00e9"}', "/coins/list": b"[" + b'{"id":"x"},' * 60000 + b'{"id":"y"}]'}
    for path, body in bodies.items():
        api.answers[urllib.parse.quote(path)] = 200, {"total": "600", "per-page": "100"}, body
    with served(api, tmp_path) as (run, port):
        for path, body in bodies.items():
            got = ask(port, urllib.parse.quote(path))
            assert (got.status, got.body) == (200, body), path
            assert (got.headers["total"], got.headers["per-page"]) == ("600", "100") and int(got.headers["age"]) < 60
            assert "warning" not in got.headers
        assert run.stop() == 0
    assert len(api.asked()) == len(bodies)
    pages = [r for r in records(tmp_path / "data") if r["type"] == "page"]
    assert [page["target"] for page in pages] == ["/api/v3" + path for path in api.asked()]
    assert {(page["job"], page["endpoint"]) for page in pages} == {("upstream", "upstream")}
    for page, body in zip(pages, bodies.values(), strict=True):
        offset = page["offset"]
        assert gecko("tape", "cat", "--data", tmp_path / "data", "--first", offset, "--last", offset, check=0).stdout == body.decode() + "\n"


def test_the_key_is_ours_and_callers_send_none_of_theirs(api, tmp_path):
    api.answers["/ping"] = 200, {}, b'{"gecko_says":"(V3) To the Moon!"}'
    api.answers["/coins/echo"] = 200, {}, b'{"you sent":"' + KEY.encode() + b'"}'
    env = clean_env(GECKOTAPE_API_KEY=KEY)
    with served(api, tmp_path, "--api-plan", "demo", env=env) as (run, port):
        got = ask(port, PRICE + "&x_cg_demo_api_key=CG-of-the-caller&foo=1&precision=", x_cg_demo_api_key="CG-of-the-caller", Cookie="a=b",
                  Authorization="Bearer t")
        assert got.status == 200 and api.asked("simple") == ["/simple/price?vs_currencies=usd&ids=bitcoin"]
        echoed = ask(port, "/coins/echo").body
        assert echoed == b'{"you sent":"' + b"*" * len(KEY) + b'"}'
        assert b"CG-" not in ask(port, "/key").body
        assert run.stop() == 0
    sent = json.dumps(api.headers[-2:])
    assert sent.count(KEY) == 2 and "of-the-caller" not in sent and "a=b" not in sent and "Bearer" not in sent
    assert KEY not in run.output and KEY not in gecko("tape", "cat", "--headers", "--data", tmp_path / "data").stdout


@pytest.mark.parametrize("path,status", [
    ("/key", 404), ("/ping", 200), ("/nothing", 404), ("/coins/..", 501), ("/coins/%2e%2e/key", 404), ("/coins/a%2Fb", 404), ("/coins/.", 501),
    ("//coins/list", 404), ("/coins/bitcoin/../../key", 404), ("/coins/%0d%0aX:%20y", 501), ("/coins/x?at=-1d", 501),
])
def test_nothing_but_coingeckos_own_paths_is_asked_for(api, tmp_path, path, status):
    with served(api, tmp_path) as (_, port):
        assert ask(port, path).status == status
        assert ask(port, "/coins/x?" + "&".join(f"p{n}=1" for n in range(50))).status == 404  # asked for; all parameters are left out
    assert api.asked() == ["/coins/x"]


def test_what_is_too_long_is_refused_here(api, tmp_path):
    with served(api, tmp_path) as (_, port):
        got = ask(port, "/simple/price?vs_currencies=usd&ids=" + ",".join(f"coin-{n}" for n in range(300)))
        assert (got.status, api.asked()) == (414, [])


def test_an_error_is_upstreams_own_and_is_not_asked_for_again(api, tmp_path):
    api.answers["/coins/paid"] = 401, {}, b'{"status":{"error_code":10005,"error_message":"PRO only"}}'
    api.answers["/coins/page"] = 403, {"Content-Type": "text/html"}, b"<html><script>alert(1)</script></html>"
    with served(api, tmp_path) as (_, port):
        for _ in range(3):
            got = ask(port, "/coins/nix")
            assert (got.status, got.body) == (404, b'{"error":"coin not found"}')
        assert ask(port, "/coins/paid")[::2] == (401, api.answers["/coins/paid"][2])
        got = ask(port, "/coins/page")
        assert (got.status, got.body, got.headers["content-type"]) == (403, api.answers["/coins/page"][2], "text/plain; charset=utf-8")
    assert len(api.asked("nix")) == 1


def test_a_page_that_calls_itself_200_is_no_answer(api, tmp_path):
    api.answers["/coins/portal"] = 200, {"Content-Type": "text/html"}, b"<html>Log in to the network</html>"
    api.answers["/coins/sorry"] = 200, {}, b'{"status":{"error_code":10005,"error_message":"PRO only"}}'
    with served(api, tmp_path) as (_, port):
        for path in ("/coins/portal", "/coins/sorry"):
            got = ask(port, path)
            assert got.status == 502 and b"no answer from the API" in got.body, path


# ---- how fresh ----


def test_an_answer_is_given_again_for_as_long_as_the_caller_accepts(api, tmp_path):
    with served(api, tmp_path, "--upstream-max-age", "1h") as (_, port):
        first = ask(port, PRICE)
        assert [ask(port, PRICE).body for _ in range(3)] == [first.body] * 3
        assert ask(port, PRICE, If_None_Match=first.headers["etag"]).status == 304
        assert ask(port, PRICE, Cache_Control="max-age=600").body == first.body
        assert ask(port, PRICE, Cache_Control="only-if-cached").body == first.body
        assert ask(port, PRICE, Cache_Control="max-age=0").body == b'{"bitcoin": {"usd": 2.50e0}}\n'
        assert ask(port, PRICE, Cache_Control="No-Cache").body == b'{"bitcoin": {"usd": 3.50e0}}\n'
        assert ask(port, PRICE).body == b'{"bitcoin": {"usd": 3.50e0}}\n'
        assert ask(port, "/coins/other", Cache_Control="only-if-cached").status in (501, 504)
    assert len(api.asked()) == 3


def test_what_upstream_calls_fresh_is_not_asked_for_again(api, tmp_path):
    api.answers["/coins/a"] = 200, {"Cache-Control": "max-age=600, public"}, lambda n: b'{"n":%d}' % n
    api.answers["/coins/b"] = 200, {"Cache-Control": "max-age=600, public", "Age": "700"}, lambda n: b'{"n":%d}' % n
    with served(api, tmp_path) as (_, port):
        assert [ask(port, "/coins/a", Cache_Control="max-age=0").body for _ in range(3)] == [b'{"n":1}'] * 3
        got = ask(port, "/coins/b")
        assert got.body == b'{"n":1}' and int(got.headers["age"]) >= 700
        assert ask(port, "/coins/b").body == b'{"n":2}'


def test_equal_requests_share_one_call(api, tmp_path):
    api.gate.clear()
    with served(api, tmp_path) as (_, port), concurrent.futures.ThreadPoolExecutor(40) as pool:
        same = [pool.submit(ask, port, PRICE) for _ in range(20)]
        turned = [pool.submit(ask, port, "/simple/price?vs_currencies=usd&ids=bitcoin&x=y") for _ in range(20)]
        wait_for(api.asked, what="call")
        time.sleep(0.2)
        api.gate.set()
        assert {one.result() [::2] for one in same + turned} == {(200, b'{"bitcoin": {"usd": 1.50e0}}\n')}
    assert len(api.asked()) == 1


# ---- the limit, and trouble ----


def test_no_call_is_made_beyond_the_limit(api, tmp_path):
    for n in range(12):
        api.answers[f"/coins/c{n}"] = 200, {}, b'{"n":%d}' % n
    with served(api, tmp_path, "--api-rate", 240) as (_, port), concurrent.futures.ThreadPoolExecutor(12) as pool:
        got = [one.result() for one in [pool.submit(ask, port, f"/coins/c{n}") for n in range(12)]]
    assert [one[::2] for one in got] == [(200, b'{"n":%d}' % n) for n in range(12)]
    begun = [r["slot_us"] for r in records(tmp_path / "data") if r["type"] == "end"]
    assert len(begun) == len(api.asked()) == 12 and min(b - a for a, b in zip(begun, begun[1:])) > 245_000, begun


def test_a_refusal_is_answered_with_what_is_there_and_asks_for_nothing_more(api, tmp_path):
    body = b'{"status":{"error_code":429,"error_message":"You\'ve exceeded the Rate Limit."}}'
    with served(api, tmp_path, "--upstream-max-age", "0s") as (run, port):
        first = ask(port, PRICE)
        api.refusal = 429, {"Retry-After": "3600"}, body
        for _ in range(3):
            got = ask(port, PRICE)
            assert (got.status, got.body) == (200, first.body)
            assert got.headers["warning"] == '110 geckotape "Response is Stale"' and "age" in got.headers
        assert len(api.asked()) == 2
        other = ask(port, "/coins/other")
        assert other.status == 429 and int(other.headers["retry-after"]) > 500, other
        assert b"Rate Limit" in other.body and len(api.asked()) == 2
        run.expect("what callers ask for cannot be fetched")


def test_who_is_told_to_wait_is_told_anew_for_how_long(api, tmp_path):
    with served(api, tmp_path) as (_, port):
        api.refusal = 429, {"Retry-After": "120"}, b"{}"
        first = ask(port, PRICE)
        assert (first.status, first.body) == (429, b"{}") and 110 <= int(first.headers["retry-after"]) <= 120
        wait_for(lambda: int(ask(port, PRICE).headers["retry-after"]) <= int(first.headers["retry-after"]) - 4, what="a shorter wait")
        assert len(api.asked()) == 1


def test_a_budget_that_is_spent_is_told_and_costs_no_room_on_the_tape(api, tmp_path):
    with served(api, tmp_path, "--api-budget", 1) as (run, port):
        first = ask(port, PRICE)
        for n in range(20):
            got = ask(port, f"/coins/c{n}")
            assert got.status == 429 and b"the budget of 1 calls" in got.body, got
            assert 0 < int(got.headers["retry-after"]) <= 3600
        got = ask(port, PRICE, Cache_Control="max-age=0")
        assert got[::2] == first[::2] and "Stale" in got.headers["warning"]
        assert run.stop() == 0
    assert len(api.asked()) == 1
    assert [(r["type"], r.get("outcome")) for r in records(tmp_path / "data")] == [("page", None), ("end", "ok")]


def spent(port):
    return json.loads(get(port, "/api/status"))["budget"]["own"]


def test_the_budget_is_counted_over_restarts_and_each_kill_is_charged_once(api, tmp_path):
    budget = ["--api-budget", 5, "--api-budget-day", 15]
    with served(api, tmp_path, *budget) as (run, port):
        status = json.loads(get(port, "/api/status"))["budget"]
        assert status["calls"] == 5 and status["own"] == 0 and status["from"][8:13] == status["until"][8:13] == "15T00"
        assert ask(port, PRICE).status == 200 and ask(port, "/coins/none").status == 404
        wait_for(lambda: spent(port) == 1, what="the count")
        run.kill()
    for _ in range(2):
        with served(api, tmp_path, *budget) as (run, port):
            assert spent(port) == 2
            assert run.stop() == 0
    charge = [r for r in records(tmp_path / "data") if r["type"] == "end"][-1]
    assert charge["outcome"] == "aborted" and charge["credits_spent"] == 2 and "charged" in charge["error"]
    with served(api, tmp_path, *budget) as (run, port):
        statuses = [ask(port, PRICE, Cache_Control="max-age=0").status for _ in range(5)]
        assert statuses == [200] * 5
        wait_for(lambda: spent(port) == 5, what="the count")
        assert run.stop() == 0
    assert len(api.asked("/simple/price")) == 1 + 3


def test_a_budget_that_is_no_number_is_refused(api, tmp_path):
    refused = gecko("serve", "--upstream", "--data", tmp_path / "data", "--api-url", api.url, "--api-budget", "10k", check=2).stderr
    assert '--api-budget: "10k" is not a number of calls' in refused


def test_the_simulators_limit_is_never_hit(tmp_path):
    """Real limits: 30 calls a minute, of which many callers want more."""
    with Running("simulate", "--listen", "127.0.0.1:0", "--coins", 60, "--limit", 30) as sim:
        url = f"http://127.0.0.1:{sim.port()}/api/v3"
        with Running("serve", "--upstream", "--data", tmp_path / "data", "--api-url", url, "--api-rate", 30, "--listen", "127.0.0.1:0") as run, \
                concurrent.futures.ThreadPoolExecutor(30) as pool:
            port = run.port()
            ids = [coin["id"] for coin in json.loads(ask(int(url.split(":")[2].split("/")[0]), "/coins/markets?vs_currency=usd&per_page=50", User_Agent="x").body)]
            got = [one.result() for one in [pool.submit(ask, port, f"/coins/{key}") for key in ids[:40]]]
            assert run.stop() == 0
    statuses = collections.Counter(one.status for one in got)
    assert set(statuses) == {200, 429} and statuses[200] >= 5, statuses
    assert all(int(one.headers["retry-after"]) >= 1 for one in got if one.status == 429)
    pages = [r for r in records(tmp_path / "data") if r["type"] == "page"]
    assert {page["status"] for page in pages} == {200} and len(pages) == statuses[200]


def test_an_outage_is_answered_with_what_is_there(api, tmp_path):
    with served(api, tmp_path, "--upstream-max-age", "0s", "--api-timeout", "2s") as (run, port):
        first = ask(port, PRICE)
        api.refusal = 503, {}, b"<html>down</html>"
        got = ask(port, PRICE)
        assert got[::2] == first[::2] and "Stale" in got.headers["warning"]
        got = ask(port, "/coins/never")
        assert got[::2] == (503, b"<html>down</html>")
        api.refusal = None
        wait_for(lambda: "warning" not in ask(port, PRICE).headers, what="a fresh answer")
        run.expect("what callers ask for is fetched again")
        api.is_down = True
        got = ask(port, "/coins/other")
        assert got.status == 502 and b"no answer from the API" in got.body
        assert ask(port, PRICE).status == 200


def test_many_different_requests_are_bounded(api, tmp_path):
    api.gate.clear()
    with served(api, tmp_path) as (_, port), concurrent.futures.ThreadPoolExecutor(60) as pool:
        all_of_them = [pool.submit(ask, port, f"/coins/c{n}") for n in range(60)]
        wait_for(lambda: sum(one.done() for one in all_of_them) >= 60 - 33, what="refusals")
        got = [one.result() for one in all_of_them if one.done()]
        assert {one.status for one in got} == {429} and all("retry-after" in one.headers for one in got)
        assert ask(port, "/ping").status == 200
        api.gate.set()
        assert collections.Counter(one.result().status for one in all_of_them) == {404: 33, 429: 27}


# ---- stops and kills ----


def test_a_kill_in_mid_fetch_leaves_a_whole_tape(api, tmp_path):
    with served(api, tmp_path) as (run, port):
        assert ask(port, PRICE).status == 200
        api.gate.clear()
        threading.Thread(target=lambda: contextlib.suppress(Exception).__enter__() or ask_quietly(port, "/coins/x"), daemon=True).start()
        wait_for(lambda: api.asked("/coins/x"), what="call")
        run.kill()
    api.gate.set()
    assert "ok: 2 records" in gecko("tape", "verify", "--deep", "--data", tmp_path / "data", check=0).stdout
    api.answers["/coins/x"] = 200, {}, b'{"x":1}'
    with served(api, tmp_path) as (run, port):
        assert ask(port, "/coins/x").body == b'{"x":1}'
        assert run.stop() == 0
    ends = [r["outcome"] for r in records(tmp_path / "data") if r["type"] == "end"]
    assert ends == ["ok", "ok"]


def ask_quietly(port, path):
    with contextlib.suppress(OSError, http.client.HTTPException):
        return ask(port, path)


def test_a_stop_answers_who_waits(api, tmp_path):
    api.gate.clear()
    with served(api, tmp_path) as (run, port), concurrent.futures.ThreadPoolExecutor(2) as pool:
        waits = [pool.submit(ask_quietly, port, path) for path in ("/coins/x", "/coins/y")]
        wait_for(api.asked, what="call")
        begin = time.monotonic()
        assert run.stop() == 0
        assert time.monotonic() - begin < 10
        for one in waits:
            assert one.result() is None or one.result().status == 503
    assert [r["outcome"] for r in records(tmp_path / "data") if r["type"] == "end"] == ["aborted"]


def test_one_process_has_the_tape(api, tmp_path):
    with served(api, tmp_path) as (run, _):
        done = gecko("serve", "--upstream", "--data", tmp_path / "data", "--api-url", api.url, "--listen", "127.0.0.1:0", check=75)
        assert f"process {run.process.pid}" in done.stderr and "give --upstream to the collector" in done.stderr
    done = gecko("serve", "--upstream", "--from", f"sqlite:{tmp_path}/m.db", "--at", "-1d", "--data", tmp_path / "data", check=2)
    assert "--upstream: the API knows only the present" in done.stderr


# ---- beside jobs ----


@contextlib.contextmanager
def collecting(api, place, *options):
    with Running("run", "--upstream", "--data", place / "data", "--api-url", api.url, "--listen", "127.0.0.1:0", "--sink",
                 f"sqlite:{place}/market.db", "--log-level", "debug", *options) as run:
        port = run.port()
        wait_for(lambda: ask(port, "/simple/supported_vs_currencies", Cache_Control="only-if-cached").body == b'["usd"]', what="rows")
        yield run, port


def test_what_is_here_and_fresh_takes_no_call(api, tmp_path):
    coins = [{**coin, "market_cap": 10**9 - coin["market_cap_rank"]} for coin in json.loads(market_body(50))]
    ids = [coin["id"] for coin in coins]
    api.answers["/coins/markets"] = 200, {}, json.dumps(coins).encode()
    with collecting(api, tmp_path, "--top", 50, "--every", "1h", "--api-rate", 6000, "--upstream-max-age", "10m") as (run, port):
        for path in (f"/simple/price?ids={ids[0]},{ids[7]}&vs_currencies=usd", f"/coins/markets?vs_currency=usd&ids={ids[3]}",
                     "/coins/markets?vs_currency=usd&per_page=50&page=1", "/simple/price?vs_currencies=usd"):
            assert ask(port, path).status == (422 if path.endswith("currencies=usd") and "ids" not in path else 200)
        assert len(api.asked()) == 1
        got = ask(port, f"/simple/price?ids={ids[0]},unknown&vs_currencies=usd")  # a coin that is not here
        assert got.body == b'{"bitcoin": {"usd": 1.50e0}}\n' and len(api.asked("simple")) == 1
        ask(port, f"/simple/price?ids={ids[0]}&vs_currencies=usd,eur")  # a currency that is not
        assert len(api.asked("simple")) == 2
        ask(port, f"/simple/price?ids={ids[1]}&vs_currencies=usd", Cache_Control="max-age=0")
        assert len(api.asked("simple")) == 3
        ask(port, "/coins/markets?vs_currency=usd&per_page=50&page=2")
        assert len(api.asked("markets")) == 2
        api.refusal = 500, {}, b"{}"
        got = ask(port, f"/simple/price?ids={ids[2]}&vs_currencies=usd", Cache_Control="max-age=0")
        assert got.status == 200 and "warning" in got.headers and ids[2].encode() in got.body
        for _ in range(5):
            ask(port, "/coins/nix")
        ready = http.client.HTTPConnection("127.0.0.1", port)
        ready.request("GET", "/readyz")
        assert ready.getresponse().status == 200  # callers' mistakes are none of the collector's
        wait_for(lambda: sqlite3.connect(tmp_path / "market.db").execute(
            "select count(*) from poll join job using (job_id) where name = 'upstream'").fetchone()[0] >= 6, what="polls in the store")
        assert run.stop() == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "market.db")) as db:
        assert db.execute("select count(*) from quarantine").fetchone() == (0,)
        assert db.execute("select distinct loaded, rows_in from poll join job using (job_id) "
                          "where name = 'upstream'").fetchall() == [("none", 0)]
    assert "transform" not in run.output


def test_polls_of_jobs_go_first(api, tmp_path):
    """A call each half second, a poll every 3 s: callers get what is left, and no poll is late or left out."""
    api.answers["/coins/markets"] = 200, {}, market_body(5)
    with collecting(api, tmp_path, "--top", 5, "--every", "3s", "--api-rate", 120) as (run, port), \
            concurrent.futures.ThreadPoolExecutor(16) as pool:
        stop = time.monotonic() + 9
        done = list(pool.map(lambda n: time.monotonic() < stop and ask(port, f"/coins/c{n}").status, range(400)))
        polls = wait_for(lambda: (n := len(api.asked("markets"))) >= 4 and n, what="polls")
        assert run.stop() == 0
    assert polls >= 4 and done.count(404) >= 6, (polls, collections.Counter(done))
    times = api.times()
    assert len(times) <= (times[-1] - times[0]) / 0.5 + 2
    ends = [r for r in records(tmp_path / "data") if r["type"] == "end" and r["job"] != "upstream"]
    slots = [end["slot_us"] // 3_000_000 for end in ends if end["outcome"] == "ok"]
    assert slots == list(range(slots[0], slots[0] + len(slots))), slots
    late = [read_time(end["finished"]) - end["slot_us"] for end in ends[1:]]
    assert max(late) < 2_900_000, late


def test_metrics_and_status_tell_of_it(api, tmp_path):
    with served(api, tmp_path) as (run, port):
        ask(port, PRICE)
        ask(port, PRICE)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        assert re.search(r'geckotape_requests_total\{job="upstream",class="ok"\} 1\n', text), text
        assert 'upstream_answers_total{from="fetched"} 1\n' in text and 'upstream_answers_total{from="kept"} 1\n' in text
        assert run.stop(signal.SIGINT) == 0
