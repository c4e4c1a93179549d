# SPDX-License-Identifier: Apache-2.0
"""The paths of geckotape's own API, which the page is made of, against a collector that runs."""
import base64
import datetime
import decimal
import http.client
import json
import time
import urllib.error

import pytest
from gecko import IS_SANITIZED, PATIENCE, Running, clean_env, database, gecko, get, get_stored, records, wait_for


def running(data, *more, env=None):
    return Running("run", "--simulate", "--data", data, "--every", "1s", "--listen", "127.0.0.1:0", *more, env=env)


def market(port, query=""):
    return json.loads(get_stored(port, "/api/market" + query), parse_float=decimal.Decimal, parse_int=decimal.Decimal)


def rows_of(port):
    """Of the market; none while nothing is loaded."""
    try:
        return json.loads(get(port, "/api/market"), parse_float=decimal.Decimal, parse_int=decimal.Decimal)["rows"]
    except urllib.error.HTTPError as error:
        assert error.code in (404, 503)
        return []


def test_the_market_is_what_the_store_has(tmp_path):
    with running(tmp_path, "--coins", "1200", "--top", "700", "--every", "1h", "--api-rate", "100000") as run:
        port = run.port()
        wait_for(lambda: len(rows_of(port)) >= 700, what="first poll")
        answer = market(port, "?vs_currency=usd")
        column = {name: i for i, name in enumerate(answer["columns"])}
        assert [row[column["market_cap_rank"]] for row in answer["rows"]][:3] == [1, 2, 3]
        assert answer["time"] == max(row[column["fetched_at"]] for row in answer["rows"])
        with database(tmp_path) as db:
            stored = db.execute("SELECT id, current_price, fetched_at / 1000 FROM latest JOIN coin USING (coin_id)").fetchall()
        ours = {row[0]: (float(row[column["current_price"]]), int(row[column["fetched_at"]])) for row in answer["rows"]}
        assert ours == {coin: (price, fetched) for coin, price, fetched in stored}
        assert run.stop() == 0


def test_the_market_of_20000_coins_is_one_answer(tmp_path):
    n = 5000 if IS_SANITIZED else 20000  # a question to the store may take 2 s
    with running(tmp_path, "--coins", n, "--all", "--every", "1h", "--api-rate", "100000", "--sink", f"sqlite:{tmp_path}/market.db") as run:
        port = run.port()
        wait_for(lambda: json.loads(get(port, "/api/status"))["sinks"][0]["polls"] > 0, timeout=5 * PATIENCE, what="the sweep")
        assert len(market(port)["rows"]) > 0.95 * n
        assert run.stop() == 0


