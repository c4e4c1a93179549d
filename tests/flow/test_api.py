# SPDX-License-Identifier: Apache-2.0
"""CoinGecko's API as the simulator serves it: against real answers, CoinGecko's own schema, and absurd parameters."""
import collections
import contextlib
import http.client
import json
import urllib.parse

import pytest
from gecko import CAPTURES, PATIENCE, Running

OPENAPI = CAPTURES.parent / "openapi" / "coingecko-pro.json"
needs_captures = pytest.mark.skipif(not CAPTURES.is_dir(), reason="no ../shared/captures")
needs_schema = pytest.mark.skipif(not OPENAPI.is_file(), reason="no ../shared/openapi")


@pytest.fixture(scope="module", name="port")
def simulator():
    with Running("simulate", "--listen", "127.0.0.1:0", "--plan", "pro", "--limit", "1000000", "--coins", "2000") as sim:
        yield sim.port()


def ask(port, path):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", "/api/v3" + path, headers={"User-Agent": "test", "x-cg-pro-api-key": "CG-test"})
        answer = connection.getresponse()
        return answer.status, answer.read()


def answer_of(port, path):
    status, body = ask(port, path)
    assert status == 200, (path, status, body[:300])
    return json.loads(body)


# ---- shapes ----


def kind_of(value):
    if isinstance(value, bool):
        return "boolean"
    return {dict: "object", list: "array", str: "string", int: "number", float: "number", type(None): "null"}[type(value)]


# maps whose keys are data
MAPS = {"platforms", "detail_platforms", "total_market_cap", "total_volume", "market_cap_percentage", "current_price", "market_cap"}


def note_shape(value, path, kinds, keys, is_map=False):
    """What kinds stand at each path, and each order of keys."""
    kinds[path].add(kind_of(value))
    if isinstance(value, dict):
        if not is_map:
            keys[path].append(list(value))
        for key, member in value.items():
            step = "*" if is_map else key
            note_shape(member, f"{path}.{step}", kinds, keys, key in MAPS and isinstance(member, dict))
    if isinstance(value, list):
        for member in value:
            note_shape(member, f"{path}[]", kinds, keys)


def shape_of(values, is_map=False):
    kinds, keys = collections.defaultdict(set), collections.defaultdict(list)
    for value in values:
        note_shape(value, "", kinds, keys, is_map)
    return kinds, keys


def captured(*patterns):
    files = sorted(file for pattern in patterns for file in CAPTURES.glob(pattern))
    assert files, patterns
    found = [json.loads(file.read_bytes()) for file in files]
    return [body for body in found if not (isinstance(body, dict) and "error" in body)]


def bodies(*names):
    return captured(*(f"bodies/{name}*.body.json" for name in names))


# what CoinGecko sent once and sends no more, and what it has added since (its changes until November 2026)
GONE = {"twitter_followers"}
ADDED = {"volume_change_percentage_24h_usd", "top_3_coins_id", "native_coin_id", "image", "content", "top_3_coins",
         "api_key_rate_limit_request_per_minute", "api_key_monthly_call_credit", "api_key_current_total_monthly_calls"}
# figures about people and code, which are null or 0 by now; one was sent as text, once
FORGOTTEN = (".community_data.", ".developer_data.")


CAPTURED = [
    ("/ping", lambda: bodies("khooihzhz__test_ping")),
    ("/key", lambda: bodies("khooihzhz__test_key")),
    ("/simple/supported_vs_currencies", lambda: bodies("khooihzhz__test_simple__test_get_supported")),
    ("/coins/list", lambda: bodies("khooihzhz__test_coins__test_get_list")),
    ("/coins/markets?vs_currency=usd&per_page=250", lambda: bodies("*market_data_for", "khooihzhz__test_coins__test_get_market__",
                                                                  "khooihzhz__test_coins__test_get_market_with") + captured("markets/madjin*")),
    ("/coins/bitcoin/history?date=2017-12-30", lambda: bodies("khooihzhz__test_coins__test_get_history")),
    ("/coins/bitcoin/market_chart?vs_currency=usd&days=1", lambda: bodies("khooihzhz__test_coins__test_get_market_chart__", "*minutely", "*hourly")),
    ("/coins/bitcoin/market_chart/range?vs_currency=usd&from=1392577232&to=1422577232", lambda: bodies("khooihzhz__test_coins__test_get_market_chart_range__")),
    ("/coins/bitcoin/ohlc?vs_currency=usd&days=1", lambda: bodies("khooihzhz__test_coins__test_get_ohlc", "*ohlc_data_for")),
    ("/global", lambda: bodies("khooihzhz__test_global_data__test_get__", "*gets_global_crypto_data")),
    ("/coins/categories", lambda: bodies("khooihzhz__test_categories", "*categories_with_market_data")),
    ("/coins/categories/list", lambda: bodies("*the_list_of_categories__")),
    ("/asset_platforms", lambda: bodies("*asset_platforms")),
]


