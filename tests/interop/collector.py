# SPDX-License-Identifier: Apache-2.0
"""A collector that has polled a simulator whose clock stands still, and that simulator: both tell of the same moment."""
import contextlib
import glob
import json
import time
import urllib.error

from calls import CALLS, MARKETS, RANGE
from gecko import Running, clean_env, get, wait_for
from recorder import Recorder

JOBS = {
    "dollars": "{top: 250, vs: usd, every: 1h}",
    "euros": "{top: 250, vs: eur, every: 1h}",
    "whole": "{endpoint: global, every: 1h}",
    "list": "{endpoint: coins/list, every: 1h}",
}

# what a poll did not ask for cannot be asked of the collector
ASKED = {
    "/coins/markets": {k: v for k, v in MARKETS.items() if k not in ("precision", "sparkline", "price_change_percentage")},
    "/coins/list": {},
    "/coins/{id}/market_chart/range": {**RANGE, "to": str(int(RANGE["to"]) + 3600)},
    "/coins/{id}/ohlc/range": {**RANGE, "to": str(int(RANGE["to"]) + 3600), "interval": "hourly"},
    # the simulator's coins have a past from the first day on, the collector's one since it runs
    "/coins/{id}/history": {"date": time.strftime("%d-%m-%Y", time.gmtime(time.time() + 86400))},
}
SAME = ["/ping", "/coins/list", "/coins/markets", "/global"]  # value for value
CLOSE = ["/simple/price"]  # from rows of /coins/markets, where caps and volumes are rounded
KNOWN = ["/simple/supported_vs_currencies", "/coins/{id}", "/coins/{id}/history"]  # each value that the collector has
NEWEST = ["/coins/{id}/market_chart", "/coins/{id}/market_chart/range", "/coins/{id}/ohlc", "/coins/{id}/ohlc/range"]
REFUSED = {"/key": 404, "/coins/categories": 501, "/coins/categories/list": 501, "/asset_platforms": 501}
EMPTY = ["/coins/list/new"]  # none that came after the first list


def call_of(route):
    """As in CALLS, with what is asked of the collector."""
    methods, words, parameters, method, arguments = CALLS[route]
    if route in ASKED:
        parameters = ASKED[route]
        renamed = {{"from": "from_timestamp", "to": "to_timestamp"}.get(name, name): value for name, value in parameters.items()}
        arguments = {**({"id": words[0]} if words else {}), **renamed}
    return methods, words, parameters, method, arguments


def is_loaded(port, job):
    try:
        return [poll["loaded"] for poll in json.loads(get(port, f"/api/polls?job={job}"))["polls"]] == ["rows"]
    except urllib.error.HTTPError:
        return False


@contextlib.contextmanager
def collector_and_simulator(folder):
    """Recorders in front of both."""
    (folder / "geckotape.yaml").write_text("jobs:\n" + "".join(f"  {name}: {keys}\n" for name, keys in JOBS.items()))
    # the monotonic clock goes on, or nothing would
    frozen = clean_env(LD_PRELOAD=glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")[0], TZ="UTC",
                       FAKETIME=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()), FAKETIME_DONT_FAKE_MONOTONIC="1", DONT_FAKE_MONOTONIC="1")
    with Running("simulate", "--listen", "127.0.0.1:0", "--coins", 120, env=frozen) as sim:
        api = int(sim.expect(r"http://127\.0\.0\.1:(\d+)")[1])
        with Running("run", "--config", folder / "geckotape.yaml", "--api-url", f"http://127.0.0.1:{api}/api/v3", "--api-rate", "100000",
                     "--data", folder / "data", "--listen", "127.0.0.1:0") as run:
            port = run.port()
            for job in JOBS:
                wait_for(lambda name=job: is_loaded(port, name), what=f"poll of {job}")
            with Recorder(port) as ours, Recorder(api) as theirs:
                yield ours, theirs
            assert run.stop() == 0


# ---- how plain values of both compare ----


def is_close(ours, theirs):
    return abs(ours - theirs) <= max(0.5, 1e-6 * abs(theirs)) if isinstance(theirs, (int, float)) else ours == theirs


def check_same_values(ours, theirs, where="$"):
    if isinstance(ours, int) and isinstance(theirs, float):
        ours = float(ours)  # 5e+16 may be 50000000000000000
    if isinstance(theirs, dict):
        assert sorted(ours) == sorted(theirs), where
        for key, value in theirs.items():
            check_same_values(ours[key], value, f"{where}.{key}")
    else:
        assert ours == theirs, f"{where}: {ours!r} of {theirs!r}"


def check_close(ours, theirs, where="$"):
    if isinstance(theirs, dict):
        assert sorted(ours) == sorted(theirs), where
        for key, value in theirs.items():
            check_close(ours[key], value, f"{where}.{key}")
    else:
        assert is_close(ours, theirs), f"{where}: {ours!r} of {theirs!r}"


def check_known(ours, theirs, where="$"):
    """What the collector tells is what the simulator tells; null, empty or 0 is what no row holds."""
    if isinstance(ours, dict):
        for key, value in ours.items():
            assert key in theirs, f"{where}.{key}"
            check_known(value, theirs[key], f"{where}.{key}")
    elif isinstance(ours, list):
        assert all(value in theirs for value in ours), where
    elif ours and not where.endswith((".last_updated", ".max_supply_infinite")):
        assert is_close(ours, theirs), f"{where}: {ours!r} of {theirs!r}"


def check_newest(ours, theirs):
    """The last point of a chart is the poll's, and the last candle closes with it."""
    for one, other in [(ours[key], theirs[key]) for key in ours] if isinstance(ours, dict) else [(ours, theirs)]:
        assert one and abs(one[-1][-1] - other[-1][-1]) <= 1e-4 * abs(other[-1][-1]), (one[-1], other[-1])


def check_answers(route, ours, theirs):
    """Of both servers to the same call, as plain values."""
    if route in SAME:
        check_same_values(ours, theirs)
    elif route in CLOSE:
        check_close(ours, theirs)
    elif route in KNOWN:
        check_known(ours, theirs)
    elif route in NEWEST:
        check_newest(ours, theirs)
    else:
        assert route in EMPTY and ours == []
    assert ours or route in EMPTY, "an empty answer proves nothing"
