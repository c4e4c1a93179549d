# SPDX-License-Identifier: Apache-2.0
"""The schema in PostgreSQL: making it, also by several at once and in spite of kills, and the views in public."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess

import pytest
from gecko import BINARY, ROOT, Running, clean_env, gecko, market_body, wait_for
from postgres import PASSWORD, binaries
from stores import HOUR_US, SLOT0, check_equal, in_postgres, in_sqlite, kinds_in_postgres, make_tape

COINS = 20
LOCK = "select pg_advisory_xact_lock(1734568820, hashtext('geckotape'));"
NOW = len(list((ROOT / "src/load/postgres/migrations").glob("*.sql")))
MADE, NOTHING = f"schema made, version {NOW}", f"schema version {NOW}, nothing to do"


@pytest.fixture
def tape(tmp_path):
    return make_tape(tmp_path / "data", [(SLOT0, "ok", [market_body(COINS)])])


def load(data, sink, **how):
    return gecko("load", "--from", f"tape:{data}", "--sink", sink, **how)


def migrate(sink, *more, **how):
    """What it says, without the sink's name."""
    done = gecko("migrate", "--sink", sink, *more, **{"check": 0, **how})
    return [line.split(": ", 1)[1].replace(sink.split("?")[0], "") for line in done.stdout.splitlines()]