def is_added(where, real_kinds):
    """What only newer answers have, or a part of it."""
    names = [step.rstrip("[]") for step in where.split(".")]
    return where not in real_kinds and any(name in ADDED for name in names)


@needs_captures
@pytest.mark.parametrize("path, real", CAPTURED, ids=[path for path, _ in CAPTURED])
def test_an_answer_has_the_shape_of_a_captured_one(port, path, real):
    real_kinds, real_keys = shape_of(real())
    our_kinds, our_keys = shape_of([answer_of(port, path)])
    for where, orders in our_keys.items():
        if is_added(where, real_kinds):
            continue
        newest = [key for key in max(real_keys[where], key=len) if key not in GONE]
        for order in orders:
            assert [key for key in order if key not in ADDED or key in newest] == newest, where
    for where, kinds in our_kinds.items():
        if is_added(where, real_kinds) or where.startswith(FORGOTTEN):
            continue
        assert kinds - {"null"} <= real_kinds[where] or real_kinds[where] == {"null"}, where
        # pages of large coins have none of the nulls of the tail
        assert "null" not in kinds or path.startswith("/coins/markets") or "null" in real_kinds[where], where


@needs_captures
def test_a_price_has_the_shape_of_a_captured_one(port):
    for real in bodies("*simple_price_for_one", "khooihzhz__test_simple__test_get_price_with"):
        ours = answer_of(port, "/simple/price?ids=bitcoin&vs_currencies=usd&precision=2")
        assert shape_of([ours], True) == shape_of([real], True)
    assert answer_of(port, "/simple/price?ids=bitcoin&vs_currencies=none") == {"bitcoin": {}}


@needs_captures
@pytest.mark.parametrize("path, name", [
    ("/simple/price?vs_currencies=usd", "julianfssen__test_that_it_gets_price_for_one_coin__1"),
    ("/coins/markets", "julianfssen__test_that_it_gets_market_data_for_a_coin__1"),
    ("/coins/bitcoin/market_chart", "julianfssen__test_that_it_gets_daily_historical_prices_for_one_coin__1"),
])
def test_an_error_is_the_captured_one(port, path, name):
    assert ask(port, path) == (422, (CAPTURES / "bodies" / f"{name}.body.json").read_bytes())


# ---- the schema ----


class Schema:
    def __init__(self):
        self.document = json.loads(OPENAPI.read_bytes())

    def resolve(self, part):
        while "$ref" in part:
            node = self.document
            for key in part["$ref"].split("/")[1:]:
                node = node[key]
            part = node
        return part

    def of(self, path):
        answer = self.resolve(self.document["paths"][path]["get"]["responses"]["200"])
        return answer["content"]["application/json"]["schema"]


# nulls that the schema denies and real answers have
NULLS = {"content", "price_change_percentage_60d"}


# and what every client reads otherwise: as {"price": […]}
OTHERWISE = ".market_data.sparkline_7d"


def check_schema(schema, part, value, where):
    part = schema.resolve(part)
    if where == OTHERWISE:
        return
    if value is None:
        assert part.get("nullable") or where.split(".")[-1] in NULLS or "null" in str(part.get("type")), f"{where}: null"
        return
    kinds = part.get("type")
    if kinds:
        want = {"integer": "number"}.get(kinds, kinds)
        assert kind_of(value) == want, f"{where}: {value!r:.60} is no {kinds}"
    if isinstance(value, dict) and part.get("properties"):
        missing = set(part.get("required", ())) - set(value)
        assert not missing, f"{where}: lacks {missing}"
        unknown = set(value) - set(part["properties"])
        assert not unknown or part.get("additionalProperties"), f"{where}: {unknown}"
        for key, member in value.items():
            if key in part["properties"]:
                check_schema(schema, part["properties"][key], member, f"{where}.{key}")
    elif isinstance(value, dict) and isinstance(part.get("additionalProperties"), dict):
        for member in value.values():
            check_schema(schema, part["additionalProperties"], member, f"{where}.*")
    if isinstance(value, list) and part.get("items"):
        for member in value:
            check_schema(schema, part["items"], member, f"{where}[]")


