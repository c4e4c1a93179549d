# SPDX-License-Identifier: Apache-2.0
"""The transforms of market_chart and ohlc against their oracle: on the real captures, and on made-up hostile bodies."""
import datetime
import json
import os
import pathlib
import random
import subprocess

import oracle
import pytest
import yaml
from oracle_charts import COLUMNS, DAY, HOUR, LINES, MINUTE, expected

DUMP = os.environ.get("GECKOTAPE_TRANSFORM_DUMP", "build/tests/golden/transform_dump")
CAPTURES = pathlib.Path(os.environ.get("GECKOTAPE_CAPTURES", pathlib.Path(__file__).parents[3] / "shared" / "captures"))
NOW = 1795442400000  # 2026-11-23T14:00:00Z


def ms_of(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def dump(endpoint, target, fetched_us, bodies, directory):
    """What the transform says of each body: (rows, refusals) or its error."""
    files = []
    for i, body in enumerate(bodies):
        files.append(directory / str(i))
        files[-1].write_bytes(body)
    run = subprocess.run([DUMP, f"endpoint:{endpoint}", f"target:{target}", f"fetched:{fetched_us}", *map(str, files)],
                         capture_output=True, check=True)
    out = []
    for line in run.stdout.decode().splitlines():
        (kind, value), *_ = json.loads(line, parse_int=oracle.Lexeme, parse_float=oracle.Lexeme).items()
        if kind == "poll":
            out.append(value["error"] if "error" in value else ([], []))
        elif kind == "row":
            at, coin, step, *values = (value[column] for column in COLUMNS[endpoint])
            out[-1][0].append((ms_of(at), coin, int(step), *values))
        elif kind == "refusal":
            out[-1][1].append((int(value["index"]), value["coin"], value["field"], value["reason"]))
    assert len(out) == len(bodies)
    return out


def check(endpoint, target, fetched_us, bodies, directory):
    n_rows = 0
    for body, got in zip(bodies, dump(endpoint, target, fetched_us, bodies, directory)):
        try:
            rows, refusals = expected(endpoint, target, fetched_us, body)
        except oracle.Rejected:
            assert isinstance(got, str), body[:300]
            continue
        assert not isinstance(got, str), (got, body[:300])
        assert got[0] == rows, (target, body[:600])
        assert len(got[1]) == len(refusals), (got[1], refusals, body[:300])
        for g, w in zip(got[1], refusals):
            assert g == w or (w[2] is None and (g[:2], g[3]) == (w[:2], w[3])), (g, w, body[:300])
        n_rows += len(rows)
    return n_rows


def exchange(name):
    """A real one: (target, when it was answered, body)"""
    whole = yaml.safe_load((CAPTURES / "http" / f"{name}.yaml").read_text())["interactions"][0]
    headers = {k.lower(): v[0] for k, v in whole["response"]["headers"].items()}
    when = datetime.datetime.strptime(headers["date"], "%a, %d %b %Y %H:%M:%S %Z").replace(tzinfo=datetime.timezone.utc)
    return whole["request"]["uri"].partition("coingecko.com")[2], round(when.timestamp() * 1e6), whole["response"]["body"]["string"].encode()


REAL = {"khooihzhz__test_coins__test_get_market_chart": ("coins/market_chart", 288), "khooihzhz__test_coins__test_get_ohlc": ("coins/ohlc", 47),
        "khooihzhz__test_coins__test_get_market_chart_range": ("coins/market_chart", 347)}


@pytest.mark.parametrize("name", REAL)
def test_a_real_chart_comes_out_but_for_what_is_partial(name, tmp_path):
    if not CAPTURES.is_dir():
        pytest.skip(f"no captures in {CAPTURES}")
    endpoint, n = REAL[name]
    target, when, body = exchange(name)
    assert check(endpoint, target, when, [body], tmp_path) == n
    rows, refusals = dump(endpoint, target, when, [body], tmp_path)[0]
    raw = json.loads(body, parse_int=oracle.Lexeme, parse_float=oracle.Lexeme)
    if endpoint == "coins/ohlc":  # 49, of which the first is flat, and the last not over
        assert [list(r[3:]) for r in rows] == [r[1:] for r in raw[1:-1]] and {r[2] for r in rows} == {1800}
        assert not refusals
        return
    assert [(str(r[0]), r[3]) for r in rows] == [tuple(p) for p in raw["prices"]][:n] and {r[1] for r in rows} == {"bitcoin"}
    assert [r[5] for r in rows] == [p[1] for p in raw["total_volumes"]][:n] and {r[2] for r in rows} == {300 if n == 288 else 86400}


# of 2021-05-15, 14:19 UTC, as their last points say; without their headers
OLD = {"market_data_for_a_coin": None, "daily_historical_prices_for_one_coin": ("days=max", 86400), "hourly_historical_prices_for_one_coin": ("days=90", 3600),
       "minutely_historical_prices_for_one_coin": ("days=1", 300)}


@pytest.mark.parametrize("name", [n for n in OLD if OLD[n]])
def test_the_two_points_of_now_are_no_rows(name, tmp_path):
    if not CAPTURES.is_dir():
        pytest.skip(f"no captures in {CAPTURES}")
    span, step = OLD[name]
    bodies = [p.read_bytes() for p in sorted((CAPTURES / "bodies").glob(f"julianfssen__test_that_it_gets_{name}__*"))]
    bodies = [b for b in bodies if b.startswith(b'{"prices"')]
    assert bodies
    for body in bodies:
        times = [int(t) for t, _ in json.loads(body)["prices"]]
        target = f"/api/v3/coins/bitcoin/market_chart?vs_currency=usd&{span}"
        rows, refusals = dump("coins/market_chart", target, (max(times) + 20_000) * 1000, [body], tmp_path)[0]
        check("coins/market_chart", target, (max(times) + 20_000) * 1000, [body], tmp_path)
        assert not refusals and rows[0][2] == step
        assert [r[0] for r in rows] == [t for t in times if t < max(times) - MINUTE] and len(rows) in (len(times) - 1, len(times) - 2)


class Maker:
    """Bodies that are sound for the most part."""

    NUMBERS = ["0", "0.0", "1e5", "42991.51096191066", "837327022616.3015", "1e1001", "9.68e-06", "null", '"7.5"', "9" * 200, "-1"]
    OTHERS = ["true", '"text"', "[]", "[1,{}]", "{}", '""', "[[1]]", '"\\ud800"']

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.step = self.random.choice([5 * MINUTE, HOUR, DAY])
        self.end = NOW - self.random.choice([0, 0, 10 * MINUTE, HOUR, 30 * DAY])

    def number(self):
        return self.random.choice(self.OTHERS if self.random.random() < 0.05 else self.NUMBERS)

    def times(self, step):
        n, jitter = self.random.choice([0, 1, 2, 5, 30]), self.random.choice([0, step // 8])
        times = [self.end // step * step - i * step + self.random.randint(0, jitter) for i in range(n)][::-1]
        times = [t for t in times if self.random.random() > 0.05] + [self.end - self.random.randint(0, 30_000)] * (self.random.random() < 0.8)
        if self.random.random() < 0.3:
            times += [self.end - 955]
        if self.random.random() < 0.2:
            self.random.shuffle(times)
        if times and self.random.random() < 0.2:
            times.insert(self.random.randrange(len(times)), self.random.choice(times))
        return times

    def time(self, ms):
        odd = [f"{ms}.0", f"{ms / 10:.1f}e1", f'"{ms}"', "null", "-1", f"{ms}.5", "1e30", str(2**63), "true", "[]", "253402300799999", "253402300800000"]
        return self.random.choice(odd) if self.random.random() < 0.03 else str(ms)

    def rows(self, times, n_values):
        out = []
        for t in times:
            if self.random.random() < 0.02:
                out.append(self.number())
                continue
            values = [self.number() for _ in range(n_values + (self.random.random() < 0.02))]
            out.append("[" + ",".join([self.time(t), *values]) + "]")
        return "[" + ",".join(out) + "]"

    def body(self, endpoint):
        if self.random.random() < 0.02:
            return self.random.choice([b"", b"[", b"{}", b"[]", b"null", b"[1]x", b'{"prices":null}', b'{"prices":7,"market_caps":[]}'])
        if endpoint == "coins/ohlc":
            return self.rows(self.times(self.random.choice([30 * MINUTE, 4 * HOUR, DAY, 4 * DAY])), 4).encode()
        times, pairs = self.times(self.step), []
        for line in LINES:
            own = times if self.random.random() < 0.8 else [t for t in times if self.random.random() < 0.8] + self.times(self.step)[:2]
            if self.random.random() > 0.03:
                pairs.append(f'"{line}":{self.rows(own, 1)}')
        if self.random.random() < 0.1:
            pairs.append(self.random.choice(['"new":[[1,2]]', '"\\ud800":1', '"prices":[]', f'"market_caps":{self.number()}', '"new":1,"new":2']))
        if self.random.random() < 0.2:
            self.random.shuffle(pairs)
        return ("{" + ",".join(pairs) + "}").encode()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("endpoint", COLUMNS)
def test_hostile_charts_come_out_as_the_oracle_says(endpoint, seed, tmp_path):
    maker = Maker(seed)
    span = maker.random.choice(["days=1", "days=30", "days=365", "days=max", "days=90&interval=daily", "days=2&interval=hourly",
                                f"from={(NOW - 40 * DAY) // 1000}&to={NOW // 1000}", f"from={(NOW - DAY) // 1000}&to={NOW // 1000}",
                                f"from={(NOW - 9 * DAY) // 1000}&to={(NOW - HOUR) // 1000}"])
    if "365" not in span and "max" not in span:  # else all of it may lie before the span
        maker.end = max(maker.end, NOW - HOUR)
    path = "ohlc" if endpoint == "coins/ohlc" else "market_chart"
    target = f"/api/v3/coins/{maker.random.choice(['bitcoin', 'a%20b', '%E5%B8%81', 'boringdao-%5Bold%5D'])}/{path}?vs_currency=usd&{span}"
    assert check(endpoint, target, NOW * 1000 + maker.random.randrange(10**9), [maker.body(endpoint) for _ in range(150)], tmp_path) > 100


@pytest.mark.parametrize("target", ["", "/coins/", "/coins/bitcoin", "/api/v3/global?x=/coins/a/b", "/coins/%00/ohlc?days=1", "/coins/%ff/ohlc",
                                    "/coins/" + "x" * 300 + "/ohlc"])
def test_an_answer_to_a_question_without_a_coin_is_refused(target, tmp_path):
    body = b'{"prices":[[1,2]]}'
    assert "names no coin" in dump("coins/market_chart", target, NOW * 1000, [body], tmp_path)[0]
