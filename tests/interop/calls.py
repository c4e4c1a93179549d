# SPDX-License-Identifier: Apache-2.0
"""What the simulator serves, and how each official client asks for it."""
import contextlib
import re
import time

from gecko import ROOT, Running
from recorder import Recorder

NOW = int(time.time())
DAY = 86400
DATE = time.strftime("%Y-%m-%d", time.gmtime(NOW - 7 * DAY))
EUROPEAN_DATE = time.strftime("%d-%m-%Y", time.gmtime(NOW - 7 * DAY))
MARKETS = {"vs_currency": "usd", "per_page": 25, "page": 2, "order": "volume_desc", "sparkline": True,
           "price_change_percentage": "1h,24h,7d,14d,30d,200d,1y", "precision": "full"}
PRICE = {"ids": "bitcoin,ethereum", "vs_currencies": "usd,eur", "include_market_cap": True, "include_24hr_vol": True,
         "include_24hr_change": True, "include_last_updated_at": True}
RANGE = {"vs_currency": "usd", "from": str(NOW - 3 * DAY), "to": str(NOW)}

# route: (method of coingecko-sdk and of @coingecko/coingecko-typescript, arguments in the path, parameters;
#         method of pycoingecko, its arguments by name). None: the client has no such method.
CALLS = {
    "/ping": (("ping.get", "ping.get"), [], {}, "ping", {}),
    "/key": (("key.get", "key.get"), [], {}, "key", {}),
    "/simple/price": (("simple.price.get", "simple.price.get"), [], PRICE, "get_price", PRICE),
    "/simple/supported_vs_currencies": (("simple.supported_vs_currencies.get", "simple.supportedVsCurrencies.get"), [], {},
                                        "get_supported_vs_currencies", {}),
    "/coins/list": (("coins.list.get", "coins.list.get"), [], {"include_platform": True}, "get_coins_list", {"include_platform": True}),
    "/coins/list/new": (("coins.list.get_new", "coins.list.getNew"), [], {}, "get_coins_list_new", {}),
    "/coins/markets": (("coins.markets.get", "coins.markets.get"), [], MARKETS, "get_coins_markets", MARKETS),
    "/coins/categories": (("coins.categories.get", "coins.categories.get"), [], {}, "get_coins_categories", {}),
    "/coins/categories/list": (("coins.categories.get_list", "coins.categories.getList"), [], {}, "get_coins_categories_list", {}),
    "/coins/{id}": (("coins.get_id", "coins.getID"), ["bitcoin"], {"sparkline": True}, "get_coin_by_id", {"id": "bitcoin", "sparkline": True}),
    "/coins/{id}/tickers": (("coins.tickers.get", "coins.tickers.get"), ["bitcoin"], {}, "get_coin_ticker_by_id", {"id": "bitcoin"}),
    "/coins/{id}/history": (("coins.history.get", "coins.history.get"), ["bitcoin"], {"date": DATE},
                            "get_coin_history_by_id", {"id": "bitcoin", "date": DATE}),
    "/coins/{id}/market_chart": (("coins.market_chart.get", "coins.marketChart.get"), ["bitcoin"], {"vs_currency": "usd", "days": "7"},
                                 "get_coin_market_chart_by_id", {"id": "bitcoin", "vs_currency": "usd", "days": "7"}),
    "/coins/{id}/market_chart/range": (("coins.market_chart.get_range", "coins.marketChart.getRange"), ["bitcoin"], RANGE,
                                       "get_coin_market_chart_range_by_id",
                                       {"id": "bitcoin", "vs_currency": "usd", "from_timestamp": RANGE["from"], "to_timestamp": RANGE["to"]}),
    "/coins/{id}/ohlc": (("coins.ohlc.get", "coins.ohlc.get"), ["bitcoin"], {"vs_currency": "usd", "days": "7"},
                         "get_coin_ohlc_by_id", {"id": "bitcoin", "vs_currency": "usd", "days": "7"}),
    "/coins/{id}/ohlc/range": (("coins.ohlc.get_range", "coins.ohlc.getRange"), ["bitcoin"], {**RANGE, "interval": "hourly"},
                               "get_coin_ohlc_by_id_range",
                               {"id": "bitcoin", "vs_currency": "usd", "from_timestamp": RANGE["from"], "to_timestamp": RANGE["to"],
                                "interval": "hourly"}),
    "/asset_platforms": (("asset_platforms.get", "assetPlatforms.get"), [], {}, "get_asset_platforms", {}),
    "/global": (("global_.get", "global.get"), [], {}, "get_global", {}),
    "/exchanges": (("exchanges.get", "exchanges.get"), [], {"per_page": 5, "page": 1}, "get_exchanges_list", {"per_page": 5, "page": 1}),
    "/exchanges/list": (("exchanges.get_list", "exchanges.getList"), [], {}, "get_exchanges_id_name_list", {}),
    "/exchanges/{id}": (("exchanges.get_id", "exchanges.getID"), ["binance"], {}, "get_exchanges_by_id", {"id": "binance"}),
}


def served():
    """The patterns of all routes that the API has, read off its source."""
    text = (ROOT / "src/serve/api_v3/routes.c").read_text()
    found = re.findall(r'^    \{"(/[^"]*)",', text.split("routes[]")[1], re.MULTILINE)
    assert len(found) > 5
    return found


def path_of(route, words):
    for word in words:
        route = re.sub(r"\{\w+\}", word, route, count=1)
    return route


@contextlib.contextmanager
def simulator(*options):
    """A simulated CoinGecko behind a recorder."""
    with Running("simulate", "--listen", "127.0.0.1:0", "--coins", 120, *options) as sim:
        with Recorder(int(sim.expect(r"http://127\.0\.0\.1:(\d+)")[1])) as recorder:
            yield recorder
