# SPDX-License-Identifier: Apache-2.0
"""Rows that PostgreSQL refuses, and tables that people changed by hand: one row costs itself alone, and nothing is lost."""
import json
import math
import re

import pytest
from gecko import Running, gecko, market_body, wait_for
from proxy import Proxy
from stores import S_US, SLOT0, make_tape

COINS = 250
HOUR = 3600 * S_US  # between polls: each is stored whole


class Market:
    """A tape that grows, and the database that takes connections without TLS, seen through a proxy."""

    def __init__(self, server, proxy, data):
        server.create("plain")
        self.server, self.proxy, self.data, self.n = server, proxy, data, 0
        self.sink = server.url("plain", port=proxy.port, sslmode="disable", gssencmode="disable")

    def grow(self, n=1, body=lambda i: market_body(COINS, i), every=HOUR):
        make_tape(self.data, [(SLOT0 + i * every, "ok", [body(i)]) for i in range(self.n, self.n + n)])
        self.n += n

    def load(self, **how):
        return gecko("load", "--from", f"tape:{self.data}", "--sink", self.sink, **{"check": 0, **how})

    def follow(self):
        return Running("load", "--from", f"tape:{self.data}", "--sink", self.sink, "--follow")

    def ask(self, sql):
        return self.server.psql(f"set search_path to geckotape; {sql}", "plain")

    def refused(self):
        """Coins of the last poll that are in quarantine, with the words."""
        lines = self.ask('select coin, reason from quarantine as q join poll on q.stream = poll.stream and q."offset" = poll.last_offset '
                         "where slot = (select max(slot) from poll) and stage = 'load'").splitlines()
        return dict(line.split("|") for line in lines)

    def counts(self):
        """Of the last poll: rows that it says are new, that it says are in quarantine, that are there, that are the last ones."""
        return [int(n) for n in self.ask(
            "select rows_new, rows_quarantined, (select count(*) from market where slot = poll.slot), "
            "(select count(*) from latest where slot = poll.slot) from poll order by slot desc limit 1").split("|")]


@pytest.fixture
def market(running, tmp_path):
    with Proxy(running.port) as proxy:
        yield Market(running, proxy, tmp_path / "data")


# ---- rows that are refused ----

WHEN = "do $$ begin execute format($f${}$f$, (select array_agg(coin_id) from coin where id in ({}))); end $$"
TRIGGER = "create function refuse() returns trigger language plpgsql as 'begin {}; end'; " \
    "create trigger refuse before insert on market for each row when (new.coin_id = any (%L::int[])) execute function refuse()"
