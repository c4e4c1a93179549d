# SPDX-License-Identifier: Apache-2.0
"""Candles in SQLite and PostgreSQL against an oracle of Python alone, whatever comes in whatever order."""

import contextlib
import sqlite3

import oracle_candles
import pytest
from gecko import gecko
from replayed import AGE, age
from seeds import seeds
from stores import S_US, SLOT0, make_tape
from test_transform import Maker

SEEDS = seeds(1)
MINUTE = 60 * S_US


def polls_of(maker, n, first_slot, step, pace, width=9):
    """Rows that stay, coins that come and go, pages that are missing, prices that are null, rows that are refused; with pauses. A page has up to
    `width` coins."""
    polls, slot = [], first_slot
    pages = [maker.page(width * i, maker.random.randint(width // 3, width), 30) for i in range(2)]
    for _ in range(n):
        if maker.chance(4):
            pages = [page if maker.chance(2) else maker.page(width * i, maker.random.randint(width // 3, width), maker.random.choice([5, 30, 300]))
                     for i, page in enumerate(pages)]
        outcome = maker.random.choice(["ok"] * 9 + ["partial", "failed"])
        given = pages if outcome == "ok" else [] if outcome == "failed" else maker.random.choice([[None, pages[1]], [pages[0], None]])
        polls.append((slot, outcome, given, pace))
        slot += step * maker.random.choice([1] * 12 + [2, 9, 60])
    return polls


class Pair:
    """Both stores, which get the same tapes in the same order."""

    def __init__(self, server, path):
        self.server, self.path = server, path
        self.sinks = [f"sqlite:{path}", server.url(host="socket")]

    def load(self, data):
        gecko("load", "--from", f"tape:{data}", *[x for sink in self.sinks for x in ("--sink", sink)], check=0)
        return self.check(f"after a load of {data}")

    def replay(self, data, *options):
        for sink in self.sinks:
            gecko("replay", "--data", data, "--sink", sink, *options, check=0)

    def check(self, where):
        return [oracle_candles.check(tables, where) for tables in (oracle_candles.read_sqlite(self.path), oracle_candles.read_postgres(self.server))]

    def candles(self):
        """As the stores have them, to the byte."""
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            columns = [row[1] for row in db.execute("pragma table_info(candle)")]
            rows = db.execute(f"select {', '.join(f'quote({column})' for column in columns)} from candle order by step, start, job_id, coin_id")
            return rows.fetchall(), self.server.psql("select t::text from geckotape.candle as t order by step, start, job_id, coin_id").splitlines()

    def check_sql(self, data, where):
        """What was made while polls were stored is what SQL makes of their rows alone."""
        stored, gone = self.candles(), "delete from candle; delete from candle_upkeep;"
        with contextlib.closing(sqlite3.connect(self.path)) as db:
            db.executescript(gone)
        self.server.psql(f"set search_path to geckotape; {gone}")
        self.load(data)
        for got, want in zip(stored, self.candles(), strict=True):
            wrong = sorted({*got} ^ {*want})
            assert not wrong, "\n".join([f"{len(wrong)} of {len(want)} candles differ {where}", *(f"{'got ' if w in got else 'want'} {w}" for w in wrong[:8])])

    def age(self):
        """As another version of the transform would have left both."""
        age(self.path)
        self.server.psql(f"set search_path to geckotape; {AGE}")


@pytest.mark.parametrize("step, pace", [(30 * S_US, S_US), (2 * MINUTE, 20 * S_US), (10 * MINUTE, 4 * MINUTE), (90 * MINUTE, 9 * MINUTE)])
@pytest.mark.parametrize("seed", SEEDS)
def test_candles_are_made_of_what_came_in_time_and_late_and_twice_and_anew(seed, step, pace, server, tmp_path):
    maker = Maker(seed)
    pair = Pair(server, tmp_path / "x.db")
    one, other = tmp_path / "one", tmp_path / "other"
    polls = polls_of(maker, 60, SLOT0, step, pace)
    make_tape(one, polls[:40])
    # another collector of the same job: some slots are the same, others lie between; all come late
    make_tape(other, polls_of(maker, 30, SLOT0 + maker.random.choice([0, 20 * step, 5 * step + step // 2]), step, pace))
    assert min(pair.load(one)) > 20
    pair.load(other)
    make_tape(one, polls[40:])
    pair.load(one)
    pair.age()
    pair.replay(one)
    pair.replay(other)
    pair.check("after replays")
    pair.replay(one, "--force")
    assert min(pair.check("after a forced replay")) > 20


def test_candles_of_a_whole_market_are_as_those_of_a_few_coins(server, tmp_path):
    """As many as come in one batch: PostgreSQL gets them by COPY."""
    maker = Maker(SEEDS[0])
    pair = Pair(server, tmp_path / "x.db")
    polls = polls_of(maker, 70, SLOT0, 2 * MINUTE, 20 * S_US, width=240)
    make_tape(tmp_path / "one", polls[:60])
    assert min(pair.load(tmp_path / "one")) > 1000
    make_tape(tmp_path / "one", polls[60:])
    assert min(pair.load(tmp_path / "one")) > 1000


@pytest.mark.parametrize("seed", SEEDS)
def test_candles_kept_in_memory_are_those_that_sql_makes(seed, server, tmp_path):
    """Several transactions of one process; others end, and begin, anywhere in a bucket; then polls are made anew, and late ones come."""
    maker = Maker(seed)
    pair = Pair(server, tmp_path / "x.db")
    one, other = tmp_path / "one", tmp_path / "other"
    step = maker.random.choice([20, 30, 50]) * S_US
    polls, at = polls_of(maker, 420, SLOT0, step, maker.random.choice([1, 6]) * S_US), 0
    for cut in [*sorted(maker.random.sample(range(1, len(polls)), 4)), len(polls)]:
        make_tape(one, polls[at:cut])
        pair.load(one)
        at = cut
    pair.check_sql(one, "after loads")
    pair.replay(one, "--force")
    pair.check("after a replay")
    pair.check_sql(one, "after a replay")
    slots = maker.random.sample(range(len(polls)), 20)
    make_tape(other, [(polls[i][0] + step // 2, "ok", *polls[i][2:]) for i in sorted(slots)])
    pair.load(other)
    pair.check_sql(one, "after late polls")
    pair.replay(one, "--force", "--since", "2026-11-23T14:37:10Z")
    pair.check_sql(one, "after a replay of a part")
