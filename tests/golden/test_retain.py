# SPDX-License-Identifier: Apache-2.0
"""What --retain-rows and --retain-5m remove, and what they never touch: beside each store that forgets stands one that keeps all."""
import collections
import sqlite3

import pytest
from gecko import ROOT, gecko, market_body
from postgres import Server, binaries
from stores import HOUR_US, S_US, SLOT0, make_tape
from test_transform import Maker

DAY_US = 24 * HOUR_US
MIDNIGHT = SLOT0 // DAY_US * DAY_US
KEEP = {"rows": 3 * DAY_US, "fine": 6 * DAY_US}
OPTIONS = ["--retain-rows", "3d", "--retain-5m", "6d"]
LATE_US = 3 * HOUR_US  # a row may come so long after its slot


@pytest.fixture(scope="module")
def server():
    if binaries() is None:
        pytest.skip("no PostgreSQL here")
    made = Server()
    yield made
    made.remove()


@pytest.fixture
def database(server):
    server.create("etl")
    return server


COLUMNS = {
    "absence": "from_slot, coin_id, coalesce(until_slot, from_slot)",
    "market": "slot, coin_id, current_price, market_cap, fetched_at",
    "candle": "start, coin_id, step, open, high, low, close, market_cap, total_volume, first_at, last_at, rows, unpriced",
}


class Sqlite:
    def __init__(self, path):
        self.path, self.url = path, f"sqlite:{path}"

    def read(self, table):
        with sqlite3.connect(self.path) as db:
            return sorted(map(repr, db.execute(f"select {COLUMNS[table]} from {table}")))

    def count(self, what):
        with sqlite3.connect(self.path) as db:
            return db.execute(f"select count(*) from {what}").fetchone()[0]


class Postgres:
    def __init__(self, server, schema):
        self.server, self.schema, self.url = server, schema, server.url(host="socket", schema=schema)

    def read(self, table):
        first, *others = COLUMNS[table].split(", ")
        columns = ", ".join([f"(extract(epoch from {first}) * 1000000)::bigint", *others])
        return sorted(f"({line.replace('|', ', ')})" for line in self.server.psql(f"select {columns} from {self.schema}.{table}").splitlines())

    def count(self, what):
        return int(self.server.psql(f"select count(*) from {self.schema}.{what}"))


def time_of(line):
    return int(line[1:line.index(",")])


def step_of(line):
    return int(line.split(", ")[2])


def polls_of(maker, slots):
    return [(slot, "ok", [maker.page(0, 3, 1000)]) for slot in slots]


def load(data, keeper, forgetter):
    gecko("load", "--from", f"tape:{data}", "--sink", keeper.url, check=0)
    gecko("load", "--from", f"tape:{data}", "--sink", forgetter.url, *OPTIONS, check=0)


def parts(store, rows_from):
    """What the store has: of the time whose rows are gone, with a margin; of what is kept, with a margin."""
    lines = {table: store.read(table) for table in COLUMNS}
    return ([{table: [line for line in lines[table] if is_in(time_of(line))] for table in COLUMNS}
             for is_in in (lambda us: us < rows_from - DAY_US, lambda us: us > rows_from + DAY_US)])


