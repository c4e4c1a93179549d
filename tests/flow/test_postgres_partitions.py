# SPDX-License-Identifier: Apache-2.0
"""How PostgreSQL's tables of rows are cut: by month, by day, by coin; and what happens where a partition cannot be made."""
import datetime
import json
import re

import pytest
from gecko import Running, gecko, get, market_body, wait_for
from postgres import PASSWORD, Server, binaries
from server import Answer, PlainServer
from stores import S_US, SLOT0, check_equal, in_postgres, in_sqlite, kinds_in_postgres, make_tape

COINS = 40
DAY = 24 * 3600 * S_US


def at(text):
    return int(datetime.datetime.fromisoformat(text + "+00:00").timestamp()) * S_US


def polls(*slots):
    return [(slot, "ok", [market_body(COINS, i)]) for i, slot in enumerate(slots)]


def load(data, sink, **how):
    return gecko("load", "--from", f"tape:{data}", "--sink", sink, **{"check": 0, **how})


def ask(server, sql, user="admin"):
    return server.psql(f"set search_path to geckotape; {sql}", "etl", user)


def parts(server, table="market"):
    """{partition: rows}"""
    names = ask(server, f"select inhrelid::regclass from pg_inherits where inhparent = '{table}'::regclass order by 1").split()
    return {name: int(ask(server, f"select count(*) from {name}")) for name in names}


# ---- made ahead ----

CUTS = {
    "month": ("2026-11-30T23:59:30", "2026-12-01T00:00:00", {"market_2026_11": COINS, "market_2026_12": COINS, "market_2027_01": 0}),
    "day": ("2026-11-30T23:59:30", "2026-12-01T00:00:00", {"market_2026_11_30": COINS, "market_2026_12_01": COINS, "market_2026_12_02": 0}),
    "over the year": ("2026-12-31T23:59:30", "2027-01-01T00:00:00", {"market_2026_12": COINS, "market_2027_01": COINS, "market_2027_02": 0}),
}


@pytest.mark.parametrize("what", CUTS)
def test_partitions_are_there_before_their_rows(what, server, tmp_path):
    """Whatever the time zone of the server is."""
    before, after, wanted = CUTS[what]
    sink = server.url(partition="day" if what == "day" else "month")
    data = make_tape(tmp_path / "data", polls(at(before)))
    load(data, sink)
    assert parts(server).keys() == (wanted.keys() | {"market_default"}) - {sorted(wanted)[-1]}
    make_tape(data, [(at(after), "ok", [market_body(COINS, 1)])])
    load(data, sink)
    assert parts(server) == {**wanted, "market_default": 0}


@pytest.mark.parametrize("cut", ["month", "day"])
def test_who_slept_for_months_or_loads_old_polls_finds_partitions_all_the_same(cut, server, tmp_path):
    """One process that goes on: what it made before is not what it needs now."""
    sink = server.url(partition=cut)
    data = make_tape(tmp_path / "data", polls(SLOT0))
    with Running("load", "--from", f"tape:{data}", "--sink", sink, "--follow") as run:
        slots = [SLOT0 + 100 * DAY, SLOT0 - 400 * DAY, SLOT0 + 100 * DAY + 60 * S_US, SLOT0 - 399 * DAY]
        for n, slot in enumerate(slots):
            make_tape(data, [(slot, "ok", [market_body(COINS, n + 1)])])
            wait_for(lambda n=n: server.psql("select count(*) from geckotape.poll", "etl", check=False) == str(n + 2), what="the poll")
        assert run.stop() == 0
        assert "WARN" not in run.output
    found = parts(server)
    assert found["market_default"] == 0 and sum(found.values()) == 5 * COINS
    assert {name for name, n in found.items() if n} == ({"market_2025_10", "market_2026_11", "market_2027_03"} if cut == "month" else
                                                        {"market_2025_10_19", "market_2025_10_20", "market_2026_11_23", "market_2027_03_03"})


def test_coins_are_spread_over_partitions_of_their_own(server, tmp_path):
    """And all is what other ways of cutting, and other stores, have of the same tape."""
    sink, path = server.url(partition="coin-hash"), tmp_path / "x.db"
    data = make_tape(tmp_path / "data", polls(*(SLOT0 + i * 1800 * S_US for i in range(5))))
    make_tape(data, [(SLOT0, "ok", [b'[{"id":"a","symbol":"a","name":"A"},{"id":"b","symbol":"b","name":"B"}]'])], "list", "coins/list")
    make_tape(data, [(SLOT0, "ok", [b'["usd","eur"]'])], "currencies", "simple/supported_vs_currencies")
    load(data, sink)
    load(data, f"sqlite:{path}")
    check_equal(in_postgres(server), in_sqlite(path, kinds_in_postgres(server)))
    found = parts(server)
    assert len(found) == 16 and sum(found.values()) == int(ask(server, "select count(*) from market")) and min(found.values()) < max(found.values())
    assert list(parts(server, "listing")) == [f"listing_{i:02}" for i in range(16)]
    assert parts(server, "vs_currency") == {"vs_currency_2026_11": 2, "vs_currency_2026_12": 0, "vs_currency_default": 0}
    assert ask(server, "select count(distinct market.tableoid) from market join coin using (coin_id) where id = 'coin-7'") == "1"
    assert ask(server, "select obj_description('market'::regclass)").startswith("A row for each coin in each poll")
    assert ask(server, "select string_agg(indexrelid::regclass::text, ' ') from pg_index where indrelid = 'market'::regclass") == "market_pkey"
    plan = ask(server, "explain select * from market where coin_id = 7")
    assert len(set(re.findall(r"on (market_\d+)", plan))) == 1, plan
    gecko("replay", "--data", data, "--sink", sink, "--force", check=0)
    check_equal(in_postgres(server), in_sqlite(path, kinds_in_postgres(server)))


