# SPDX-License-Identifier: Apache-2.0
"""Alerts: what fires on which polls, against rules written anew here; that each is delivered at least once, whatever is
killed or unreachable; that nobody else waits for it; and that no secret of a channel is told."""
import contextlib
import datetime
import fractions
import http.server
import json
import os
import random
import re
import signal
import socketserver
import sqlite3
import subprocess
import threading
import time

import pytest
from gecko import Running, clean_env, gecko, get, records, wait_for
from server import Answer, PlainServer

MADE_TAPE = os.environ["GECKOTAPE_MADE_TAPE"]
T0 = 1795442400  # 2026-11-23T14:00:00Z
SECRET = "s3cr3t-path"


def iso(us):
    at = datetime.datetime(1970, 1, 1) + datetime.timedelta(microseconds=us)
    return at.strftime("%Y-%m-%dT%H:%M:%S" + (".%f" if us % 10**6 else "") + "Z")


def row(coin, updated="2026-11-23T14:00:00.000Z", **values):
    values = {"current_price": "1", **values}
    return f'{{"id":"{coin}","symbol":"{coin[:3]}","name":"{coin}","last_updated":"{updated}",' + ",".join(
        f'"{name}":{text}' for name, text in values.items()) + "}"


# ---- what fires ----


class Market:
    """Polls at odd times, with a coin that is missing, null, or has a price of many digits."""

    def __init__(self, seed, n=400):
        dice = random.Random(seed)
        self.polls = []
        at, price = T0 * 10**6, fractions.Fraction(60000)
        for _ in range(n):
            at += dice.choice([1, 30, 30, 30, 30, 31, 90, 600]) * 10**6
            price = max(price * fractions.Fraction(dice.randint(960, 1042), 1000), fractions.Fraction(1, 10**9))
            digits = dice.choice([0, 2, 8, 12])
            text = f"{round(price * 10**digits)}e-{digits}" if dice.random() < .5 else str(round(price * 100) / 100)
            outcome = dice.choices(["ok", "partial", "failed", "aborted"], [90, 4, 5, 1])[0]
            kind = dice.choices(["there", "null", "absent"], [90, 5, 5])[0] if outcome in ("ok", "partial") else "absent"
            self.polls.append({"at": at, "outcome": outcome, "kind": kind, "text": text, "rank": dice.randint(1, 5),
                               "updated": at // 10**6 - dice.choice([0, 5, 40, 300])})

    def write(self, tmp_path):
        lines = []
        for i, p in enumerate(self.polls):
            file = tmp_path / f"body-{i}"
            coin = row("bitcoin", iso(p["updated"] * 10**6).replace("Z", ".000Z"),
                       current_price=p["text"] if p["kind"] == "there" else "null", market_cap_rank=p["rank"])
            file.write_text("[" + ",".join([row("other")] + ([] if p["kind"] == "absent" else [coin])) + "]")
            pages = {"ok": f" {file}", "partial": f" {file} -", "failed": "", "aborted": ""}[p["outcome"]]
            lines.append(f"{p['at']}:0 {p['outcome']}{pages}\n")
        subprocess.run([MADE_TAPE, tmp_path / "data", "markets-usd", "coins/markets"], input="".join(lines), text=True, check=True)


COMPARE = {"<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b}
UNITS = {"s": 1, "m": 60, "h": 3600}


def span(text):
    return int(text[:-1]) * UNITS[text[-1]] * 10**6


def expected(polls, kind, op, limit, over=0, hold=0):
    """When a rule fires: written for itself, with fractions."""
    fired, since, done, values, newest = [], None, False, [], None
    for p in polls:
        if p["outcome"] == "aborted":
            continue
        value = fractions.Fraction(p["text"]) if p["kind"] == "there" else None
        if kind == "rank":
            value = p["rank"] if p["kind"] != "absent" else None
        is_true = None
        if kind == "stale":
            if p["kind"] != "absent":
                newest = max(newest or 0, p["updated"] * 10**6)
            if newest is not None:
                is_true = p["at"] - newest > limit
        elif kind == "change":
            before = [v for at, v in values if at <= p["at"] - over]
            is_near = [at for at, v in values if at <= p["at"] - over] and max(
                at for at, v in values if at <= p["at"] - over) >= p["at"] - 2 * over
            if value is not None and before and is_near:
                is_true = COMPARE[op]((value - before[-1]) / before[-1] * 100, limit)
            if value is not None and (not values or p["at"] >= values[-1][0] + over // 1000):
                values.append((p["at"], value))
        elif value is not None:
            is_true = COMPARE[op](value, limit)
        if is_true is None:
            continue
        if not is_true:
            since, done = None, False
            continue
        since = p["at"] if since is None else since
        if not done and p["at"] - since >= hold:
            done = True
            fired.append(iso(p["at"]))
    return fired


RULES = [
    ("bitcoin.current_price < 60000", ("price", "<", fractions.Fraction(60000))),
    ("bitcoin.price >= 60000.5 for 2m", ("price", ">=", fractions.Fraction("60000.5"), 0, span("2m"))),
    ("bitcoin.current_price > 6.1e4 for 10m", ("price", ">", fractions.Fraction(61000), 0, span("10m"))),
    ("bitcoin.price change 1m > 1%", ("change", ">", fractions.Fraction(1), span("1m"))),
    ("bitcoin.price change 1h <= -5.25% for 1m", ("change", "<=", fractions.Fraction("-5.25"), span("1h"), span("1m"))),
    ("bitcoin.current_price change 10m < -0.000001%", ("change", "<", fractions.Fraction("-0.000001"), span("10m"))),
    ("bitcoin.rank > 3", ("rank", ">", 3)),
    ("bitcoin.rank <= 2 for 30s", ("rank", "<=", 2, 0, span("30s"))),
    ("bitcoin stale > 5m", ("stale", ">", span("5m"))),
    ("bitcoin stale > 40s for 1m", ("stale", ">", span("40s"), 0, span("1m"))),
]


def tried(data, *rules, since="2026-11-01", more=()):
    """Of each rule, when it would have fired."""
    args = [a for rule in rules for a in ("--alert", f"{rule} to https://example.invalid/{SECRET}")]
    out = gecko("alerts", "test", "--data", data, "--since", since, *args, *more, check=0).stdout
    assert SECRET not in out
    found = {}
    for line in out.splitlines():
        head = re.match(r"(.*), job .*: would have fired (\d+) times? in (\d+) polls?$", line)
        if head:
            found[head[1]] = times = []
            found["n " + head[1]] = int(head[2])
        else:
            times.append(line.split()[0])
    for rule in rules:
        assert found.pop("n " + rule) == len(found[rule])
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_rule_fires_as_one_that_is_written_for_itself(tmp_path, seed):
    market = Market(seed)
    market.write(tmp_path)
    found = tried(tmp_path / "data", *[rule for rule, _ in RULES])
    n = 0
    for rule, args in RULES:
        assert found[rule] == expected(market.polls, *args), rule
        n += len(found[rule])
    assert n > 30


def test_a_test_from_the_middle_knows_what_a_change_compares_with(tmp_path):
    market = Market(7)
    market.write(tmp_path)
    middle = market.polls[200]["at"]
    rule, args = RULES[4]
    found = tried(tmp_path / "data", rule, since=iso(middle))[rule]
    whole = expected(market.polls, *args)
    # a condition that holds at the beginning counts from there; all later ones are the same
    assert [at for at in found if at in whole] == [at for at in whole if at >= iso(middle)][-len(found):] and found


def test_a_gap_is_a_promise_that_was_not_kept(tmp_path):
    """Of polls that come when they were promised there is none; of each that is late there is one."""
    body = tmp_path / "body"
    body.write_text("[" + row("bitcoin") + "]")
    data = tmp_path / "data"
    with PlainServer(lambda request: Answer(body=body.read_bytes())) as api:
        args = ["--api-url", api.url, "--data", data, "--every", "1s", "--api-rate", 100000, "--listen", "none", "--sink", "null:"]
        for _ in range(2):
            with Running("run", *args) as run:
                wait_for(lambda: run.read() and n_ends(data) >= 3, what="polls")
                n = n_ends(data)
                run.stop()
            time.sleep(2.5)
        with Running("run", *args) as run:
            wait_for(lambda: n_ends(data) > n + 2, what="polls again")
            run.stop()
    found = tried(data, "gap of job markets-usd", "gap of job markets-usd > 1h", since="-1h")
    assert len(found["gap of job markets-usd"]) == 2 and found["gap of job markets-usd > 1h"] == []


def n_ends(data):
    return sum(r["type"] == "end" for r in records(data)) if (data / "tape").exists() else 0


# ---- receivers ----


class Webhook:
    """Remembers what it was sent; answers with `status`, after `delay`; with 400 what holds `refused`."""

    def __init__(self):
        self.refused, self.asked = None, 0
        self.status, self.delay, self.got, self.paths, self.headers = 200, 0, [], [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.asked += 1
                time.sleep(outer.delay)
                status = 400 if outer.refused and outer.refused in body else outer.status
                if status == 200:
                    outer.got.append(body)
                    outer.paths.append(self.path)
                    outer.headers.append(dict(self.headers))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                with contextlib.suppress(OSError):
                    self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = f"http://{self.host}/{SECRET}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()

    def told(self):
        return [json.loads(body) for body in self.got]


class Prices:
    """An API of one coin whose price is what `price` says."""

    def __init__(self, price="70000", simulated=False):
        self.price, self.simulated = price, simulated
        self.api = PlainServer(self.answer)

    def answer(self, _request):
        now = iso(int(time.time()) * 10**6).replace("Z", ".000Z")
        return Answer(body=f"[{row('bitcoin', now, current_price=self.price)}]".encode(),
                      headers={"x-simulated": "1"} if self.simulated else {})

    def __enter__(self):
        self.api.__enter__()
        return self

    def __exit__(self, *exc):
        self.api.__exit__(*exc)

    def options(self, tmp_path, *rules, every="1s"):
        return ["--api-url", self.api.url, "--data", tmp_path / "data", "--every", every, "--api-rate", 100000,
                "--sink", f"sqlite:{tmp_path}/data/market.db", "--listen", "127.0.0.1:0",
                *[a for rule in rules for a in ("--alert", rule)]]


def metric(port, name):
    found = re.findall(rf"^geckotape_{name}{{.*}} (\S+)$", get(port, "/metrics").decode(), re.MULTILINE)
    return sum(map(float, found))


def outbox(tmp_path):
    path = tmp_path / "data" / "alerts.db"
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
        try:
            return db.execute("select count(*) from outbox").fetchone()[0]
        except sqlite3.OperationalError:
            return 0


def no_secrets(run, tmp_path):
    assert SECRET not in run.read() and "pa55word" not in run.output
    assert SECRET.encode() not in b"".join(p.read_bytes() for p in (tmp_path / "data").glob("alerts.db*"))


def test_it_is_told_once_for_each_crossing(tmp_path):
    with Prices() as prices, Webhook() as hook, Running("run", *prices.options(tmp_path, f"bitcoin.price < 60000 to {hook.url}")) as run:
        port = run.port()
        wait_for(lambda: len(prices.api.requests) > 2, what="polls")
        assert hook.got == []
        for n in (1, 2):
            prices.price = "59812.50"
            wait_for(lambda n=n: len(hook.got) == n, what="an alert")
            seen = len(prices.api.requests)
            wait_for(lambda seen=seen: len(prices.api.requests) > seen + 2, what="polls")
            assert len(hook.got) == n, "once"
            prices.price = "60000"
            seen = len(prices.api.requests)
            wait_for(lambda seen=seen: len(prices.api.requests) > seen + 2, what="polls")
        first, second = hook.told()
        assert first["id"] != second["id"]
        want = {"when": "bitcoin.price < 60000", "what": "current_price", "coin": "bitcoin", "currency": "usd", "job": "markets-usd",
                "said": "59812.5 usd", "value": 59812.5, "before": None, "threshold": 60000, "simulated": False, "earlier": 0}
        assert {k: first[k] for k in want} == want and first["age_s"] < 60
        assert re.fullmatch(r"bitcoin\.price < 60000: 59812\.5 usd at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ, job markets-usd", first["text"]), first
        wait_for(lambda: metric(port, "alerts_delivered_total") == 2, what="the count")
        assert metric(port, "alerts_fired_total") == 2 and metric(port, "alerts_failed_total") == 0
        assert run.stop() == 0
        no_secrets(run, tmp_path)
        assert outbox(tmp_path) == 0


def test_a_receiver_that_is_down_gets_it_later_and_holds_up_nobody(tmp_path):
    with Prices() as prices, Webhook() as hook, Webhook() as other, Running("run", *prices.options(
            tmp_path, f"bitcoin.price < 60000 to {hook.url}", f"bitcoin.price < 60000 to {other.url}")) as run:
        port = run.port()
        hook.status, hook.delay = 503, 1
        prices.price = "5"
        wait_for(lambda: len(other.got) == 1, what="the other's alert")
        wait_for(lambda: metric(port, "alerts_failed_total") >= 1, what="a failure")
        seen = len(prices.api.requests)
        wait_for(lambda: len(prices.api.requests) > seen + 2, what="polls meanwhile")
        with contextlib.closing(sqlite3.connect(f"file:{tmp_path}/data/market.db?mode=ro", uri=True)) as db:
            polls = "select count(*) from poll"
            n = db.execute(polls).fetchone()[0]
            wait_for(lambda: db.execute(polls).fetchone()[0] > n, what="rows meanwhile")
        assert hook.got == [] and outbox(tmp_path) == 1
        hook.status = 200
        wait_for(lambda: len(hook.got) == 1, what="the alert")
        wait_for(lambda: outbox(tmp_path) == 0, what="an empty outbox")
        assert run.stop() == 0 and run.output.count("cannot be delivered now") == 1
        no_secrets(run, tmp_path)


def test_receivers_that_hang_hold_up_no_other(tmp_path):
    with Prices("5") as prices, contextlib.ExitStack() as stack:
        hung = [stack.enter_context(Webhook()) for _ in range(4)]
        other = stack.enter_context(Webhook())
        for hook in hung:
            hook.delay = 3600
        with Running("run", *prices.options(tmp_path, *[f"bitcoin.price < 60000 to {hook.url}" for hook in [*hung, other]])) as run:
            port = run.port()
            wait_for(lambda: other.got and all(hook.asked for hook in hung), what="all to be asked")
            assert metric(port, "alerts_failed_total") == 0, "none of them has come to its end"
            assert run.stop() == 0 and outbox(tmp_path) == 4


def test_what_a_receiver_refuses_is_put_aside_at_last_and_the_next_goes_on(tmp_path):
    with Prices("5") as prices, Webhook() as hook:
        hook.refused = "bitcoin.price < 60001"
        options = prices.options(tmp_path, f"bitcoin.price < 60001 to {hook.url}", f"bitcoin.price < 60000 to {hook.url}")
        rules = options[options.index("--alert"):]
        with Running("run", *options) as run:
            wait_for(lambda: hook.got, what="the next one")
            assert [told["when"] for told in hook.told()] == ["bitcoin.price < 60000"]
            wait_for(lambda: hook.asked >= 4, what="another try")  # one was taken
            assert run.stop() == 0 and run.read().count("an alert is refused; it is tried some more times") == 1
        assert outbox(tmp_path) == 1
        assert "NOT DELIVERED" not in gecko("alerts", "ls", "--data", tmp_path / "data", *rules, check=0).stdout
        with contextlib.closing(sqlite3.connect(tmp_path / "data" / "alerts.db")) as db:
            db.execute("update outbox set n_tries = 9, retry_at = 0")
            db.commit()
        with Running("run", *options) as run:
            port = run.port()
            wait_for(lambda: metric(port, "alerts_put_aside_total") == 1, what="the end of tries")
            asked, seen = hook.asked, len(prices.api.requests)
            wait_for(lambda: len(prices.api.requests) > seen + 2, what="polls")
            assert run.stop() == 0 and hook.asked == asked, "no more"
            assert re.search(r"put aside.*answers with status 400", run.read())
            no_secrets(run, tmp_path)
        listed = gecko("alerts", "ls", "--data", tmp_path / "data", *rules, check=0).stdout
        assert re.search(r"60001\n.*\n    NOT DELIVERED \S+Z: 5 usd \(http://\S+: answers with status 400\)\n", listed), listed
        assert listed.count("NOT DELIVERED") == 1 and SECRET not in listed
        # another channel for it is worth another try
        with Webhook() as other, Running("run", *prices.options(tmp_path, f"bitcoin.price < 60001 to {other.url}")) as run:
            wait_for(lambda: other.got, what="the alert")
            wait_for(lambda: outbox(tmp_path) == 0, what="an empty outbox")
            assert run.stop() == 0


def test_what_was_taken_is_not_sent_again_while_the_outbox_cannot_be_written(tmp_path):
    """A full disk, or somebody's lock: the receiver has it, and the outbox cannot be told so."""
    with Prices() as prices, Webhook() as hook, Running(
            "run", *prices.options(tmp_path, f"bitcoin.price < 60000 to {hook.url}")) as run:
        port = run.port()
        hook.status, prices.price = 503, "5"
        wait_for(lambda: outbox(tmp_path) == 1 and metric(port, "alerts_failed_total") >= 1, what="a message that nobody took")
        with contextlib.closing(sqlite3.connect(tmp_path / "data" / "alerts.db", timeout=10, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            hook.status = 200
            wait_for(lambda: "outbox cannot be read or written" in run.read(), what="the refusal")
            time.sleep(8)  # more than two of its rounds
            assert len(hook.got) == 1
            db.execute("ROLLBACK")
        wait_for(lambda: outbox(tmp_path) == 0, what="an empty outbox")
        assert run.stop() == 0 and len(hook.got) == 1


def test_a_kill_between_firing_and_delivery_loses_nothing(tmp_path):
    """The receiver hangs, the collector is killed, the condition is over meanwhile: it is told all the same."""
    with Prices() as prices, Webhook() as hook:
        options = prices.options(tmp_path, f"bitcoin.price < 60000 for 1s to {hook.url}")
        hook.status = 500
        with Running("run", *options) as run:
            run.port()
            prices.price = "7.5"
            wait_for(lambda: outbox(tmp_path) == 1, what="a message")
            run.kill()
        hook.status, prices.price = 200, "70000"
        with Running("run", *options) as run:
            wait_for(lambda: hook.got, what="the alert")
            wait_for(lambda: outbox(tmp_path) == 0, what="an empty outbox")
            # what the killed one was about to send may have been taken as well: then twice, by the same id
            assert {(told["id"], told["value"]) for told in hook.told()} == {(hook.told()[0]["id"], 7.5)}
            assert run.stop() == 0


def test_kills_at_any_time_neither_lose_nor_repeat_a_crossing(tmp_path):
    """A receiver may hear of one twice, by the same id; each crossing of the tape it hears of."""
    dice = random.Random(4)
    rule = "bitcoin.price < 60000"
    with Prices() as prices, Webhook() as hook:
        options = prices.options(tmp_path, f"{rule} to {hook.url}")
        for _ in range(12):
            with Running("run", *options) as run:
                until = time.monotonic() + dice.uniform(0.3, 2.5)
                while time.monotonic() < until:
                    prices.price = dice.choice(["1", "70000"])
                    time.sleep(0.2)
                run.process.send_signal(signal.SIGKILL)
        prices.price = "70000"
        with Running("run", *options) as run:
            run.port()
            wait_for(lambda: outbox(tmp_path) == 0 and len(prices.api.requests), what="an empty outbox")
            wait_for(lambda: '"lag": 0' in get(run.port(), "/api/status").decode() or True, what="the end")
            time.sleep(1.5)
            assert run.stop() == 0
        would = tried(tmp_path / "data", rule, since="-1h")[rule]
        told = {one["id"]: one["at"] for one in hook.told()}
        assert sorted(told.values()) == would and len(would) > 2


def test_a_wait_goes_on_over_a_restart(tmp_path):
    with Prices("5") as prices, Webhook() as hook:
        options = prices.options(tmp_path, f"bitcoin.price < 60000 for 4s to {hook.url}")
        with Running("run", *options) as run:
            run.port()
            wait_for(lambda: n_ends(tmp_path / "data") >= 2, what="a poll")
            run.kill()
        began = time.monotonic()
        with Running("run", *options) as run:
            wait_for(lambda: hook.got, what="the alert")
            assert run.stop() == 0
        (rule,) = tried(tmp_path / "data", "bitcoin.price < 60000 for 4s", since="-1h").values()
        assert rule == [hook.told()[0]["at"]] and time.monotonic() - began < 60


def test_of_a_backlog_one_message_of_each_rule_is_sent(tmp_path):
    """Polls of half an hour ago that nobody has judged: the last crossing, with its age and how many there were."""
    now = int(time.time())
    low, high = tmp_path / "low", tmp_path / "high"
    low.write_text(f"[{row('bitcoin', current_price='5')}]")
    high.write_text(f"[{row('bitcoin', current_price='70000')}]")

    def polls(first, n):
        lines = "".join(f"{(now - first + i) * 10**6}:0 ok {low if i % 2 else high}\n" for i in range(n))
        subprocess.run([MADE_TAPE, tmp_path / "data", "markets-usd-top1", "coins/markets", "usd", "top=1"], input=lines, text=True, check=True)

    with Prices() as prices, Webhook() as hook:
        options = [*prices.options(tmp_path, f"bitcoin.price < 60000 to {hook.url}"), "--top", 1]
        polls(3600, 20)
        with Running("run", *options) as run:  # of before there was an alert nobody is told
            run.port()
            wait_for(lambda: n_ends(tmp_path / "data") > 22, what="polls")
            assert run.stop() == 0
        assert hook.got == []
        # as if the alerts had not been judged for long
        with contextlib.closing(sqlite3.connect(tmp_path / "data" / "alerts.db")) as db:
            db.execute("update position set offset = 0, hash = 0")
            db.commit()
        with Running("run", *options) as run:
            wait_for(lambda: hook.got, what="the alert")
            seen = len(prices.api.requests)
            wait_for(lambda: len(prices.api.requests) > seen + 2, what="polls")
            assert run.stop() == 0
        (one,) = hook.told()
        assert one["earlier"] == 9 and 3500 < one["age_s"] < 3700
        assert "later, the last of 10 in that time)" in one["text"]


def test_made_up_prices_are_told_as_such(tmp_path):
    with Webhook() as hook:
        done = gecko("once", "--simulate", "--data", tmp_path / "data", "--sink", "null:",
                     "--alert", f"bitcoin.price > 1 to {hook.url}", check=0)
        (one,) = hook.told()
        assert one["simulated"] is True and one["text"].startswith("SIMULATED: bitcoin.price > 1: ")
        assert SECRET not in done.stdout + done.stderr
        gecko("once", "--simulate", "--data", tmp_path / "data", "--sink", "null:",
              "--alert", f"bitcoin.price > 1 to {hook.url}", check=0)
        assert len(hook.got) == 1


def test_once_leaves_what_nobody_takes_for_the_next_time(tmp_path):
    args = ["--simulate", "--data", tmp_path / "data", "--sink", "null:"]
    with Webhook() as hook:
        hook.status = 404
        rule = ["--alert", f"bitcoin.price > 1 to {hook.url}"]
        done = gecko("once", *args, *rule, check=0)
        assert "answers with status 404" in done.stderr and SECRET not in done.stderr
        hook.status = 200
        gecko("once", *args, *rule, check=0)
        assert len(hook.got) == 1
        gecko("once", *args, check=0)  # no alerts: the tape is kept for none
        assert "alerts:" not in gecko("sink", "ls", "--data", tmp_path / "data", check=0).stdout


def test_a_reload_takes_other_rules_and_keeps_the_state_of_those_that_stay(tmp_path):
    file = tmp_path / "geckotape.yaml"
    with Prices("5") as prices, Webhook() as hook, Webhook() as other:
        def write(*alerts):
            file.write_text(f"api: {{url: '{prices.api.url}', rate: 100000}}\ndata: {tmp_path}/data\nhttp: {{listen: '127.0.0.1:0'}}\n"
                            "sinks: ['null:']\njobs: {one: {every: 1s}}\nalerts:\n" + "".join(alerts))
        keep = f"  - when: bitcoin.price < 60000\n    to: {hook.url}\n"
        write(keep)
        with Running("run", "--config", file) as run:
            run.port()
            wait_for(lambda: len(hook.got) == 1, what="an alert")
            write(keep, f"  - {{when: bitcoin.price > 4, to: '{other.url}'}}\n")
            run.process.send_signal(signal.SIGHUP)
            run.expect("configuration applied")
            wait_for(lambda: len(other.got) == 1, what="the other's alert")
            write("  - bitcoin.price < 1 to gopher://x\n")
            run.process.send_signal(signal.SIGHUP)
            run.expect(r"geckotape.yaml:\d+: alerts: no channel that is known")
            seen = len(prices.api.requests)
            wait_for(lambda: len(prices.api.requests) > seen + 2, what="polls")
            assert len(hook.got) == 1 and len(other.got) == 1
            before = n_open(run, "alerts.db")
            for n in range(3):
                write(keep, f"  - bitcoin.price < {n + 1} to {other.url}\n")
                run.process.send_signal(signal.SIGHUP)
                wait_for(lambda n=n: run.read().count("configuration applied") == n + 2, what="a reload")
            prices.price = "2"
            wait_for(lambda: len(other.got) == 2, what="the newest rule's alert")
            assert n_open(run, "alerts.db") <= before, "who was stopped keeps no file open"
            assert run.stop() == 0
            no_secrets(run, tmp_path)


def test_who_has_been_told_is_not_told_again_when_its_twin_goes(tmp_path):
    """Two alerts of one condition, of which one's receiver is down: taking that one out sends its message to nobody."""
    with Prices("5") as prices, Webhook() as hook, Webhook() as other:
        hook.status = 503
        down, up = f"bitcoin.price < 60000 to {hook.url}", f"bitcoin.price < 60000 to {other.url}"
        with Running("run", *prices.options(tmp_path, down, up)) as run:
            wait_for(lambda: other.got and outbox(tmp_path) == 1, what="the other's alert")
            assert run.stop() == 0
        with Running("run", *prices.options(tmp_path, up)) as run:
            wait_for(lambda: outbox(tmp_path) == 0, what="an empty outbox")
            assert "messages of rules that are gone are not sent" in run.read()
            seen = len(prices.api.requests)
            wait_for(lambda: len(prices.api.requests) > seen + 2, what="polls")
            assert run.stop() == 0
        assert len(other.got) == 1 and hook.got == []


def n_open(run, name):
    n = 0
    for fd in os.listdir(f"/proc/{run.process.pid}/fd"):
        with contextlib.suppress(OSError):
            n += os.path.basename(os.readlink(f"/proc/{run.process.pid}/fd/{fd}")).startswith(name)
    return n


def test_a_budget_counts_the_calls_of_all_jobs(tmp_path):
    file = tmp_path / "geckotape.yaml"
    with Prices() as prices, Webhook() as hook:
        file.write_text(f"api: {{url: '{prices.api.url}', rate: 100000, budget: 10000}}\ndata: {tmp_path}/data\nsinks: ['null:']\n"
                        f"jobs: {{a: {{top: 1}}, b: {{top: 2}}}}\nalerts: [{{when: budget < 99.98%, to: '{hook.url}'}}]\n")
        gecko("once", "--config", file, check=0)
        assert hook.got == []  # 9999 in a's poll
        gecko("once", "--config", file, check=0)
        (one,) = hook.told()
        assert one["said"] == "9997 of 10000 calls are left" and one["value"] == 9997 and one["threshold"] == 99.98
        gecko("once", "--config", file, check=0)
        assert len(hook.got) == 1


# ---- settings ----


def test_check_names_each_mistake_with_its_place_and_mend(tmp_path):
    file = tmp_path / "geckotape.yaml"
    lines = [
        ("bitcoin.current_prise < 5 to https://x/y", "did you mean current_price?"),
        ("bitcion.price in eur < 5 to https://x/y", "did you mean bitcoin?"),
        ("bitcoin.price in gbp < 5 to https://x/y", "no job collects coins/markets with it in gbp; there are: eur (eur), usd (usd)"),
        ("bitcoin.price < -5 to https://x/y", "current_price is never below 0"),
        ("bitcoin.rank < 5.5 to https://x/y", "whole number"),
        ("bitcoin.price < five to https://x/y", "a number like 60000"),
        ("bitcoin.price change 1h > 5 to https://x/y", "write > 5%"),
        ("bitcoin.price change 1h < -101% to https://x/y", "nothing falls by more"),
        ("bitcoin.price < 5 for ever to https://x/y", "a time like 30s"),
        ("bitcoin.name < 5 to https://x/y", "holds no numbers"),
        ("bitcoin.price = 5 to https://x/y", "one of < <= > >="),
        ("bitcoin < 5 to https://x/y", "is not COIN.COLUMN"),
        ("bitcoin.price < 5 of job usb to https://x/y", 'no job is called "usb"'),
        ("gap of job usb to https://x/y", 'no job is called "usb"'),
        ("budget < 10% to https://x/y", "--api-budget"),
        (f"bitcoin.price < 5 to gopher://x/{SECRET}", "no channel that is known"),
        (f"bitcoin.price < 5 to smtp://u:{SECRET}@x/", "who writes to whom?"),
        (f"bitcoin.price < 5 to https://{SECRET}:x:y/", "it is no URL"),
        ("bitcoin.price < 5", "where should it go?"),
        ("https://x/y", "an alert is a condition and where it goes"),
        (f"bitcoin.price < 5 https://x/{SECRET} https://x/y", "one alert goes to one channel"),
        (f"bitcoin.price < 5 smtps://u:{SECRET} word@x/?from=a@b&to=c@d", "one alert goes to one channel"),
        (f"https://x/{SECRET} to https://x/y", "one alert goes to one channel"),
    ]
    file.write_text("jobs: {eur: {vs: eur, ids: [bitcoin, ethereum], every: 10m}, usd: {every: 10m}}\nalerts:\n" + "".join(
        f"  - {json.dumps(text)}\n" for text, _ in lines))
    file.chmod(0o600)
    done = gecko("check", "--config", file, check=78)
    told = done.stderr.splitlines()
    for i, (text, why) in enumerate(lines):
        assert any(f"{file}:{i + 3}: alerts: " in line and why in line for line in told), (text, told)
    assert len(told) == len(lines) and SECRET not in done.stderr


def test_check_and_ls_show_the_alerts_without_their_secrets(tmp_path):
    file = tmp_path / "geckotape.yaml"
    file.write_text("alerts:\n"
                    f"  - {{when: bitcoin.price   <60000 for 2m, to: 'https://hooks.example/{SECRET}'}}\n"
                    f"  - when: bitcoin stale > 10m\n    to: ntfy://{SECRET}\n"
                    f"  - bitcoin.volume > 5e9 to slack:https://hooks.slack.com/services/{SECRET}\n"
                    f"  - gap of job markets-usd to smtps://me:{SECRET}@mail.example:465/?from=a@example.org&to=b@example.org\n")
    for done in (gecko("check", "--config", file, check=0), gecko("check", "--config", file, "--format", "json", check=0),
                 gecko("alerts", "ls", "--config", file, check=0)):
        assert SECRET not in done.stdout + done.stderr
        for shown in ("bitcoin.price < 60000 for 2m", "https://hooks.example/…", "ntfy://ntfy.sh/…", "slack:https://hooks.slack.com/…",
                      "smtps://mail.example:465/…"):
            assert shown in done.stdout, (shown, done.stdout)
    file.chmod(0o644)
    assert f"{file}: holds a secret, and everybody may read it" in gecko("check", "--config", file, check=0).stderr
    (tmp_path / "rules").write_text("bitcoin.price < 1 to https://a/b|bitcoin.price > 2 to https://c/d\n")
    settings = clean_env(GECKOTAPE_ALERTS_FILE=str(tmp_path / "rules"))
    assert gecko("alerts", "ls", env=settings, cwd=tmp_path / "..", check=0).stdout.count("job markets-usd") == 2
    settings = clean_env(GECKOTAPE_ALERTS="bitcoin.price < 1 to https://a/b | bitcoin.price > 2 to https://c/d")
    assert gecko("alerts", "ls", env=settings, cwd=tmp_path / "..", check=0).stdout.count("job markets-usd") == 2
    assert "no sink to name" in gecko("check", "--sink", "alerts:x.db").stderr
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "alerts.db").write_text("no database at all, of any kind, and long enough to be looked at as one")
    done = gecko("alerts", "ls", "--data", tmp_path / "data", env=settings, check=1)
    assert done.stdout.count("job markets-usd") == 2 and done.stderr.count("alerts.db: ") == 1


def test_a_coin_that_was_never_seen_here_is_named_with_what_was_meant(tmp_path):
    args = ["--data", tmp_path / "data", "--sink", f"sqlite:{tmp_path}/data/market.db"]
    with Prices() as prices:
        gecko("once", "--api-url", prices.api.url, *args, check=0)

    def warnings(verb, coin):
        done = gecko(*verb, *args[:2], *(args[2:] if verb == ["check"] else []), "--alert", f"{coin}.price < 5 to https://x/y", check=0)
        return re.findall(r"warning: .*", done.stderr)
    for verb in (["check"], ["alerts", "ls"]):
        assert warnings(verb, "bitcoin") == []
        assert warnings(verb, "bitcion") == ['warning: bitcion.price < 5: no coin "bitcion" has been seen here; did you mean bitcoin?']
        assert warnings(verb, "BIT") == ['warning: BIT.price < 5: no coin "BIT" has been seen here; did you mean bitcoin?']
        assert warnings(verb, "ethereum") == ['warning: ethereum.price < 5: no coin "ethereum" has been seen here']


# ---- channels ----


class Mail:
    """As much of SMTP as it takes."""

    def __init__(self, refused=(), hangs_at_quit=False):
        self.got = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 test\r\n")
                envelope = []
                for line in self.rfile:
                    word = line[:4].upper()
                    if word == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        text = b""
                        for part in self.rfile:
                            if part == b".\r\n":
                                break
                            text += part
                        outer.got.append((envelope, text.decode()))
                        envelope = []
                    elif word in (b"MAIL", b"RCPT"):
                        if any(address.encode() in line for address in refused):
                            self.wfile.write(b"550-5.1.1 nobody\r\n550 5.1.1 is called \x07 so\r\n")
                            continue
                        envelope.append(line.decode().strip())
                    elif word == b"EHLO" and refused:
                        self.wfile.write(b"500 too old for that\r\n")
                        continue
                    if word == b"QUIT" and hangs_at_quit:
                        continue
                    self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 test\r\n")
                    if word == b"QUIT":
                        return

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()


def test_each_channel_gets_what_it_understands(tmp_path):
    with Prices("59000.25") as prices, Webhook() as hook, Mail() as mail:
        done = gecko("once", *[str(o) for o in prices.options(
            tmp_path, f"bitcoin.price < 60000 to ntfy+http://{hook.host}/topic?token=t0ken", f"bitcoin.price < 60001 to slack:{hook.url}",
            f"bitcoin.price < 60002 to smtp://{mail.host}/?from=me@example.org&to=you@example.org,them@example.org")
                                if str(o) not in ("--listen", "127.0.0.1:0")], check=0)
        assert "could not" not in done.stderr, done.stderr
        assert sorted(hook.paths) == sorted(["/topic", f"/{SECRET}"])
        ntfy, slack = hook.paths.index("/topic"), hook.paths.index(f"/{SECRET}")
        assert hook.got[ntfy].startswith("bitcoin.price < 60000: 59000.25 usd at ")
        assert hook.headers[ntfy]["Authorization"] == "Bearer t0ken" and hook.headers[ntfy]["Title"] == hook.got[ntfy]
        assert set(json.loads(hook.got[slack])) == {"text"}
        assert json.loads(hook.got[slack])["text"].startswith("bitcoin.price < 60001: 59000.25 usd at ")
        ((envelope, text),) = mail.got
        assert [re.search("<(.*)>", line)[1] for line in envelope] == ["me@example.org", "you@example.org", "them@example.org"]
        head, body = text.split("\r\n\r\n", 1)
        assert "Subject: bitcoin.price < 60002: 59000.25 usd at " in head and "Message-ID: <" in head and "From: me@example.org" in head
        assert re.search(r"^Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000\r$", head + "\r", re.MULTILINE), head
        assert body.startswith("bitcoin.price < 60002: 59000.25 usd at ")


def test_each_address_gets_its_mail(tmp_path):
    to = [f"u{i}@b.c" for i in range(20)]
    with Mail() as mail:
        gecko("alerts", "send-test", "--alert", f"bitcoin.price < 1 to smtp://{mail.host}/?from=a@b.c&to={',,'.join(to)},", check=0, cwd=tmp_path)
        ((envelope, _),) = mail.got
        assert [re.search("<(.*)>", line)[1] for line in envelope] == ["a@b.c", *to]


def test_a_mail_server_that_hangs_when_all_is_said_is_left_soon(tmp_path):
    with Mail(hangs_at_quit=True) as mail:
        began = time.monotonic()
        gecko("alerts", "send-test", "--alert", f"bitcoin.price < 1 to smtp://{mail.host}/?from=a@b.c&to=d@e.f", check=0, cwd=tmp_path, timeout=100)
        assert len(mail.got) == 1
        assert time.monotonic() - began < 20, "libcurl waits two minutes by itself"


def test_an_address_that_is_refused_keeps_no_mail_from_the_others(tmp_path):
    with Prices("5") as prices, Mail(refused=["<bad@", "<worse@"]) as mail:
        options = ["--data", tmp_path / "data", "--sink", "null:", "--api-url", prices.api.url]
        to = f"bitcoin.price < 1{{}} to smtp://{mail.host}/?from=me@example.org&to={{}}"
        done = gecko("once", *options, "--alert", to.format(0, "bad@example.org,you@example.org,worse@example.org,them@example.org"), check=0)
        ((envelope, _),) = mail.got
        assert [re.search("<(.*)>", line)[1] for line in envelope] == ["me@example.org", "you@example.org", "them@example.org"]
        assert re.search(r"not all addresses of an alert were taken.*550 5\.1\.1 is called \? so", done.stderr), done.stderr
        done = gecko("once", *options, "--alert", to.format(1, "you@example.org"), check=0)
        assert len(mail.got) == 2 and "not all addresses" not in done.stderr
        done = gecko("once", *options, "--alert", to.format(2, "bad@example.org,worse@example.org"), check=0)
        assert len(mail.got) == 2 and "it said: 550 5.1.1 is called ? so" in done.stderr and "refused" in done.stderr, done.stderr


def test_a_password_is_not_sent_without_tls(tmp_path):
    with Mail() as mail:
        done = gecko("alerts", "send-test", "--alert", f"bitcoin.price < 1 to smtp://me:pa55word@{mail.host}/?from=a@b.c&to=d@e.f", check=1,
                     cwd=tmp_path)
        assert mail.got == [] and "pa55word" not in done.stderr and "smtp://127.0.0.1" in done.stderr


def test_send_test_says_who_hears(tmp_path):
    with Webhook() as hook:
        args = ["--alert", f"bitcoin.price < 1 to {hook.url}"]
        done = gecko("alerts", "send-test", *args, check=0, cwd=tmp_path)
        assert f"sent to http://{hook.host}/…" in done.stdout and "a test of the channel" in hook.told()[0]["text"]
        hook.status = 403
        done = gecko("alerts", "send-test", *args, check=1, cwd=tmp_path)
        assert "answers with status 403" in done.stderr and SECRET not in done.stderr