def check(keeper, forgetter, last_us):
    rows_from = (last_us - KEEP["rows"]) // HOUR_US * HOUR_US
    fine_from = (last_us - KEEP["fine"]) // DAY_US * DAY_US
    assert forgetter.read("market") == [line for line in keeper.read("market") if time_of(line) >= rows_from]
    kept = collections.defaultdict(list)
    for line in forgetter.read("candle"):
        kept[step_of(line)].append(line)
    for step in (300, 3600, 86400):
        assert kept[step] == [line for line in keeper.read("candle") if step_of(line) == step and (step > 300 or time_of(line) >= fine_from)], step
    assert forgetter.read("absence") == keeper.read("absence")
    for what in ("latest", "poll", "coin"):
        assert forgetter.count(what) == keeper.count(what), what
    return kept


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_old_rows_and_small_candles_go_and_the_others_stay(store, database, tmp_path):
    keeper, forgetter = ((Sqlite(tmp_path / "all.db"), Sqlite(tmp_path / "some.db")) if store == "sqlite" else
                         (Postgres(database, "all_rows"), Postgres(database, "some_rows")))
    maker, data, late = Maker(3), tmp_path / "data", tmp_path / "late"
    first = MIDNIGHT - 20 * DAY_US
    # a pause of days in between; polls shortly before hours and midnights, whose rows come behind these
    slots = [first + n * 47 * 60 * S_US for n in range(120)] + [first + 9 * DAY_US + n * 31 * 60 * S_US + 59 * S_US for n in range(200)]
    make_tape(data, polls_of(maker, slots[:250]))
    load(data, keeper, forgetter)
    check(keeper, forgetter, slots[249])
    make_tape(data, polls_of(maker, slots[250:]))
    load(data, keeper, forgetter)
    kept = check(keeper, forgetter, slots[-1])
    assert len(kept[300]) > 50 and len(kept[86400]) > len(set(map(time_of, kept[86400]))) > 7

    # again, without bounds: what is gone is not missed, and nothing else goes
    before = forgetter.read("market"), forgetter.read("candle")
    gecko("load", "--from", f"tape:{data}", "--sink", forgetter.url, check=0)
    assert (forgetter.read("market"), forgetter.read("candle")) == before

    # another collector's polls, of then and of now, come late: those of then get no rows, and change nothing
    rows_from = (slots[-1] - KEEP["rows"]) // HOUR_US * HOUR_US
    old = parts(forgetter, rows_from)[0]
    make_tape(late, polls_of(maker, [slot + 7 * 60 * S_US for slot in slots[::7]]))
    load(late, keeper, forgetter)
    assert parts(forgetter, rows_from) == [old, parts(keeper, rows_from)[1]]
    told = "where loaded = 'none' and error like '%--retain-rows%'"
    n_refused = len([slot for slot in slots[::7] if slot + 7 * 60 * S_US < rows_from + LATE_US])
    assert forgetter.count(f"poll {told}") == n_refused > 20 and keeper.count(f"poll {told}") == 0

    # nor are those of then made anew
    gecko("replay", "--data", data, "--sink", forgetter.url, "--force", check=0)
    gecko("replay", "--data", late, "--sink", forgetter.url, "--force", check=0)
    load(data, keeper, forgetter)
    assert parts(forgetter, rows_from) == [old, parts(keeper, rows_from)[1]]


def test_nothing_goes_unasked_and_a_short_time_is_refused():
    done = gecko("check", "--retain-rows", "1h", check=2)
    assert "--retain-rows" in done.stderr and "2d" in done.stderr


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_who_left_in_a_long_pause_stays_absent_when_the_rows_before_it_are_gone(store, database, tmp_path):
    keeper, forgetter = ((Sqlite(tmp_path / "all.db"), Sqlite(tmp_path / "some.db")) if store == "sqlite" else
                         (Postgres(database, "all_rows"), Postgres(database, "some_rows")))
    data, first = tmp_path / "data", MIDNIGHT - 20 * DAY_US
    slots = [first + n * HOUR_US for n in range(30)] + [first + 8 * DAY_US + n * HOUR_US for n in range(8)]
    # behind a partial poll nothing but rows tells who had been there
    ends = [("ok", [market_body(5)])] * 30 + [("partial", [market_body(4), None])] + [("ok", [market_body(4)])] * 7
    make_tape(data, [(slot, *end) for slot, end in zip(slots, ends)])
    load(data, keeper, forgetter)
    assert len(keeper.read("absence")) == 1 and time_of(forgetter.read("market")[0]) == slots[30]
    for store in (keeper, forgetter):
        gecko("replay", "--data", data, "--sink", store.url, "--force", check=0)
    assert forgetter.read("absence") == keeper.read("absence") and len(keeper.read("absence")) == 1


def test_polls_whose_rows_went_are_not_looked_through(tmp_path):
    """Polls stay for ever: from the first one on, each look would cost as much as there ever were, and for each coin."""
    make_tape(tmp_path / "data", polls_of(Maker(1), [SLOT0]))
    gecko("load", "--from", f"tape:{tmp_path / 'data'}", "--sink", f"sqlite:{tmp_path / 'a.db'}", check=0)
    args = {"job_id": 1, "slot": SLOT0, "at": SLOT0, "coin_id": 1, "vs_currency": "usd"}
    with sqlite3.connect(tmp_path / "a.db") as db:
        for name in ("statements/read_retained", "queries/priced", "queries/past_market_of"):
            sql = (ROOT / "src/load/sql" / f"{name}.sql").read_text().format(history="market", others="", name_at="1", there_at="1", ids="'a'")
            plan = [line[3] for line in db.execute(f"explain query plan {sql}", args)]
            assert any("SEARCH poll " in line and "AND slot>?" in line for line in plan), (name, plan)
