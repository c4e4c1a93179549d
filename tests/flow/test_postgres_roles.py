# SPDX-License-Identifier: Apache-2.0
"""The roles of docs/postgres.md: an owner who migrates, a writer and a reader who can do no more than they must."""
import re

import pytest
from gecko import ROOT, gecko, market_body
from postgres import PASSWORD
from stores import HOUR_US, SLOT0, TABLES, check_equal, in_postgres, in_sqlite, kinds_in_postgres, make_tape

COINS = 20
ROLES = "geckotape_owner", "etl", "reader"
SECTION = (ROOT / "docs" / "postgres.md").read_text().split("## Roles")[1].split("\n## ")[0]
STATEMENTS = re.findall(r"(?:CREATE|GRANT|REVOKE|ALTER)\b[^;]*;", "\n".join(re.findall(r"^    (.*)$", SECTION, re.MULTILINE)))


def make_polls(first, n):
    """Coins that come and go, some polls without rows or with a part of them."""
    polls = []
    for i in range(first, first + n):
        pages = [market_body(COINS, i), market_body(2 + i % 2, i, first=COINS)]
        outcome = "failed" if i % 7 == 5 else "partial" if i % 5 == 3 else "ok"
        polls.append((SLOT0 + i * HOUR_US, outcome, {"ok": pages, "partial": [pages[0], None], "failed": []}[outcome]))
    return polls


def drop_roles(server):
    server.psql("".join(f"do $$ begin if exists (select from pg_roles where rolname = '{role}') then drop owned by {role} cascade; "
                        f"drop role {role}; end if; end $$;" for role in ROLES))


@pytest.fixture
def base(running):
    """A database of which the roles of the manual have their parts, and nothing else."""
    running.create("etl", owner="admin")
    drop_roles(running)
    for statement in STATEMENTS:
        if "REVOKE" not in statement:
            running.psql(statement.replace("…", PASSWORD))
    assert "made" in gecko("migrate", "--sink", running.url(user="geckotape_owner"), check=0).stdout
    for statement in STATEMENTS:
        if "REVOKE" in statement:
            running.psql(statement)
    yield running
    running.psql("drop database etl with (force)", "postgres")
    running.psql("".join(f"drop role {role};" for role in ROLES), "postgres")


@pytest.fixture
def tape(tmp_path):
    return make_tape(tmp_path / "data", make_polls(0, 12))


def load(server, data, options=None, **how):
    return gecko("load", "--from", f"tape:{data}", "--sink", server.url(migrate="off", **options or {}), **how)


def test_the_writer_loads_and_replays_all_with_no_more_than_its_grants(base, tape, tmp_path):
    done = load(base, tape, {"raw": "on"}, check=0)
    assert "12 polls loaded" in done.stdout and done.stderr == "" and base.psql("select count(*) > 12 from geckotape.raw") == "t"
    gecko("replay", "--data", tape, "--sink", base.url(migrate="off"), "--since", "2026-01-01T00:00:00Z", "--force", check=0)
    gecko("load", "--from", f"tape:{tape}", "--sink", f"sqlite:{tmp_path}/want.db", check=0)
    check_equal(in_postgres(base), in_sqlite(tmp_path / "want.db", kinds_in_postgres(base)))
    assert base.psql("select count(*) from geckotape.market_default") == "0"
    for refused in ("create table geckotape.x ()", "drop table geckotape.poll", "truncate geckotape.market", "alter table geckotape.poll add x int",
                    "update geckotape.schema_version set version = 9", "update geckotape.layout set partition = 'day'", "create table public.x ()"):
        assert re.search("permission denied|must be owner", base.psql(refused, user="etl", check=False)), refused


def test_the_reader_reads_all_and_writes_nothing(base, tape):
    load(base, tape, check=0)
    for table in [*TABLES, "gap", "quality"]:
        base.psql(f"select * from geckotape.{table}", user="reader")
    for name in ("coin_market_raw", "coin_market_processed"):
        assert int(base.psql(f"select count(*) from public.{name}", user="reader")) > COINS
    assert len(gecko("query", "--from", base.url(user="reader"), "--format", "jsonl", check=0).stdout.splitlines()) > COINS
    for refused in ("delete from geckotape.market", "insert into geckotape.coin_name values (1, now(), '', '')", "create table geckotape.x ()"):
        assert "permission denied" in base.psql(refused, user="reader", check=False), refused
    assert "permission denied" in base.psql("select geckotape.make_partition('market', now(), false)", user="reader", check=False)