@contextlib.contextmanager
def session(server, sql, user="admin"):
    """A session of somebody else's, which stays in what it has begun."""
    with subprocess.Popen([binaries() / "psql", "-XqAt", "-h", server.dir / "sock", "-p", str(server.port), "-U", user, "-d", "etl"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PGPASSWORD": PASSWORD}) as psql:
        psql.stdin.write(f"{sql}\n\\echo begun\n")
        psql.stdin.flush()
        while psql.stdout.readline().strip() != "begun":
            assert psql.poll() is None
        yield psql
        psql.stdin.close()


def start(*args):
    return subprocess.Popen([BINARY, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean_env())


def n_waiting(server):
    return int(server.psql("select count(*) from pg_locks where locktype = 'advisory' and not granted"))


# ---- making it ----

def test_it_says_what_it_would_do_and_what_it_did(server):
    url = server.url()
    would = [line.replace("would be made", "is made") for line in migrate(url, "--dry-run")]
    assert server.psql("select to_regnamespace('geckotape') is null and to_regclass('public.coin_market_raw') is null") == "t"
    assert [line.replace("would be ", "") for line in migrate(url, "--dry-run")][-1] == MADE
    assert migrate(url) == [*would[:-1], MADE] == ["the view public.coin_market_raw is made", "the view public.coin_market_processed is made", MADE]
    assert migrate(url) == [NOTHING] == migrate(url, "--dry-run")


def test_doctor_says_what_will_be_made_and_makes_nothing(server, tmp_path):
    done = gecko("doctor", "--offline", "--sink", server.url(), "--data", tmp_path / "data")
    assert re.search("ok +sink: .* answers; its schema will be made", done.stdout), done.stdout
    assert server.psql("select to_regnamespace('geckotape') is null") == "t"
    migrate(server.url())
    done = gecko("doctor", "--offline", "--sink", server.url(), "--data", tmp_path / "data")
    assert re.search("ok +sink: .* opens", done.stdout), done.stdout


def test_the_sink_of_the_seeds_names_is_migrated_too(server, tmp_path):
    env = clean_env(POSTGRES_HOST=f"{server.dir}/sock", POSTGRES_PORT=str(server.port), POSTGRES_USER="etl", POSTGRES_DB="etl",
                    POSTGRES_PASSWORD=PASSWORD, VS_CURRENCY="eur")
    done = gecko("migrate", env=env, cwd=tmp_path, check=0)
    assert MADE in done.stdout and f"sqlite:./data/market.db: " in done.stdout and PASSWORD not in done.stdout


def test_views_that_could_not_be_made_then_are_made_when_they_can(server, tape):
    server.psql("revoke create on schema public from public, pg_database_owner")
    done = load(tape, server.url(), check=0)
    assert done.stderr.count("GRANT CREATE ON SCHEMA public, then geckotape migrate") == 2
    server.psql("grant create on schema public to etl")
    assert migrate(server.url())[0] == "the view public.coin_market_raw is made"
    assert server.psql("select count(*) from public.coin_market_processed", user="etl") == str(COINS)


def test_a_database_without_the_schema_public_gets_the_views_in_our_own(server, tape):
    server.psql("drop schema public")
    assert "1 polls loaded" in load(tape, server.url(), check=0).stdout
    assert server.psql("select count(*) from geckotape.coin_market_raw", user="etl") == str(COINS)


def test_two_that_start_on_an_empty_database_at_once_make_one_schema(server, tape, tmp_path):
    other = make_tape(tmp_path / "other", [(SLOT0, "ok", [market_body(COINS, first=COINS)])], job="other")
    words = ["migrate", "--sink", server.url()], *(["load", "--from", f"tape:{data}", "--sink", server.url()] for data in (tape, other))
    with session(server, f"begin; {LOCK}") as psql:
        started = [start(*w) for w in words]
        wait_for(lambda: n_waiting(server) == len(started), what="all of them before the lock")
        psql.stdin.write("rollback;\n")
        psql.stdin.flush()
        said = [process.communicate(timeout=60)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    assert server.psql("select count(*) from geckotape.schema_version") == str(NOW)
    assert all("1 polls loaded" in text for text in said[1:]) and "schema" in said[0]
    assert server.psql("select count(*), count(distinct job_id) from geckotape.market") == f"{2 * COINS}|2"


# where in the migration it is: what was made last
PLACES = ["schema_version", "market", "absence", "coin_market_processed"]


@pytest.mark.parametrize("last", PLACES)
def test_a_kill_amidst_a_migration_leaves_nothing_and_the_next_start_makes_it(last, server, tape):
    server.psql(f"""create function halt() returns event_trigger language plpgsql as $$ begin
                    if exists (select from pg_event_trigger_ddl_commands() where object_identity = 'geckotape.{last}')
                    then perform pg_advisory_lock(42); end if; end $$;
                    create event trigger halt on ddl_command_end execute function halt()""")
    try:
        with session(server, "select pg_advisory_lock(42);") as psql:
            process = start("load", "--from", f"tape:{tape}", "--sink", server.url())
            wait_for(lambda: n_waiting(server) == 1, what="it in the middle")
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert server.psql("select to_regnamespace('geckotape') is null") == "t"
            psql.stdin.write("select pg_advisory_unlock(42);\n")
            psql.stdin.flush()
            done = load(tape, server.url(), check=0)
    finally:
        server.psql("drop event trigger if exists halt")
    assert "1 polls loaded" in done.stdout
    assert server.psql("select count(*) from geckotape.schema_version") == str(NOW)
    assert migrate(server.url()) == [NOTHING]


def test_a_schema_that_no_migration_fits_is_refused_in_a_line_with_its_mend(server, tape):
    load(tape, server.url(), check=0)
    server.psql("update geckotape.schema_version set version = 0 where version = 1; delete from geckotape.schema_version where version > 1")
    done = gecko("migrate", "--sink", server.url(), check=75)
    assert done.stderr.count("\n") == 1 and re.search("schema version 1: .*already exists.*; .*drop it whole", done.stderr), done.stderr
    assert server.psql("select count(*) from geckotape.market") == str(COINS)


def make_old(server, version):
    """In place of the schema: what a program of that version would have had of the same rows."""
    files = sorted((ROOT / "src/load/postgres/migrations").glob("*.sql"))[:version]
    server.psql("alter schema geckotape rename to new; create schema geckotape; set search_path to geckotape, pg_temp;\n" +
                "\n".join(file.read_text() for file in files), user="etl")
    tables = server.psql("select relname from pg_class where relnamespace = 'geckotape'::regnamespace and relkind in ('r', 'p') and "
                         "not relispartition order by relname not in ('job', 'coin')").splitlines()
    for table in tables:
        columns = server.psql(f"select string_agg(quote_ident(attname), ', ') from pg_attribute where attrelid = 'geckotape.{table}'::regclass "
                              "and attnum > 0 and not attisdropped")
        which = f"where version <= {version}" if table == "schema_version" else ""
        if table != "layout":
            server.psql(f"insert into geckotape.{table} ({columns}) overriding system value select {columns} from new.{table} {which}", user="etl")
    server.psql("select setval('geckotape.coin_coin_id_seq', max(coin_id)) from geckotape.coin; drop schema new cascade", user="etl")


@pytest.mark.parametrize("version", range(1, NOW))
def test_a_schema_of_an_earlier_version_goes_on_as_if_it_had_never_been_one(version, server, tape, tmp_path):
    load(tape, server.url(), check=0)
    make_old(server, version)
    assert f"schema would be brought from version {version} to {NOW}" in migrate(server.url(), "--dry-run")
    make_tape(tape, [(SLOT0 + i * HOUR_US, "ok", [market_body(COINS + i, i)]) for i in (1, 2)])
    done = load(tape, server.url(), check=0)
    assert "2 polls loaded" in done.stdout and f"its schema was brought from version {version} to {NOW}" in done.stderr
    gecko("load", "--from", f"tape:{tape}", "--sink", f"sqlite:{tmp_path}/want.db", check=0)
    check_equal(in_postgres(server), in_sqlite(tmp_path / "want.db", kinds_in_postgres(server)))
    assert migrate(server.url()) == [NOTHING]


def test_who_may_not_migrate_waits_for_the_owner_who_does(server, tape):
    url = server.url(migrate="off")
    done = load(tape, url, check=75)
    assert done.stderr.count("\n") == 1 and "the schema geckotape is not there yet; geckotape migrate makes it" in done.stderr
    assert migrate(url)[-1] == MADE
    assert "1 polls loaded" in load(tape, url, check=0).stdout
    server.psql("update geckotape.schema_version set version = 0 where version = 1; delete from geckotape.schema_version where version > 1")
    done = load(tape, url, check=75)
    assert done.stderr.count("\n") == 1 and f"is of version 0, and {NOW} is needed; its owner etl brings it there by geckotape migrate" in done.stderr


def test_a_writer_that_waits_goes_on_by_itself_once_the_owner_has_migrated(server, tape):
    with Running("load", "--from", f"tape:{tape}", "--sink", server.url(migrate="off"), "--follow") as run:
        run.expect("sink refuses for now.*geckotape migrate")
        migrate(server.url())
        run.expect("sink works again")
        wait_for(lambda: server.psql("select count(*) from geckotape.market") == str(COINS), what="the rows")
        assert run.output.count("refuses") == 1


# ---- the names that another collector's tables have ----

OLD = """
create table public.coin_market_raw (id text primary key, symbol text, name text, image text, current_price numeric, market_cap numeric,
    market_cap_rank int, total_volume numeric, high_24h numeric, low_24h numeric, price_change_24h numeric,
    price_change_percentage_24h numeric, last_updated timestamptz);
insert into public.coin_market_raw values
    ('bitcoin', 'btc', 'Bitcoin', 'https://x/1.png', 57035.5, 1141930696518, 1, 46192784264, 58413, 55272, 1342.829250156355556, 2.41118,
     '2026-11-20T10:00:01.123Z'),
    ('ether', 'eth', 'Ether, "eum"', null, 1840.76, null, 2, 34773159860, null, 1709.23, -81.89, -4.2, '2026-11-20T10:00:07Z');
create table public.coin_market_processed as select id, symbol, name, current_price, market_cap, total_volume, last_updated from public.coin_market_raw;
"""
ROWS = "select string_agg(t::text, E'\\n' order by id) from {} as t"


@pytest.fixture
def old(server):
    server.psql(OLD, user="etl")
    return server.psql(ROWS.format("public.coin_market_raw"))


def test_a_table_in_the_place_of_a_view_is_left_alone_and_told_of_once(server, tape, old):
    done = load(tape, server.url(), check=0)
    assert "1 polls loaded" in done.stdout
    told = [line for line in done.stderr.splitlines() if "note=" in line]
    assert len(told) == 2 and all(re.search("public.coin_market_\\w+ is there and not ours: left alone.*geckotape migrate --rename-old", t) for t in told)
    assert server.psql(ROWS.format("public.coin_market_raw")) == old
    assert server.psql("select count(*) from geckotape.coin_market_raw", user="etl") == str(COINS)
    assert "note=" not in load(tape, server.url(), check=0).stderr


def test_it_is_renamed_only_on_request(server, tape, old):
    load(tape, server.url(), check=0)
    server.psql("create role grafana; grant select on public.coin_market_raw to grafana; grant insert on public.coin_market_raw to public")
    url = server.url()
    assert "left alone" in migrate(url)[0]
    said = migrate(url, "--rename-old", "--dry-run")
    assert said[0] == "public.coin_market_raw would become public.coin_market_raw_old, and the view be made in its place"
    assert server.psql(ROWS.format("public.coin_market_raw")) == old
    assert migrate(url, "--rename-old")[:2] == [f"public.{name} is now public.{name}_old, and the view is in its place"
                                               for name in ("coin_market_raw", "coin_market_processed")]
    assert server.psql(ROWS.format("public.coin_market_raw_old")) == old
    assert server.psql("set role grafana; select count(*) from public.coin_market_raw") == str(COINS)
    assert server.psql("select has_table_privilege('grafana', 'public.coin_market_raw', 'insert')") == "f"
    assert migrate(url, "--rename-old") == [NOTHING]
    server.psql("drop owned by grafana; drop role grafana")


def test_a_name_that_is_taken_gets_a_number(server, old):
    server.psql("create table public.coin_market_raw_old (); create type public.coin_market_raw_old2 as (x int)", user="etl")
    said = migrate(server.url(), "--rename-old")
    assert "public.coin_market_raw is now public.coin_market_raw_old3, and the view is in its place" in said
    assert server.psql(ROWS.format("public.coin_market_raw_old3")) == old


def test_another_sinks_view_is_not_taken_for_ours(server, tape):
    load(tape, server.url(), check=0)
    assert "public.coin_market_raw is there and not ours" in migrate(server.url(schema="second"))[0]
    assert migrate(server.url()) == [NOTHING]


def test_what_may_not_be_renamed_is_left_with_a_line_and_its_mend(server, old):
    server.psql("alter table public.coin_market_raw owner to admin")
    done = gecko("migrate", "--sink", server.url(), "--rename-old", check=75)
    assert done.stderr.count("\n") == 1 and re.search("must be owner of table coin_market_raw.*; ", done.stderr), done.stderr
    assert server.psql(ROWS.format("public.coin_market_raw")) == old
    assert server.psql("select to_regclass('public.coin_market_processed_old') is null") == "t"


def test_rows_of_the_old_table_are_imported_by_the_commands_of_the_manual(server, old, tmp_path):
    section = (ROOT / "docs" / "postgres.md").read_text().split("## Tables of another collector")[1].split("\n## ")[0]
    commands = "\n".join(re.findall(r"^    (.*)$", section, re.MULTILINE))
    assert commands.count("\\copy") == 1 and "geckotape import" in commands
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    (bin_dir / "geckotape").symlink_to(pathlib.Path(BINARY).resolve())
    done = subprocess.run(["bash", "-ec", commands], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env=clean_env(URL=server.url(), PATH=f"{bin_dir}:{binaries()}:{os.environ['PATH']}"))
    assert done.returncode == 0, done.stdout
    columns = "id, symbol, name, image, current_price, market_cap, market_cap_rank, total_volume, high_24h, low_24h, price_change_24h, " \
        "price_change_percentage_24h, last_updated"
    got, want = (server.psql(ROWS.format(f"(select {columns} from public.{table})")) for table in ("coin_market_raw", "coin_market_raw_old"))
    assert got == want == old
