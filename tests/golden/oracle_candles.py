# SPDX-License-Identifier: Apache-2.0
"""The candles that a store must hold, worked out from its rows and polls by Python alone.

    candles(tables)   {(step, start, job, coin): Candle} of every bucket that the upkeep says is made
    read_sqlite(path) / read_postgres(server, database)   the tables, with candles as the store has them

A row counts when it came. A poll that left a coin's row out, as it had not changed, counts when it was over, with the row before. What has
no price does not count.
"""
import bisect
import collections
import contextlib
import decimal
import json
import sqlite3

S_US = 1_000_000
STEPS = (300, 3600, 86400)
HOUR = 3600 * S_US
Candle = collections.namedtuple("Candle", "open high low close open_market_cap open_total_volume market_cap total_volume "
                                          "first_at last_at rows unpriced")
QUERIES = {
    "market": "select slot, job_id, coin_id, fetched_at, current_price, market_cap, total_volume from market",
    "poll": "select job_id, slot, finished, rows_unchanged, rows_quarantined, stream, first_offset, last_offset from poll where loaded = 'rows'",
    "absence": "select job_id, coin_id, from_slot, until_slot from absence",
    "quarantine": "select stream, \"offset\" as at, coin, field, reason from quarantine",
    "coin": "select coin_id, id from coin",
    "job": "select job_id, name from job where endpoint = 'coins/markets'",
    "candle_upkeep": "select job_id, built_until from candle_upkeep",
    "candle": "select * from candle",
}
TIMES = {"slot", "fetched_at", "finished", "from_slot", "until_slot", "built_until", "start", "first_at", "last_at"}
NUMBERS = {"current_price", "market_cap", "total_volume", "open", "high", "low", "close", "open_market_cap", "open_total_volume"}


def number(value):
    return None if value is None else decimal.Decimal(repr(value) if isinstance(value, float) else value)


def read_sqlite(path):
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        return {name: [{key: number(value) if key in NUMBERS else value for key, value in dict(row).items()} for row in db.execute(query)]
                for name, query in QUERIES.items()}


def read_postgres(server, database="etl", schema="geckotape"):
    found = {}
    for name, query in QUERIES.items():
        # times as µs, and as hex: psql leaves out characters that it thinks no terminal can show
        lines = server.psql(f"set search_path to {schema}; select encode(convert_to(row_to_json(t)::text, 'UTF8'), 'hex') from ({query}) as t",
                            database).splitlines()
        rows = [json.loads(bytes.fromhex(line), parse_float=decimal.Decimal) for line in lines if line != "SET"]
        found[name] = [{key: micros(value) if key in TIMES else number(value) if key in NUMBERS else value for key, value in row.items()}
                       for row in rows]
    return found


def micros(text):
    from oracle import read_time
    return None if text is None else read_time(text.replace("+00:00", "Z"))


def refusals_of(tables):
    """{(stream, coin's id): offsets of records in which its row was refused, not just a value of it}"""
    found = collections.defaultdict(list)
    for q in tables["quarantine"]:
        if q["reason"] != "duplicate coin" and (q["reason"] == "duplicate key" or q["field"] in ("id", "symbol", "name")
                                                or q["field"] is None and q["reason"] != "bad text"):
            found[q["stream"], q["coin"]].append(q["at"])
    return {key: sorted(offsets) for key, offsets in found.items()}


def points_of(polls, rows, absences, refused):
    """[(when, row)] of a coin in a job, left-out rows too; rows: by slot."""
    base = None
    for poll in polls:
        row = rows.get(poll["slot"])
        if row:
            base = row
            yield row["fetched_at"], row
        elif base and poll["rows_unchanged"] > 0:
            offsets = refused.get(poll["stream"], [])
            at = bisect.bisect_left(offsets, poll["first_offset"])
            if base["slot"] // HOUR != poll["slot"] // HOUR or any(a["from_slot"] <= poll["slot"] < (a["until_slot"] or 2**63) for a in absences):
                base = None
            elif at == len(offsets) or offsets[at] > poll["last_offset"]:
                yield poll["finished"], base


def candle_of(points, rows):
    points = sorted(((when, row) for when, row in points if row["current_price"] is not None), key=lambda point: point[0])
    unpriced = sum(row["current_price"] is None for row in rows)
    if not points:
        return Candle(*[None] * 10, len(rows), unpriced)
    prices = [row["current_price"] for _, row in points]
    (first_at, first), (last_at, last) = points[0], points[-1]
    return Candle(prices[0], max(prices), min(prices), prices[-1], first["market_cap"], first["total_volume"], last["market_cap"],
                  last["total_volume"], first_at, last_at, len(rows), unpriced)


def candles(tables):
    made, ids = {}, {coin["coin_id"]: coin["id"] for coin in tables["coin"]}
    refusals = refusals_of(tables)
    for job in tables["job"]:
        key = job["job_id"]
        polls = sorted((p for p in tables["poll"] if p["job_id"] == key), key=lambda p: p["slot"])
        built = max((p["slot"] for p in polls), default=0) // (300 * S_US) * 300 * S_US
        assert [u["built_until"] for u in tables["candle_upkeep"] if u["job_id"] == key] == ([built] if polls else [])
        of_coins = collections.defaultdict(dict)
        for row in tables["market"]:
            if row["job_id"] == key:
                of_coins[row["coin_id"]][row["slot"]] = row
        for coin, rows in of_coins.items():
            refused = {stream: offsets for (stream, name), offsets in refusals.items() if name == ids[coin]}
            absences = [a for a in tables["absence"] if (a["job_id"], a["coin_id"]) == (key, coin)]
            points = list(points_of(polls, rows, absences, refused))
            for step in STEPS:
                buckets = collections.defaultdict(lambda: ([], []))
                for when, row in points:
                    if row["current_price"] is not None:
                        buckets[when // (step * S_US)][0].append((when, row))
                for row in rows.values():
                    buckets[row["fetched_at"] // (step * S_US)][1].append(row)
                for n, (found, stored) in buckets.items():
                    if (n + 1) * step * S_US <= built:
                        made[step, n * step * S_US, key, coin] = candle_of(found, stored)
    return made


def held(tables):
    return {(c["step"], c["start"], c["job_id"], c["coin_id"]): Candle(*[c[field] for field in Candle._fields]) for c in tables["candle"]}


def check(tables, where=""):
    """Returns how many there are."""
    got, want = held(tables), candles(tables)
    # a store cannot tell which of two rows of a coin was refused, where one was left out
    refused = {name for _, name in refusals_of(tables)}
    unclear = {coin["coin_id"] for coin in tables["coin"] if coin["id"] in refused}
    wrong = [(key, got.get(key), want.get(key)) for key in sorted({*got, *want}) if got.get(key) != want.get(key) and key[3] not in unclear]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(want)} candles differ {where}", *(f"{k}\n  got  {g}\n  want {w}" for k, g, w in wrong[:6])])
    return sum(key[3] not in unclear for key in want)
