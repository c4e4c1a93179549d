# SPDX-License-Identifier: Apache-2.0
"""One tape in two stores: PostgreSQL holds what SQLite holds, and what the oracle says, value by value and table by table."""
import collections
import itertools
import json

import oracle
import pytest
from gecko import gecko
from oracle_charts import COLUMNS as CHARTS
from oracle_endpoints import ENDPOINTS
from replayed import AGE, age
from seeds import FIRST_SEED, seeds
from stores import HOUR_US, S_US, SLOT0, check_equal, in_postgres, in_sqlite, kinds_in_postgres, make_tape
from test_charts import NOW, Maker as MakerOfCharts
from test_endpoints import Maker as MakerOfOthers
from test_transform import Maker

SEEDS = seeds(2)


def markets(maker, n, first_slot, step):
    """Polls that follow each other: sound and hostile rows, some of them unchanged, coins that come and go, pages that are missing."""
    polls, pages = [], [maker.page(0, 8, 30)]
    for i in range(n):
        oddity = maker.random.choice([3, 30, 300])
        pages = pages if maker.chance(4) else [maker.page(maker.random.randint(0, 3), maker.random.randint(2, 10), oddity)]
        if maker.chance(3):
            pages = [pages[0], maker.page(14, maker.random.randint(0, 6), oddity)]
        outcome = maker.random.choice(["ok", "ok", "ok", "ok", "partial", "partial", "failed"])
        missing = maker.random.choice([[None, *pages], [*pages, None]]) if outcome == "partial" else pages
        polls.append((first_slot + i * step, outcome, [] if outcome == "failed" else missing))
    return polls


class Pair:
    """Both stores, which get the same tapes in the same order."""

    def __init__(self, server, path):
        self.server, self.path = server, path
        self.sinks = [f"sqlite:{path}", server.url(host="socket")]

    def load(self, data):
        gecko("load", "--from", f"tape:{data}", *[x for sink in self.sinks for x in ("--sink", sink)], check=0)

    def replay(self, data, *options):
        for sink in self.sinks:
            gecko("replay", "--data", data, "--sink", sink, *options, check=0)

    def check(self):
        """Returns what they hold."""
        held = in_postgres(self.server)
        check_equal(held, in_sqlite(self.path, kinds_in_postgres(self.server)))
        return held

    def age(self):
        """As another version of the transform would have left both."""
        age(self.path)
        self.server.psql(f"set search_path to geckotape; {AGE}")