def told(done, what, mend=r"GRANT|grant it: docs/postgres\.md has the roles"):
    assert done.stderr.count("\n") == 1 and re.search(f"postgres://.*{what}.*; .*({mend})", done.stderr), done.stderr
    assert PASSWORD not in done.stderr


SCHEMA = {
    "no schema": ("drop schema geckotape cascade", "the schema geckotape is not there yet", "geckotape migrate"),
    "USAGE": ("revoke usage on schema geckotape from etl", "permission denied for schema geckotape", "GRANT USAGE ON SCHEMA geckotape"),
    "CONNECT": ("revoke connect on database etl from public", "permission denied for database", "GRANT CONNECT ON DATABASE"),
}


@pytest.mark.parametrize("what", SCHEMA)
def test_without_its_place_the_writer_says_so_in_a_line_with_the_mend(what, base, tape):
    sql, why, mend = SCHEMA[what]
    base.psql(sql)
    told(load(base, tape, check=75), why, mend)


def test_each_table_that_the_writer_may_not_use_is_named_with_the_mend(base, tmp_path):
    """What it has to do with the table fails, or was nothing."""
    named = set()
    tables = base.psql("select c.oid::regclass from pg_class c where relnamespace = 'geckotape'::regnamespace and relkind in ('r', 'p') and "
                       "not relispartition").splitlines()
    for table in tables:
        for privilege in ("select", "insert", "update", "delete"):
            base.psql(f"revoke {privilege} on {table} from etl")
        done = load(base, make_tape(tmp_path / table, make_polls(0, 6), job=table.split(".")[1]))
        for privilege in ("select", "insert", "update", "delete"):
            base.psql(f"grant {privilege} on {table} to etl")
        if done.returncode != 0:
            told(done, f"permission denied for table {table.split('.')[1]} .42501.")
            named.add(table.split(".")[1])
    assert named >= {"schema_version", "job", "sink_offset", "coin", "coin_name", "market", "latest", "poll", "absence", "quality_flag"}


def test_without_execute_rows_are_stored_all_the_same_and_it_is_told_why_they_lie_where_they_do(base, tape):
    base.psql("revoke execute on function geckotape.make_partition, geckotape.empty_default from etl")
    done = load(base, tape, check=0)
    assert "12 polls loaded" in done.stdout
    assert done.stderr.count("\n") == 1 and re.search("market_default .*permission denied for function make_partition.*docs/postgres.md", done.stderr)
    assert base.psql("select count(*) > 0 from geckotape.market_default") == "t"


def test_the_owner_cannot_be_done_without_where_it_may_not_create(base, tape):
    base.psql("drop schema geckotape cascade")
    done = gecko("migrate", "--sink", base.url(), check=75)
    told(done, "the schema geckotape is not there yet", "geckotape migrate makes it, by a role with GRANT CREATE ON DATABASE etl")
    base.psql("create schema geckotape authorization geckotape_owner; grant usage on schema geckotape to etl")
    for dry in ((), ("--dry-run",)):
        told(gecko("migrate", "--sink", base.url(), *dry, check=75), "nothing is in the schema geckotape yet", "its owner geckotape_owner makes")
    gecko("migrate", "--sink", base.url(user="geckotape_owner"), check=0)
    base.psql("update geckotape.schema_version set version = 0 where version = 1; delete from geckotape.schema_version where version > 1; "
              "grant select on geckotape.schema_version to etl")
    for dry in ((), ("--dry-run",)):
        told(gecko("migrate", "--sink", base.url(), *dry, check=75), "is of version 0", "its owner geckotape_owner brings it there")


def test_a_reader_without_its_grants_is_told_the_mend(base, tape):
    load(base, tape, check=0)
    base.psql("revoke usage on schema geckotape from reader")
    told(gecko("query", "--from", base.url(user="reader"), check=75), "permission denied for schema geckotape")
    base.psql("grant usage on schema geckotape to reader; revoke select on geckotape.latest from reader")
    told(gecko("query", "--from", base.url(user="reader"), check=75), "permission denied for table latest")