class Listener:
    """A client of /api/events: what came, by kind."""

    def __init__(self, port, last_id=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self.connection.request("GET", "/api/events", headers={"Last-Event-ID": last_id} if last_id else {})
        self.answer = self.connection.getresponse()
        self.last_id = None
        assert self.answer.status == 200 and self.answer.headers["Content-Type"].startswith("text/event-stream")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.connection.close()

    def event(self):
        """The next one: its kind and data. What only sets an id is none."""
        fields = {}
        for line in iter(self.answer.readline, b""):
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                fields[name] = value
            elif fields:
                self.last_id = fields.get("id", self.last_id)
                if "event" in fields:
                    return fields["event"], json.loads(fields["data"], parse_float=decimal.Decimal)
                fields = {}
        raise AssertionError("the stream has ended")

    def next(self, kind):
        while True:
            name, data = self.event()
            if name == kind:
                return data


def test_events_say_what_the_store_says(tmp_path):
    with running(tmp_path, "--fault", "500:every=2") as run, Listener(run.port()) as listener:
        port = run.port()
        told = [listener.next("poll") for _ in range(4)]
        stored = {poll["slot"]: poll for poll in json.loads(get_stored(port, "/api/polls"))["polls"]}
        assert [poll.pop("latency_ms") >= 0 for poll in told] == [True] * 4
        assert told == [stored[poll["slot"]] for poll in told]
        assert run.stop() == 0


def test_events_keep_a_copy_of_the_market(tmp_path):
    with running(tmp_path, "--speed", "600") as run, Listener(run.port()) as listener:
        port = run.port()
        wait_for(lambda: rows_of(port), what="first poll")
        listener.next("poll")
        whole = market(port)
        fetched_at = whole["columns"].index("fetched_at")
        copy = {row[0]: row for row in whole["rows"]}
        changed = 0
        while changed < 300:
            event = listener.next("market")
            assert event["columns"] == whole["columns"] and event["vs_currency"] == "usd"
            newer = {row[0]: row for row in event["rows"] if row[0] not in copy or row[fetched_at] > copy[row[0]][fetched_at]}
            changed += len(newer)
            copy |= newer
            for coin in event["gone"]:
                copy.pop(coin, None)
        now = {row[0]: row for row in market(port)["rows"]}
        behind = [coin for coin in now if now[coin] != copy.get(coin) and now[coin][fetched_at] <= event["time"]]
        assert not behind
        assert run.stop() == 0


def test_events_resume_or_say_that_they_cannot(tmp_path):
    with running(tmp_path) as run:
        with Listener(run.port()) as listener:
            first = listener.next("poll")
            last_id = listener.last_id
        with Listener(run.port(), last_id) as listener:
            assert listener.next("poll")["slot"] > first["slot"]
        assert run.stop() == 0
    with running(tmp_path) as run, Listener(run.port(), last_id) as listener:
        assert listener.event() == ("reset", {})


def refusal(port, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(port, path)
    return refused.value.code, json.loads(refused.value.read())["error"]


def test_what_is_doubtful_or_missing_is_told(tmp_path):
    with running(tmp_path, "--fault", "duplicate:every=2", "--fault", "bogus:every=3") as run:
        port = run.port()
        refused = wait_for(lambda: rows_of(port) and json.loads(get_stored(port, "/api/quarantine?limit=3"))["quarantine"], what="a refusal")
        record = json.loads(get_stored(port, f"/api/record?stream={refused[0]['stream']}&offset={refused[0]['offset']}"))
        assert record["type"] == "page" and f'"id":"{refused[0]["coin"]}"' in record["body"] and refused[0]["slot"] == record["slot"]
        flags = wait_for(lambda: json.loads(get_stored(port, "/api/quality"))["quality"], what="a flag")
        assert {"job", "slot", "coin", "rule", "detail"} == set(flags[0]) and flags == sorted(flags, key=lambda flag: flag["slot"], reverse=True)
        assert run.stop() == 0
    time.sleep(2.5)  # misses slots
    with running(tmp_path) as run:
        port = run.port()
        wait_for(lambda: json.loads(get_stored(port, "/api/gaps?job=markets-usd"))["gaps"], what="a gap")
        polls = json.loads(get_stored(port, "/api/polls?limit=1000"))["polls"]
        days = json.loads(get_stored(port, "/api/coverage"))["days"]
        assert sum(day["ok"] for day in days) >= sum(poll["outcome"] == "ok" for poll in polls)
        assert sum(day["gaps"] for day in days) >= 1 and sum(day["missed"] for day in days) >= 1
        kept = sum(day["ok"] + day["partial"] + day["failed"] for day in days)
        assert sum(day["promised"] for day in days) <= kept + sum(day["missed"] for day in days)
        assert run.stop() == 0


def test_a_record_is_that_of_the_tape(tmp_path):
    with running(tmp_path, "--fault", "html:every=3") as run:
        port = run.port()
        wait_for(lambda: len(records(tmp_path)) >= 8, what="records")
        on_tape = records(tmp_path)[:8]
        assert run.process.poll() is None
        for head in on_tape:
            query = f"/api/record?stream={head['stream']}&offset={head['offset']}"
            answer = json.loads(get_stored(port, query))
            body = answer.pop("body")
            assert answer == head
            raw = get_stored(port, query + "&raw=1")
            assert raw.decode() == (body or "") and len(raw) == head.get("body_len", 0)
        poll = json.loads(get_stored(port, "/api/polls"))["polls"][0]
        answer = json.loads(get_stored(port, f"/api/record?stream={poll['stream']}&offset={poll['last_offset']}"))
        assert answer["type"] == "end" and answer["job"] == poll["job"] and answer["slot"] == poll["slot"]
        assert json.loads(get_stored(port, "/api/record?stream=markets-usd&offset=1")) == json.loads(get_stored(port, f"/api/record?stream={poll['stream']}&offset=1"))
        assert refusal(port, "/api/record?stream=markets-eur&offset=1") == (404, "stream: the tape here has none of that UUID or job")
        assert refusal(port, "/api/record?stream=markets-usd&offset=999999") == (404, "offset: the tape of job markets-usd does not go so far")
        assert run.stop() == 0


def test_the_line_of_a_coin_is_drawn_from_its_polls(tmp_path):
    with running(tmp_path, "--coins", "50", "--top", "20", "--speed", "600") as run:
        port = run.port()
        wait_for(lambda: len(rows_of(port)) >= 20, what="rows")
        wait_for(lambda: len(json.loads(get_stored(port, "/api/series?id=bitcoin&from=2020-01-01T00:00:00Z&points=5000"))["points"]) >= 1, what="a line")
        wait_for(lambda: len(json.loads(get_stored(port, "/api/series?id=bitcoin&points=5000"))["points"]) >= 3, what="three polls")
        whole = json.loads(get_stored(port, "/api/series?id=bitcoin&points=5000"), parse_float=decimal.Decimal)
        assert whole["columns"] == ["t", "price", "market_cap", "total_volume"] and (whole["id"], whole["vs_currency"]) == ("bitcoin", "usd")
        with database(tmp_path) as db:
            stored = {(fetched, decimal.Decimal(repr(price)) if isinstance(price, float) else price) for fetched, price in db.execute(
                "SELECT fetched_at / 1000, current_price FROM market JOIN coin USING (coin_id) WHERE id = 'bitcoin'")}
        times = [t for t, *_ in whole["points"]]
        assert times == sorted(times) and len(whole["points"]) >= 3 and whole["gaps"] == []
        assert (whole["points"][0][0], whole["points"][0][1]) in stored
        assert whole["from"] <= times[0] <= times[-1] <= whole["until"]
        begin = json.loads(get_stored(port, f"/api/series?id=bitcoin&from={times[0] * 1000 - 10**6}&until={times[1] * 1000 - 1000}"))
        assert [t for t, *_ in begin["points"]] == times[:1]
        assert json.loads(get_stored(port, "/api/series?id=nosuch"))["points"] == []
        assert refusal(port, "/api/series") == (400, "id: which coin? name it as ?id=bitcoin")
        assert refusal(port, "/api/series?id=bitcoin&points=0")[0] == refusal(port, "/api/series?id=bitcoin&from=never")[0] == 400
        all_time = json.loads(get_stored(port, "/api/series?id=bitcoin&from=0001-01-01T00:00:00Z&until=253402300799999999&points=1"))
        assert (all_time["from"], all_time["until"], all_time["points"][0][0]) == (1367107200000, 253402300799999, times[0])
        assert json.loads(get_stored(port, "/api/series?id=bitcoin&from=0001-01-01T00:00:00Z&until=2013-01-01T00:00:00Z"))["points"] == []
        assert refusal(port, f"/api/series?id=bitcoin&from=0001-01-01T00:00:00Z&until={2**63 - 1}")[1].startswith("until: not a time")
        assert refusal(port, "/api/series?id=bitcoin&from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z") == (400, "from: not before until")
        assert run.stop() == 0


def test_every_answer_can_be_of_a_moment(tmp_path):
    def price(query):
        return json.loads(get_stored(port, "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd" + query), parse_float=decimal.Decimal)

    with running(tmp_path, "--coins", "50", "--top", "20", "--speed", "3600") as run:
        port = run.port()
        wait_for(lambda: len(rows_of(port)) >= 20, what="rows")

        def polls():
            with database(tmp_path) as db:
                return db.execute("SELECT finished, current_price FROM poll JOIN market USING (job_id, slot) JOIN coin USING (coin_id) "
                                  "WHERE id = 'bitcoin' ORDER BY finished").fetchall()

        finished, value = wait_for(lambda: len(polls()) >= 3 and polls(), what="polls in the store")[0]
        at = datetime.datetime.fromtimestamp(finished / 10**6, datetime.timezone.utc) + datetime.timedelta(microseconds=1)
        then = f"&at={at:%Y-%m-%dT%H:%M:%S.%fZ}"
        want = decimal.Decimal(repr(value)) if isinstance(value, float) else value
        assert price(then) == {"bitcoin": {"usd": want}}
        rows = json.loads(get_stored(port, "/api/v3/coins/markets?vs_currency=usd" + then), parse_float=decimal.Decimal)
        assert len(rows) == 20 and [row["current_price"] for row in rows if row["id"] == "bitcoin"] == [want]
        chart = json.loads(get_stored(port, "/api/v3/coins/bitcoin/market_chart?vs_currency=usd&days=1" + then), parse_float=decimal.Decimal)
        assert [p for _, p in chart["prices"]] == [want]
        assert price("&at=-30d") == {} and refusal(port, "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd&at=2999-01-01")[0] == 400
        assert refusal(port, "/api/v3/coins/list?at=soon")[1].startswith("at: not a time")
        shown = gecko("query", "bitcoin", "--at", f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", "--from", f"sqlite:{tmp_path}/market.db", "--format", "json",
                      "--columns", "id,current_price", check=0).stdout
        assert json.loads(shown, parse_float=decimal.Decimal) == [{"id": "bitcoin", "current_price": want}]
        assert run.stop() == 0


def test_reading_takes_what_was_configured(tmp_path):
    login = tmp_path / "login"
    login.write_text("me:a-password\n")
    with running(tmp_path / "data", env=clean_env(GECKOTAPE_HTTP_LOGIN_FILE=str(login), GECKOTAPE_HTTP_READ_TOKEN="a-token-of-16-bytes")) as run:
        port = run.port()
        assert refusal(port, "/api/status") == (401, "reading needs a token or a login here; send \"Authorization: Bearer TOKEN\" with the token of "
                                                     "GECKOTAPE_HTTP_READ_TOKEN, or the user and password of GECKOTAPE_HTTP_LOGIN")
        basic = base64.b64encode(b"me:a-password").decode()
        for authorization in (f"Basic {basic}", "Bearer a-token-of-16-bytes"):
            assert json.loads(get(port, "/api/status", {"Authorization": authorization}))["name"] == "geckotape"
        assert get(port, "/healthz") == b"OK"
        assert "a-password" not in run.read() and basic not in run.read()
        assert run.stop() == 0