BY = {
    "a constraint": ("alter table market add constraint of_ours check (coin_id <> all (%L::int[])) not valid",
                     r'new row for relation "market_2026_11" violates check constraint "of_ours"'),
    "a trigger": (TRIGGER.format("raise exception ''not this one''"), "not this one"),
    "a trigger that says nothing": (TRIGGER.format("return null"), "the server left it out, as a trigger made by hand can"),
}


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("n_refused", [1, 10, COINS])
def test_rows_that_are_refused_cost_themselves_and_few_statements(n_refused, by, market):
    refused = {f"coin-{i}" for i in ([123] if n_refused == 1 else range(0, COINS, COINS // n_refused))}
    sql, words = BY[by]
    market.grow()
    market.load()
    market.ask(WHEN.format(sql, ", ".join(f"'{coin}'" for coin in refused)))
    market.grow()
    market.proxy.arm()
    market.load()
    assert market.refused() == dict.fromkeys(refused, words)
    assert market.counts() == [COINS - n_refused, n_refused, COINS - n_refused, COINS - n_refused]
    n_copies = sum("COPY" in query for query in market.proxy.queries)
    assert n_copies <= 2 * n_refused * (math.ceil(math.log2(COINS / n_refused)) + 1) + 1
    # who was refused is no base to leave rows out from, and comes when it may
    market.ask("alter table market drop constraint if exists of_ours; drop function if exists refuse cascade")
    market.grow()
    market.load()
    assert market.counts() == [COINS, 0, COINS, COINS]
    gecko("replay", "--data", market.data, "--sink", market.sink, "--force", check=0)
    assert market.ask("select rows_new + rows_unchanged, rows_quarantined from poll group by 1, 2") == f"{COINS}|0"


@pytest.mark.parametrize("by", BY)
def test_rows_that_a_replay_is_refused_cost_themselves_too(by, market):
    """It sends many polls at once; where a row of them is refused they come again one by one."""
    n = 12
    market.grow(n)
    market.load()
    sql, words = BY[by]
    market.ask(WHEN.format(sql, "'coin-123', 'coin-7'"))
    market.proxy.arm()
    gecko("replay", "--data", market.data, "--sink", market.sink, "--force", check=0)
    assert sum("COPY market" in query for query in market.proxy.queries) > n
    assert market.ask("select distinct coin, reason from quarantine where stage = 'load' order by coin") == f"coin-123|{words}\ncoin-7|{words}"
    assert market.ask("select distinct rows_new, rows_quarantined, count(*) over () from poll") == f"{COINS - 2}|2|{n}"
    assert market.ask("select count(*) from quarantine") == str(2 * n)
    assert market.ask("select count(*), count(distinct slot) from market") == f"{n * (COINS - 2)}|{n}"
    market.ask("alter table market drop constraint if exists of_ours; drop function if exists refuse cascade")
    market.proxy.arm()
    gecko("replay", "--data", market.data, "--sink", market.sink, "--force", check=0)
    assert sum("COPY market" in query for query in market.proxy.queries) < 4  # the first poll, and one for each day
    assert market.ask("select distinct rows_new, rows_quarantined, count(*) over () from poll") == f"{COINS}|0|{n}"
    assert market.ask("select count(*) from quarantine") == "0"
    assert market.ask("select count(*), count(distinct slot) from market") == f"{n * COINS}|{n}"


def coin_body(value, of=77):
    """A coin among many that has this value."""
    rows = [{"id": f'"coin-{i}"', "symbol": '"c"', "name": '"Coin"', "image": '""', "current_price": f"{i}.5", "max_supply": "7",
             "last_updated": '"2026-11-23T14:00:00.000Z"'} for i in range(COINS)]
    rows[of] |= value
    return ("[" + ",".join("{" + ",".join(f'"{key}":{text}' for key, text in row.items()) + "}" for row in rows) + "]").encode()


VALUES = {
    "a number beyond a type": ("alter table market alter current_price type numeric(12, 4)", {"current_price": "9876543210.5"},
                               "numeric field overflow"),
    "a text beyond a type": ("alter table market alter roi_currency type varchar(3)",
                             {"roi": '{"times":1,"currency":"dollars","percentage":2}'}, r"value too long for type character varying\(3\)"),
    "no value where one must be": ("alter table market alter max_supply set not null", {"max_supply": "null"},
                                   'null value in column "max_supply" of relation "market_2026_11" violates not-null constraint'),
}


@pytest.mark.parametrize("what", VALUES)
def test_a_value_that_a_column_does_not_hold_costs_its_row(what, market):
    sql, value, words = VALUES[what]
    market.grow(body=lambda i: market_body(3, i))
    market.load()
    market.ask(f"delete from market; {sql}")
    market.grow(body=lambda i: coin_body(value))
    market.load()
    (coin, reason), = market.refused().items()
    assert coin == "coin-77" and re.fullmatch(words, reason)
    assert market.counts() == [COINS - 1, 1, COINS - 1, COINS - 1]


@pytest.mark.parametrize("field, n_left", [("id", COINS - 1), ("name", COINS - 1), ("symbol", COINS - 1), ("image", COINS), ("current_price", COINS)])
def test_a_text_that_no_postgres_holds_costs_no_more_than_its_row(field, n_left, market):
    """U+0000 is none of PostgreSQL's characters; the transform refuses it, and says so with the value as it was sent."""
    market.grow(body=lambda i: coin_body({field: r'"a\u0000b"'}))
    market.load()
    assert market.counts() == [n_left, 1, n_left, n_left]
    assert market.ask("select field, value, stage from quarantine") == field + r"|a\u0000b|transform"


# ---- what people change by hand ----


def steady(i):
    """Half of the coins change, and none of the others: their rows are left out within the hour."""
    rows = [{"id": f"coin-{n}", "symbol": "c", "name": f"Coin {n}", "image": "", "current_price": 1 + n + (i if n % 2 else 0),
             "last_updated": "2026-11-23T14:00:00.000Z"} for n in range(10)]
    return json.dumps(rows).encode()


def grow(market, n=1):
    market.grow(n, body=steady, every=60 * S_US)


def n_loaded(market):
    done = market.server.psql("select count(*) from geckotape.poll", "plain", check=False)
    return int(done) if done.isdigit() else None


def wait(market, run):
    wait_for(lambda: n_loaded(market) == market.n or run.process.poll() is not None, what=f"{market.n} polls")
    assert run.process.poll() is None, run.output


def check_all(market):
    """Each poll once; of each coin its row, or one before it in the hour that it equals; the last rows as they are."""
    assert market.ask("select count(*), count(distinct slot), sum(rows_quarantined) from poll") == f"{market.n}|{market.n}|0"
    assert market.ask(f"""
        select slot, n from poll, generate_series(0, 9) as n where loaded = 'rows' and (
            select current_price from market join coin using (coin_id)
            where id = 'coin-' || n and market.slot <= poll.slot order by market.slot desc limit 1)
            is distinct from 1 + n + case when n % 2 = 1 then extract(epoch from slot)::bigint / 60 - {SLOT0 // S_US // 60} else 0 end""") == ""
    assert market.ask("select count(*) from latest join market using (slot, coin_id, current_price) join coin using (coin_id)") == "10"
    assert market.ask("select slot, rows_new from poll where rows_new <> (select count(*) from market where market.slot = poll.slot)") == ""


def test_a_row_that_was_refused_is_not_left_out_of_the_next_poll(market):
    """Though it has not changed: it equals a row that is not there."""
    market.grow(2, body=lambda i: market_body(3, i), every=60 * S_US)
    market.load()
    market.ask("alter table market add constraint of_ours check (current_price <> 3)")
    grow(market)
    market.load()
    assert set(market.refused()) == {"coin-2"} and market.counts() == [9, 1, 9, 9]
    market.ask("alter table market drop constraint of_ours")
    grow(market)
    market.load()
    assert market.counts() == [10, 0, 10, 10]
    grow(market)
    market.load()
    assert market.counts() == [5, 0, 5, 5]


NOT_NULL = "alter table {0} add x int not null default 1; alter table {0} alter x drop default"
WAITS = {  # by, back, what is said
    "a column more that must have a value": (NOT_NULL.format("market"), "alter table market drop x",
                                             'null value in column "x" of relation "market_2026_11"'),
    "one of the last rows": (NOT_NULL.format("latest"), "alter table latest drop x", 'null value in column "x" of relation "latest"'),
    "one of polls": (NOT_NULL.format("poll"), "alter table poll drop x", 'null value in column "x" of relation "poll"'),
    "a column dropped": ("alter table market rename ath to x", "alter table market rename x to ath", 'column "ath" .*does not exist'),
    "a column of another type": ("alter table market alter current_price type double precision", "alter table market alter current_price type numeric",
                                 "incorrect binary data format"),
    "a constraint on the last rows": ("alter table latest add constraint x check (current_price < 0) not valid", "alter table latest drop constraint x",
                                      'violates check constraint "x"'),
    "a trigger on polls": ("create function no() returns trigger language plpgsql as 'begin raise exception ''not now''; end'; "
                           "create trigger no before insert on poll for each row execute function no()", "drop function no cascade", "not now"),
    "an index that rows are replaced by": ("alter table latest drop constraint latest_pkey", "alter table latest add primary key (job_id, coin_id)",
                                           "no unique or exclusion constraint"),
    "positions emptied": ("create table kept as table sink_offset; truncate sink_offset", "insert into sink_offset table kept; drop table kept",
                          "sink_offset does not say any more up to where stream .* is loaded; put its row back, or drop all tables"),
}


@pytest.mark.parametrize("what", WAITS)
def test_what_was_changed_by_hand_is_told_in_a_line_and_waited_for(what, market):
    by, back, words = WAITS[what]
    grow(market, 3)
    with market.follow() as run:
        wait(market, run)
        market.ask(by)
        grow(market, 3)
        said = run.expect("WARN  load: sink refuses for now.*")[0]
        assert re.search(words, said.replace('\\"', '"')) and re.search("put it back|put its row back", said), said
        market.ask(back)
        wait(market, run)
        run.expect("INFO  load: sink works again")
        grow(market)
        wait(market, run)
        assert run.stop() == 0
        assert len(re.findall("refuses for now", run.output)) == len(re.findall("WARN|ERROR", run.output)) == 1
    check_all(market)


GOES_ON = {  # nothing needs these
    "views dropped": "drop view public.coin_market_processed, public.coin_market_raw, coin_market_processed, coin_market_raw, gap, quality",
    "indexes dropped": "drop index poll_rows; drop index absence_open; drop index quarantine_record",
    "keys dropped": "alter table market drop constraint market_pkey; alter table poll drop constraint poll_pkey; "
                    "alter table coin drop constraint coin_id_key",
    "names over time emptied": "truncate coin_name",
    "a column more": "alter table market add x int default 1; alter table latest add y int",
}


@pytest.mark.parametrize("what", GOES_ON)
def test_what_nothing_needs_may_be_changed(what, market):
    grow(market, 3)
    with market.follow() as run:
        wait(market, run)
        market.ask(GOES_ON[what])
        grow(market, 3)
        wait(market, run)
        assert run.stop() == 0
        assert not re.search("WARN|ERROR", run.output), run.output
    check_all(market)


EMPTIED = {  # what is said; with a replay all is there again
    "market": (0, "rows of market are gone, so a poll is stored whole; geckotape replay --force makes those of before anew"),
    "latest": (0, None),  # within the hour
    "coin cascade": (1, "coins were deleted from the table coin; they are added again, and geckotape replay --force makes"),
}


@pytest.mark.parametrize("table", EMPTIED)
def test_a_table_that_is_emptied_while_it_is_written_is_filled_again(table, market):
    n_outages, words = EMPTIED[table]
    grow(market, 3)
    with market.follow() as run:
        wait(market, run)
        market.ask(f"truncate {table}")
        grow(market, 60)
        wait(market, run)
        assert run.stop() == 0
        assert not words or words in run.output
        assert len(re.findall("refuses for now", run.output)) == len(re.findall("works again", run.output)) == n_outages
    gecko("replay", "--data", market.data, "--sink", market.sink, "--force", check=0)
    check_all(market)


# ---- statements that are prepared ----


def test_statements_are_prepared_in_a_session_of_our_own_and_made_anew_when_tables_change(market):
    market.grow()
    with market.follow() as run:
        def load(n):
            for _ in range(n):
                market.grow()
                wait_for(lambda: market.ask("select count(*) from poll where loaded = 'rows'") == str(market.n) or run.process.poll() is not None,
                         what=f"{market.n} polls")
                assert run.process.poll() is None, run.read()

        wait_for(lambda: market.ask("select to_regclass('poll') is not null") == "t", what="tables")
        load(4)
        market.proxy.arm()
        load(1)
        assert not [sql for _, sql in market.proxy.parsed if re.search("sink_offset|FROM poll|INTO poll|INTO latest", sql)]
        market.ask("alter table poll alter transform_version type int")  # what last_poll.sql answers has another type
        load(4)
        said = run.read()
    assert "cached plan" not in said and "does not exist" not in said
    assert market.counts() == [COINS, 0, COINS, COINS]
