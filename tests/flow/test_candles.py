# SPDX-License-Identifier: Apache-2.0
"""geckotape query rows and candles, against what is on the tape."""
import csv
import io
import json

import pytest
from gecko import gecko, market_body
from oracle import read_time
from stores import HOUR_US, S_US, SLOT0, make_tape

MINUTE = 60 * S_US
POLLS = [(SLOT0 + i * 2 * MINUTE, "ok", [market_body(5, i // 3)]) for i in range(100)]  # rows change with every third poll


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store")
    make_tape(path / "data", POLLS)
    gecko("load", "--from", f"tape:{path}/data", "--sink", f"sqlite:{path}/market.db", check=0)
    return f"sqlite:{path}/market.db"


def query(store, *words):
    return gecko("query", *words, "--from", store, check=0).stdout


def prices(coin):
    """[(when it was known, price)]"""
    return [(slot + S_US, json.loads(body)[coin]["current_price"]) for slot, _, (body,) in POLLS]


def bars(coin, step):
    found = {}
    for when, price in prices(coin):
        found.setdefault(when // step * step, []).append(price)
    return [(start, known[0], max(known), min(known), known[-1]) for start, known in found.items()]


@pytest.mark.parametrize("every, step", [("1h", HOUR_US), ("5m", 5 * MINUTE), ("30m", 30 * MINUTE), ("1d", 24 * HOUR_US), ("7m", 7 * MINUTE)])
def test_candles_are_of_every_poll(every, step, store):
    text = query(store, "coin-0", "--every", every, "--since", "2026-11-23", "--until", "2026-11-24", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    got = [(read_time(row["start"]), *(float(row[field]) for field in ("open", "high", "low", "close"))) for row in rows]
    assert got == bars(0, step)
    assert {row["id"] for row in rows} == {"coin-0"} and all(row["market_cap"] and row["total_volume"] for row in rows)


def test_candles_of_several_coins_are_hours_unless_asked_otherwise(store):
    rows = json.loads(query(store, "candles", "coin-0", "coin-3", "--until", "2026-11-24", "--format", "json"))
    assert [row["id"] for row in rows] == ["coin-0"] * 4 + ["coin-3"] * 4
    assert rows[0] == {**rows[0], "start": "2026-11-23T14:00:00.000Z", "open": prices(0)[0][1]}


def test_candles_of_a_moment_know_nothing_of_later(store):
    rows = json.loads(query(store, "candles", "coin-0", "--every", "1h", "--at", "2026-11-23T15:10:30Z", "--format", "json"))
    known = [price for when, price in prices(0) if SLOT0 + HOUR_US <= when <= SLOT0 + HOUR_US + 10 * MINUTE + 30 * S_US]
    assert [row["start"] for row in rows] == ["2026-11-23T14:00:00.000Z", "2026-11-23T15:00:00.000Z"]
    assert (rows[1]["high"], rows[1]["low"], rows[1]["close"]) == (max(known), min(known), known[-1])


def test_rows_are_those_that_were_stored(store):
    lines = query(store, "rows", "coin-1", "--since", "2026-11-23T14:00:00Z", "--until", "2026-11-23T14:30:00Z", "--format", "jsonl",
                  "--columns", "id,current_price,fetched_at").splitlines()
    want = [(when, price) for i, (when, price) in enumerate(prices(1)) if i % 3 == 0 and when < SLOT0 + 30 * MINUTE]
    assert [(read_time(row["fetched_at"]), row["current_price"]) for row in map(json.loads, lines)] == want


def test_what_cannot_be_answered_is_told_with_its_mend(store):
    for words, told in ((["candles"], "of which coin"), (["rows"], "of which coin"), (["coin-0", "--since", "-2h"], "go with rows, candles or --every"),
                        (["rows", "coin-0", "--since", "2026-11-24", "--until", "2026-11-23"], "not before --until"),
                        (["candles", "coin-0", "--columns", "id"], "--columns")):
        done = gecko("query", *words, "--from", store, check=2)
        assert told in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert "nosuch: the store has no such coin" in gecko("query", "candles", "nosuch", "--from", store, check=2).stderr