@pytest.mark.parametrize("made, asked", [("month", "day"), ("day", "month"), ("month", "coin-hash"), ("coin-hash", "day"), (None, "day")])
def test_another_way_of_cutting_than_that_of_the_tables_is_refused_in_a_line(made, asked, server, tmp_path):
    data = make_tape(tmp_path / "data", polls(SLOT0))
    load(data, server.url(partition=made))
    for done in (load(data, server.url(partition=asked), check=1), gecko("migrate", "--sink", server.url(partition=asked), check=1)):
        assert len(done.stderr.splitlines()) == 1 and \
            f"its tables are cut by {made or 'month'} since they were made, and not by {asked}; take partition= out" in done.stderr
    load(data, server.url())  # without a word it goes on as it was made
    load(data, server.url(partition=asked, schema="other"))


def test_tables_of_before_there_was_a_choice_go_on_as_they_are(server, tmp_path):
    data = make_tape(tmp_path / "data", polls(SLOT0))
    for cut in ("month", "day"):
        server.create("etl")
        load(data, server.url(partition=cut))
        # what version 1 had
        ask(server, "drop table layout, raw, history, ohlc, candle, candle_upkeep; drop function body_as_jsonb, empty_default; delete from schema_version where version > 1", "etl")
        load(data, server.url())
        assert ask(server, "select partition from layout") == cut


# ---- where one cannot be made ----

ROLES = """
    do $$ begin if not exists (select from pg_roles where rolname = 'writer') then create role writer login password '{p}'; end if; end $$;
    grant usage on schema geckotape to writer;
    grant select, insert, update, delete on all tables in schema geckotape to writer"""


WHY = "as their partitions cannot be made: permission denied for function make_partition .*; docs/postgres.md says how they move"


def as_writer(server, tmp_path, **options):
    """Tables with partitions for two days of old, and a writer that may make no more."""
    load(make_tape(tmp_path / "old", polls(SLOT0), "old"), server.url(partition="day", **options))
    ask(server, ROLES.format(p=PASSWORD))
    return server.url(user="writer", migrate="off", **options)


def test_rows_without_a_partition_are_kept_and_warned_of(server, tmp_path):
    sink = as_writer(server, tmp_path)
    with PlainServer(lambda request: Answer(body=market_body(COINS, request.n))) as api, \
            Running("run", "--api-url", api.url, "--api-rate", 100000, "--top", COINS, "--every", "1s", "--data", tmp_path / "data",
                    "--listen", "127.0.0.1:0", "--sink", sink) as run:
        port = run.port()
        run.expect(rf"WARN  load: a sink warns .*note=.*rows are in market_default .\d+., {WHY}")
        wait_for(lambda: len(api.requests) > 5, what="more polls")
        ready = json.loads(get(port, "/readyz"))
        assert ready["ready"] and re.fullmatch(rf"sink postgres:.*: rows are in market_default .\d+., {WHY}", ready["warnings"][-1])
        assert re.search(r'geckotape_sink_default_rows{sink="postgres:[^"]*"} [1-9]', get(port, "/metrics").decode())
        assert "warning: rows are in market_default (" in gecko("status", "--data", tmp_path / "data", check=0).stdout
        assert run.stop() == 0
        assert run.output.count("a sink warns") == 1, run.output


def test_rows_without_a_partition_move_when_it_can_be_made(server, tmp_path):
    """By the loader, and by hand as docs/postgres.md says; until then they are there like all others."""
    sink = as_writer(server, tmp_path, raw="on")
    slots = [SLOT0 + 20 * DAY + i * 6 * 3600 * S_US for i in range(10)]
    data = make_tape(tmp_path / "data", polls(slots[0]))
    with Running("load", "--from", f"tape:{data}", "--sink", sink, "--follow") as run:
        for n, slot in enumerate(slots[1:], 1):
            make_tape(data, [(slot, "ok", [market_body(COINS, n)])])
            wait_for(lambda n=n: ask(server, "select count(*) from poll") == str(n + 2), what="the poll")
            if n == 5:
                assert re.search(f"a sink warns .*note=.*rows are in market_default .[0-9]+., raw_default .[0-9]+., {WHY}", run.read(0.1))
                assert ask(server, "select count(*) from market") == str(7 * COINS) and parts(server)["market_default"] == 6 * COINS
                ask(server, "grant execute on function make_partition, empty_default to writer")
        run.expect("INFO  load: what a sink warned of is over")
        assert run.stop() == 0
        assert run.output.count("WARN") == 1, run.output
    for table, each in (("market", COINS), ("raw", 1)):
        assert {name: n for name, n in parts(server, table).items() if n} == \
            {f"{table}_2026_{day}": n * each for day, n in (("11_23", 1), ("12_13", 2), ("12_14", 4), ("12_15", 4))}


def test_a_default_partition_that_was_dropped_is_not_missed(server, tmp_path):
    data = make_tape(tmp_path / "data", polls(SLOT0))
    load(data, server.url())
    with Running("load", "--from", f"tape:{data}", "--sink", server.url(), "--follow") as run:
        ask(server, "drop table market_default, market_2026_11, market_2026_12")
        for n in range(1, 4):
            make_tape(data, [(SLOT0 + n * 20 * DAY, "ok", [market_body(COINS, n)])])
            wait_for(lambda n=n: server.psql("select count(*) from geckotape.poll", "etl", check=False) == str(n + 1), what="the poll")
        assert run.stop() == 0
    assert set(parts(server)) == {"market_2026_12", "market_2027_01", "market_2027_02"}