@pytest.mark.parametrize("seed", SEEDS)
def test_postgres_holds_what_sqlite_holds_whatever_comes_in_whatever_order(seed, server, tmp_path):
    maker = Maker(seed)
    pair = Pair(server, tmp_path / "x.db")
    one, other = tmp_path / "one", tmp_path / "other"
    step = 600 * S_US
    polls = markets(maker, 20, SLOT0, step)
    make_tape(one, polls[:10])
    # another collector of the same job: some slots are the same, others lie between; all come late
    late = markets(maker, 12, SLOT0 + maker.random.choice([0, step // 2]), step)
    make_tape(other, late)
    pair.load(one)
    pair.load(other)
    make_tape(one, polls[10:])
    pair.load(one)
    fresh = pair.check()
    assert absences_held(fresh) == absences(polls[:10], late, polls[10:])
    assert fresh["market"] and fresh["latest"] and fresh["coin_name"] and fresh["absence"]
    for data in (one, other):
        pair.replay(data, "--force")
        assert pair.check()["poll"].total() == 32


def without_logos(held):
    """A replay brings back a coin's logo only from rows as new as coin.last_seen."""
    return {table: collections.Counter({tuple(x for x in row if x[0] != "image"): n for row, n in rows.items()}) for table, rows in held.items()}


def absences(*tapes):
    """What loading tapes of one job, one after the other, leaves: Counter of (coin, from, until). An ok poll ousts a partial one of its slot."""
    held = {}
    for slot, outcome, pages in itertools.chain(*tapes):
        if outcome != "failed" and (slot not in held or (held[slot][0], outcome) == ("partial", "ok")):
            held[slot] = outcome, oracle.expected_poll([page for page in pages if page is not None])
    known, since, ended = set(), {}, collections.Counter()
    for slot, (outcome, poll) in sorted(held.items()):
        there = {row["id"] for row in poll.rows}
        ended.update((coin, since.pop(coin), slot) for coin in there & since.keys())
        known |= there
        if outcome == "ok":
            since.update(dict.fromkeys(known - there - {r["coin"] for r in poll.refusals} - since.keys(), slot))
    return ended + collections.Counter((coin, slot, None) for coin, slot in since.items())


def absences_held(held):
    return collections.Counter((row["coin_id"], row["from_slot"], row["until_slot"]) for row in map(dict, held["absence"].elements()))


@pytest.mark.parametrize("until", ["it comes back", "it never comes back"])
def test_a_coin_that_only_an_ousted_poll_saw_was_never_absent(until, server, tmp_path):
    def page(*coins):
        return ("[" + ",".join(f'{{"id":"{coin}","symbol":"c","name":"C","current_price":1}}' for coin in coins) + "]").encode()

    a, both = page("a"), page("a", "x")
    last = both if until == "it comes back" else a
    polls = [(SLOT0 + i * HOUR_US, outcome, pages)
             for i, (outcome, pages) in enumerate([("ok", [a]), ("partial", [both, None]), ("ok", [a]), ("ok", [last])])]
    late = [(SLOT0 + HOUR_US, "ok", [a])]
    pair = Pair(server, tmp_path / "x.db")
    pair.load(make_tape(tmp_path / "one", polls))
    assert absences_held(pair.check()) == absences(polls) != collections.Counter()
    pair.load(make_tape(tmp_path / "other", late))
    assert absences_held(pair.check()) == absences(polls, late) == collections.Counter()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replay_makes_of_postgres_what_a_load_of_today_makes(seed, server, tmp_path):
    maker = Maker(seed)
    pair = Pair(server, tmp_path / "x.db")
    data = make_tape(tmp_path / "data", markets(maker, 20, SLOT0, 600 * S_US))
    pair.load(data)
    fresh = pair.check()
    pair.age()
    pair.replay(data)
    check_equal(without_logos(pair.check()), without_logos(fresh))


def series(value):
    return value and json.loads(value, parse_int=str, parse_float=str)


def test_a_replay_finds_no_absence_of_a_coin_that_had_no_row_yet(server, tmp_path):
    def page(*coins):
        return ("[" + ",".join(f'{{"id":"{coin}","symbol":"c","name":{name}}}' for coin, name in coins) + "]").encode()

    pages = [page(("a", '"A"'), ("b", "7")), page(("a", '"A"')), page(("a", '"A"'), ("b", '"B"'))]
    pair = Pair(server, tmp_path / "x.db")
    data = make_tape(tmp_path / "data", [(SLOT0 + i * HOUR_US, "ok", [body]) for i, body in enumerate(pages)])
    pair.load(data)
    fresh = pair.check()
    assert not fresh["absence"] and fresh["quarantine"].total() == 1
    pair.replay(data, "--force")
    check_equal(pair.check(), fresh)


@pytest.mark.parametrize("seed", SEEDS)
def test_postgres_holds_what_the_oracle_says(seed, server, tmp_path):
    maker = Maker(seed)
    polls = [(SLOT0 + i * HOUR_US, "ok", [maker.page(0, 12, oddity)]) for i, oddity in enumerate([3, 30, 300] * 3)]
    gecko("load", "--from", f"tape:{make_tape(tmp_path, polls)}", "--sink", server.url(host="socket"), check=0)
    got = in_postgres(server)
    rows = {(row["slot"], row["coin_id"]): row for row in map(dict, got["market"])}
    refusals = collections.Counter((row["coin"] or "", row["reason"]) for row in map(dict, got["quarantine"].elements()))
    names = {row["id"]: row for row in map(dict, got["coin"])}
    for slot, _, pages in polls:
        want = oracle.expected_poll(pages)
        refusals.subtract((r["coin"], r["reason"]) for r in want.refusals)
        for row in want.rows:
            stored = rows.pop((slot, row["id"]))
            for column in set(oracle.COLUMNS) - {"id", "symbol", "name", "image", "sparkline_in_7d"}:
                assert stored[column] == row[column], (slot, row["id"], column)
            assert series(stored["sparkline_in_7d"]) == row["sparkline_in_7d"], (slot, row["id"])
            names[row["id"]]["newest"] = row
    assert not rows and not +refusals and not -refusals
    for coin, row in names.items():
        assert [row[c] for c in ("symbol", "name", "image")] == [row["newest"]["symbol"], row["newest"]["name"], row["newest"]["image"] or None], coin


def test_thousands_of_coins_are_written_at_once_as_they_are_one_by_one(server, tmp_path):
    def page(coins, price, symbol):
        return json.dumps([{"id": f"c{n}", "symbol": symbol(n), "name": f"C {n}", "current_price": n + price} for n in coins]).encode()

    pages = [page(range(4200), 1, lambda n: "c"), page(range(1, 4201), 2, lambda n: "d" if n % 900 == 0 else "c")]
    pair = Pair(server, tmp_path / "x.db")
    for i, body in enumerate(pages):  # each by a loader that remembers nothing
        pair.load(make_tape(tmp_path / "data", [(SLOT0 + i * HOUR_US, "ok", [body])]))
    held = pair.check()
    assert len(held["market"]) == 8400 and len(held["coin"]) == len(held["latest"]) == 4201
    assert len(held["coin_name"]) == 4201 + 4 and len(held["absence"]) == 1
    pair.replay(tmp_path / "data", "--force")
    check_equal(pair.check(), held)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_postgres_holds_the_other_endpoints_as_sqlite_does(endpoint, server, tmp_path):
    maker = MakerOfOthers(FIRST_SEED)
    pair = Pair(server, tmp_path / "x.db")
    bodies = iter(lambda: maker.body(endpoint), None)
    polls = [(SLOT0 + i * HOUR_US * 5, maker.random.choice(["ok", "ok", "ok", "failed"]), [body]) for i, body in zip(range(20), bodies)]
    late = [(slot + HOUR_US * maker.random.choice([0, 2]), outcome, [body]) for (slot, outcome, _), body in zip(polls, bodies)]
    market = make_tape(tmp_path / "market", markets(Maker(FIRST_SEED), 5, SLOT0, HOUR_US))
    pair.load(market)  # names that answers of other endpoints must not take from coins in a market
    one, other = make_tape(tmp_path / "one", polls, "job", endpoint), make_tape(tmp_path / "other", late, "job", endpoint)
    pair.load(one)
    pair.load(other)
    held = pair.check()
    assert held[{"coins/list": "listing", "global": "global"}.get(endpoint, "vs_currency")], FIRST_SEED
    pair.age()
    pair.replay(one)
    pair.replay(other)
    pair.check()


@pytest.mark.parametrize("endpoint", CHARTS)
def test_postgres_holds_charts_as_sqlite_does(endpoint, server, tmp_path):
    maker = MakerOfCharts(FIRST_SEED)
    pair = Pair(server, tmp_path / "x.db")
    polls = [(NOW * 1000 + i * S_US, maker.random.choice(["ok", "ok", "ok", "failed"]), [maker.body(endpoint)]) for i in range(40)]
    data = make_tape(tmp_path / "data", polls, "charts", endpoint)
    pair.load(data)
    held = pair.check()
    assert held["history" if endpoint == "coins/market_chart" else "ohlc"], FIRST_SEED
    pair.age()
    pair.replay(data)
    check_equal(pair.check(), held)