IN_SCHEMA = [
    ("/ping", "/ping"),
    ("/key", "/key"),
    ("/simple/price", "/simple/price?ids=bitcoin&vs_currencies=usd&include_market_cap=true&include_24hr_vol=true&"
                      "include_24hr_change=true&include_last_updated_at=true"),
    ("/simple/supported_vs_currencies", "/simple/supported_vs_currencies"),
    ("/coins/list", "/coins/list?include_platform=true"),
    ("/coins/list/new", "/coins/list/new"),
    ("/coins/markets", "/coins/markets?vs_currency=usd&sparkline=true&include_rehypothecated=true&price_change_percentage=1h,24h,7d,14d,30d,200d,1y"),
    ("/coins/{id}", "/coins/bitcoin?sparkline=true"),
    ("/coins/{id}/history", "/coins/bitcoin/history?date=2026-01-01"),
    ("/coins/{id}/market_chart", "/coins/bitcoin/market_chart?vs_currency=usd&days=max"),
    ("/coins/{id}/market_chart/range", "/coins/bitcoin/market_chart/range?vs_currency=usd&from=2026-01-01&to=2026-01-31"),
    ("/coins/{id}/ohlc", "/coins/bitcoin/ohlc?vs_currency=usd&days=7"),
    ("/coins/{id}/ohlc/range", "/coins/bitcoin/ohlc/range?vs_currency=usd&from=2026-01-01&to=2026-01-31&interval=daily"),
    ("/coins/categories", "/coins/categories"),
    ("/coins/categories/list", "/coins/categories/list"),
    ("/asset_platforms", "/asset_platforms"),
    ("/global", "/global"),
]


@needs_schema
@pytest.mark.parametrize("route, path", IN_SCHEMA, ids=[route for route, _ in IN_SCHEMA])
def test_an_answer_keeps_to_coingeckos_schema(port, route, path):
    schema = Schema()
    check_schema(schema, schema.of(route), answer_of(port, path), "")


# ---- absurd parameters ----

ABSURD = ["", "-1", "0", "1", "99999", "9" * 30, "1e308", "NaN", "null", "true", "max", "full", "%00", "%ff%fe", "a" * 2000, "," * 3000,
          ",".join(f"c{i}" for i in range(1500)), "2026-13-45", "0001-01-01", "9999-12-31", "'; drop table coin;--", "../../etc/passwd"]
PARAMETERS = {
    "/simple/price": ["ids", "names", "symbols", "vs_currencies", "include_tokens", "precision"],
    "/coins/markets": ["vs_currency", "ids", "names", "symbols", "category", "order", "per_page", "page", "sparkline",
                       "price_change_percentage", "locale", "precision"],
    "/coins/list": ["status", "include_platform"],
    "/coins/bitcoin": ["localization", "tickers", "market_data", "sparkline"],
    "/coins/bitcoin/history": ["date", "localization"],
    "/coins/bitcoin/market_chart": ["vs_currency", "days", "interval", "precision"],
    "/coins/bitcoin/market_chart/range": ["vs_currency", "from", "to", "interval", "precision"],
    "/coins/bitcoin/ohlc": ["vs_currency", "days", "interval", "precision"],
    "/coins/bitcoin/ohlc/range": ["vs_currency", "from", "to", "interval"],
    "/coins/categories": ["order"],
}
GOOD = {"ids": "bitcoin", "vs_currencies": "usd", "vs_currency": "usd", "date": "2026-01-01", "days": "1", "from": "2026-01-01", "to": "2026-01-02"}


@pytest.mark.parametrize("path", PARAMETERS)
def test_absurd_parameters_get_a_bounded_answer_or_a_refusal(port, path):
    names = PARAMETERS[path]
    for name in names:
        for absurd in ABSURD:
            query = {key: value for key, value in GOOD.items() if key in names}
            if path.endswith("ohlc/range"):
                query["interval"] = "daily"
            query.pop("ids" if name in ("names", "symbols") else name, None)
            whole = "&".join([f"{k}={v}" for k, v in query.items()] + [f"{name}={urllib.parse.quote(absurd, safe=',%')}"])
            status, body = ask(port, f"{path}?{whole}")
            assert status < 500, (name, absurd[:40], status, body[:200])
            assert len(body) < 4_000_000
            answer = json.loads(body)
            assert status == 200 or "error" in answer or "status" in answer, (name, absurd[:40], status, body[:200])


def test_the_widest_requests_are_answered_and_the_next_one_too(port):
    symbols = ",".join({row["symbol"] for row in answer_of(port, "/coins/list")} - {""})
    currencies = ",".join(answer_of(port, "/simple/supported_vs_currencies"))
    ids = ",".join(row["id"] for row in answer_of(port, "/coins/list")[:700])
    for path in (f"/simple/price?vs_currencies={currencies}&ids={urllib.parse.quote(ids, safe=',')}",
                 f"/simple/price?vs_currencies={currencies}&symbols={urllib.parse.quote(symbols[:9000], safe=',')}",
                 "/coins/bitcoin/market_chart?vs_currency=usd&days=99999", "/coins/bitcoin/ohlc?vs_currency=usd&days=max"):
        status, body = ask(port, path)
        assert status < 500, (path[:60], status, body[:200])
        assert len(body) < 20_000_000
        assert ask(port, "/ping")[0] == 200
