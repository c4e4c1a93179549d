# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL behind PgBouncer in transaction mode: whatever stayed in a session would be gone, or be another's."""
import contextlib
import re

import pytest
from gecko import Running, gecko, market_body, wait_for
from postgres import ESCAPED, PASSWORD, Pooler
from stores import HOUR_US, S_US, SLOT0, check_equal, in_postgres, in_sqlite, kinds_in_postgres, make_tape

COINS = 20


def make_polls(first, n):
    """Coins that come and go, hours of their own, polls that failed or are partial."""
    polls = []
    for i in range(first, first + n):
        pages = [market_body(COINS, i), market_body(3 + i % 2, i, first=COINS)]
        outcome = "failed" if i % 7 == 5 else "partial" if i % 5 == 3 else "ok"
        polls.append((SLOT0 + i * HOUR_US // 3, outcome, {"ok": pages, "partial": [pages[0], None], "failed": []}[outcome]))
    return polls


@contextlib.contextmanager
def pooled(server, **settings):
    made = Pooler(server, **settings)
    try:
        yield made
    finally:
        made.remove()


def follow(data, sink):
    return Running("load", "--from", f"tape:{data}", "--sink", sink, "--follow")


def wait_for_polls(server, n, run):
    wait_for(lambda: server.psql("select to_regclass('geckotape.poll') is not null") == "t" and
             server.psql("select count(*) from geckotape.poll") == str(n) or run.process.poll() is not None, what=f"{n} polls")
    assert run.process.poll() is None, run.read()


def check_stores(server, data, tmp_path):
    path = tmp_path / "expected.db"
    gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{path}", check=0)
    check_equal(in_postgres(server), in_sqlite(path, kinds_in_postgres(server)))


# what PgBouncer itself keeps in step with its clients
OF_POOLER = "'application_name', 'client_encoding', 'DateStyle', 'TimeZone', 'standard_conforming_strings', 'IntervalStyle', 'search_path'"
LEFT = f"""
select (select string_agg(name, ',') from pg_settings where source = 'session' and name not in ({OF_POOLER})),
       current_setting('search_path'),
       (select count(*) from pg_prepared_statements), (select count(*) from pg_cursors), (select count(*) from pg_listening_channels()),
       (select count(*) from pg_locks where locktype = 'advisory'),
       (select count(*) from pg_class where relpersistence = 't')"""


def test_what_is_loaded_and_made_anew_is_what_sqlite_has_and_nothing_is_left_in_a_session(server, tmp_path):
    data = make_tape(tmp_path / "data", make_polls(0, 12))
    with pooled(server) as pooler, follow(data, pooler.url()) as run:
        wait_for_polls(server, 12, run)
        make_tape(data, make_polls(12, 12))
        wait_for_polls(server, 24, run)
        assert len(gecko("query", "--from", pooler.url(), "--format", "jsonl", check=0).stdout.splitlines()) >= COINS
        left = {server.psql(LEFT, user="etl", at=pooler) for _ in range(12)}
        assert left == {'|"$user", public|0|0|0|0|0'}
        assert server.psql("select count(distinct pid) > 1 from pg_stat_activity where usename = 'etl'") == "t"
        assert run.stop() == 0
        done = gecko("replay", "--data", data, "--sink", pooler.url(), "--since", "2026-01-01T00:00:00Z", "--force", check=0)
        assert re.search(r"(\d+) of \1 polls made anew", done.stdout), done.stdout
    check_stores(server, data, tmp_path)


def test_one_connection_is_enough_for_several_sinks_as_none_holds_it(server, tmp_path):
    data, other = make_tape(tmp_path / "data", make_polls(0, 6)), make_tape(tmp_path / "other", make_polls(0, 6), job="other")
    with pooled(server, default_pool_size=1, min_pool_size=1) as pooler, follow(data, pooler.url()) as run:
        wait_for_polls(server, 6, run)
        with follow(other, pooler.url()) as second:
            wait_for_polls(server, 12, second)
            make_tape(data, make_polls(6, 6))
            make_tape(other, make_polls(6, 6), job="other")
            wait_for_polls(server, 24, run)
            assert server.psql("select count(*) from pg_stat_activity where usename = 'etl'") == "1"
            assert "refuses" not in run.read() + second.read()


def test_a_pooler_that_goes_away_and_comes_back_costs_nothing(server, tmp_path):
    data = make_tape(tmp_path / "data", make_polls(0, 3))
    with pooled(server) as pooler, follow(data, pooler.url()) as run:
        wait_for_polls(server, 3, run)
        pooler.stop()
        make_tape(data, make_polls(3, 3))
        run.expect("sink refuses for now.*Connection refused")
        pooler.start()
        wait_for_polls(server, 6, run)
        run.expect("sink works again")
    check_stores(server, data, tmp_path)


def test_a_server_that_restarts_behind_its_pooler_costs_nothing(server, tmp_path):
    data = make_tape(tmp_path / "data", make_polls(0, 3))
    with pooled(server, server_login_retry=1) as pooler, follow(data, pooler.url()) as run:
        wait_for_polls(server, 3, run)
        for n in (6, 9):
            server.stop()
            make_tape(data, make_polls(n - 3, 3))
            server.start()
            wait_for_polls(server, n, run)
    check_stores(server, data, tmp_path)


# settings of the pooler, what becomes of the URL, what is said, the mend
WRONG = {
    "password": ({}, lambda url: url.replace(ESCAPED, "wr0ng"), "SASL authentication failed", "see user and password"),
    "database": ({}, lambda url: url.replace("/etl?", "/nosuch?"), 'database .nosuch. does not exist', "create the database"),
    "startup option": ({}, lambda url: f"{url}&options=-c%20role%3Detl", "unsupported startup parameter: options", "leave it out of the URL"),
    "pool_mode": ({"pool_mode": "statement"}, str, "not allowed in statement pooling mode", "its pool_mode is transaction or session"),
    "too many": ({"max_client_conn": 0}, str, "max_client_conn", "raise the pooler's max_client_conn"),
    "no TLS": ({"client_tls_sslmode": "disable"}, str, "does not support SSL", "turn TLS on there"),
    "TLS": ({"client_tls_sslmode": "require"}, lambda url: url.replace("verify-full", "disable"), "SSL required", "write sslmode=verify-full"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_between_us_and_the_pooler_is_told_in_a_line_with_its_mend(what, server):
    settings, change, why, mend = WRONG[what]
    with pooled(server, **settings) as pooler:
        done = gecko("migrate", "--sink", change(pooler.url()), check=75)
    assert done.stderr.count("\n") == 1 and re.search(f"{why}.*; .*{mend}", done.stderr), done.stderr
    assert PASSWORD not in done.stderr and ESCAPED not in done.stderr


def test_a_server_that_is_away_behind_its_pooler_is_told_in_a_line_with_its_mend(server):
    with pooled(server, query_wait_timeout=1, server_login_retry=1) as pooler:
        server.stop()
        try:
            done = gecko("migrate", "--sink", pooler.url(), check=75)
        finally:
            server.start()
    assert done.stderr.count("\n") == 1 and re.search("query_wait_timeout.*; does the server behind the pooler run", done.stderr), done.stderr
