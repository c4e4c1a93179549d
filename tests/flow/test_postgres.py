# SPDX-License-Identifier: Apache-2.0
"""The sink postgres: as its users meet it: connecting, roles, rows that are refused, partitions, the views in public."""
import contextlib
import http.client
import json
import re

import pytest
from gecko import PATIENCE, Running, clean_env, gecko, get, market_body, wait_for
from postgres import ESCAPED, PASSWORD
from stores import HOUR_US, SLOT0, make_tape

COINS = 20


@pytest.fixture
def tape(tmp_path):
    return make_tape(tmp_path / "data", [(SLOT0, "ok", [market_body(COINS)])])


def load(data, sink, **how):
    return gecko("load", "--from", f"tape:{data}", "--sink", sink, **how)


def without_password(url):
    return url.replace(f":{ESCAPED}@", "@")


# ---- connecting ----

WRONG = {
    "password": (lambda s: s.url().replace(ESCAPED, "wr0ng"), "password authentication failed", "see user and password"),
    "no password": (lambda s: without_password(s.url()), "no password supplied", r"passfile=, or POSTGRES_PASSWORD_FILE"),
    "host": (lambda s: s.url(host="nosuch.invalid", hostaddr=None), "nosuch.invalid", "see the host's name"),
    "port": (lambda s: s.url(port=1), "Connection refused", "does it run, and is it this host and port"),
    "database": (lambda s: s.url("nosuch"), 'database .*nosuch.* does not exist', "create the database"),
    "user": (lambda s: s.url(user="nosuch"), "password authentication failed", "see user and password"),
    "CA": (lambda s: s.url(sslrootcert=f"{s.dir}/other.crt"), "certificate verify failed", r"\?sslrootcert="),
    "no CA": (lambda s: s.url(sslrootcert=f"{s.dir}/nosuch.crt"), "root certificate file", r"\?sslrootcert="),
    "name": (lambda s: s.url(host="other"), "does not match host name", "write the host as its certificate does"),
    "no TLS": (lambda s: s.url(sslmode="disable"), "no pg_hba.conf entry", "sslmode=require where it wants TLS"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_in_the_url_is_told_in_a_line_with_its_mend(what, server, tape):
    make, why, mend = WRONG[what]
    done = load(tape, make(server), check=75)
    lines = [line for line in done.stderr.splitlines() if " records, " not in line]  # a slow machine tells how far it is
    assert len(lines) == 1 and re.search(f"{why}.*; .*{mend}", lines[0]), done.stderr
    assert PASSWORD not in done.stdout + done.stderr and ESCAPED not in done.stdout + done.stderr and "wr0ng" not in done.stderr


SERVERS = {
    "no schema may be made": ("create role guest login password '{p}'", "guest", "the schema geckotape is not there yet", "GRANT CREATE ON DATABASE etl: docs/postgres.md"),
    "no connect": ("revoke connect on database etl from public; create role guest login password '{p}'", "guest",
                   "permission denied for database", "GRANT CONNECT ON DATABASE"),
    "no login": ("create role guest password '{p}'", "guest", "not permitted to log in", "ALTER ROLE"),
    "closed": ("create role guest; alter database etl allow_connections false", "etl", "not currently accepting connections", "ALLOW_CONNECTIONS"),
}


@pytest.mark.parametrize("what", SERVERS)
def test_what_the_server_does_not_allow_is_told_in_a_line_with_its_mend(what, server, tape):
    sql, user, why, mend = SERVERS[what]
    server.psql(sql.format(p=PASSWORD), "postgres")
    try:
        done = load(tape, server.url(user=user), check=75)
    finally:
        server.psql("drop database etl; drop role guest", "postgres")
    assert len(done.stderr.splitlines()) == 1 and re.search(f"{why}.*; .*{mend}", done.stderr), done.stderr


def test_a_batch_that_another_writer_breaks_counts_once(server, tape, tmp_path):
    load(tape, server.url(), check=0)
    server.psql("create sequence geckotape.n; create function geckotape.clash() returns trigger language plpgsql as $$ begin "
                "if nextval('geckotape.n') = 3 then raise exception using errcode = '40001'; end if; return new; end $$; "
                "create trigger clash before insert on geckotape.poll for each row execute function geckotape.clash()", "etl", "etl")
    more = make_tape(tmp_path / "more", [(SLOT0 + i * HOUR_US, "ok", [market_body(5, i)]) for i in range(1, 7)])
    assert "6 polls loaded, 30 rows stored" in load(more, server.url(), check=0).stdout
    assert server.psql("select last_value > 6 from geckotape.n", "etl", "etl") == "t"


SCHEMAS = {
    "later": ("update geckotape.schema_version set version = version + 98, oldest_program = '99.1'", "use geckotape 99.1 or later"),
    "another's": ("drop schema geckotape cascade; create schema geckotape; create table geckotape.x ()", "give the sink one of its own: ?schema="),
    "without a version": ("truncate geckotape.schema_version", "has no schema version; give the sink a schema of its own: ?schema="),
}


@pytest.mark.parametrize("what", SCHEMAS)
def test_a_schema_that_is_not_ours_to_write_is_refused_with_its_mend(what, server, tape):
    sql, mend = SCHEMAS[what]
    load(tape, server.url(), check=0)
    server.psql(sql, "etl", "etl")
    done = load(tape, server.url(), check=1)
    assert len(done.stderr.splitlines()) == 1 and mend in done.stderr, done.stderr
    assert "1 polls loaded" in load(tape, server.url(schema="other"), check=0).stdout


@pytest.mark.parametrize("url", [
    "postgres://etl@h/d?shcema=x", "postgres://etl@h/d?schema=pg_x", "postgres://etl@h/d?schema=Public", "postgres://etl@h/d?schema=",
    "postgres://etl@h/d?partition=week", "postgres://etl@h/d?migrate=maybe", "postgres:etl@h", f"postgres://etl:{PASSWORD}@h/d",
    "postgres://etl:geheim@h:port:x/d", "postgres://etl:geheim@[::1/d"])
def test_a_url_that_cannot_be_is_refused_before_anything_starts(url, tmp_path):
    done = gecko("check", "--sink", url, cwd=tmp_path, check=78)
    assert len(done.stderr.splitlines()) == 1 and "postgres" in done.stderr, done.stderr
    assert "s3cret" not in done.stderr and "geheim" not in done.stderr


def test_a_password_is_read_from_a_file(server, tape, tmp_path):
    file = tmp_path / "pgpass"
    file.write_text(f"localhost:{server.port}:etl:etl:{PASSWORD}\n")
    file.chmod(0o600)
    url = without_password(server.url(passfile=str(file)))
    assert "1 polls loaded" in load(tape, url, check=0).stdout
    assert "0 polls loaded" in load(tape, without_password(server.url()), env=clean_env(PGPASSFILE=str(file)), check=0).stdout


def test_tls_is_what_the_server_sees(server, tape):
    with Running("load", "--from", f"tape:{tape}", "--sink", server.url(), "--follow"):
        seen = "select ssl, version like 'TLSv1.%', application_name from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'etl'"
        wait_for(lambda: server.psql(seen) == "t|t|geckotape", what="a connection over TLS")


def test_a_password_is_shown_nowhere(server, tmp_path):
    """Of a sink that works, and of one that cannot be reached."""
    data, log = tmp_path / "data", tmp_path / "log"
    sinks = ["--sink", server.url(), "--sink", server.url(port=1)]
    with Running("run", "--simulate", "--speed", 100, "--every", "1s", "--coins", 10, "--top", 10, "--data", data, "--listen", "127.0.0.1:0",
                 "--log-file", log, "--log-level", "debug", *sinks) as run:
        port = run.port()
        run.expect("sink refuses for now")
        wait_for(lambda: server.psql("select to_regclass('geckotape.poll')", "etl") and
                 server.psql("select count(*) > 1 from geckotape.poll", "etl") == "t", what="two polls")
        shown = "".join(get(port, path).decode() for path in ("/metrics", "/api/status", "/"))
        for words in (["status"], ["status", "--json"], ["sink", "ls"], ["check", *sinks], ["doctor", "--simulate", *sinks]):
            done = gecko(*words, "--data", data)
            shown += done.stdout + done.stderr
        assert run.stop() == 0
    shown += run.output + log.read_text()
    assert f"postgres://etl:***@localhost:{server.port}/etl" in shown
    kept = b"".join(p.read_bytes() for p in data.rglob("*") if p.is_file())
    for secret in (PASSWORD, ESCAPED):
        assert secret not in shown and secret.encode() not in kept


# ---- reading it back ----


def ask(port, path):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_the_api_answers_from_the_server_and_waits_for_no_lock_or_outage(server, tmp_path):
    price = "/api/v3/simple/price?ids=bitcoin&vs_currencies=usd"
    with Running("run", "--simulate", "--every", "1s", "--coins", 10, "--top", 10, "--data", tmp_path / "data", "--listen", "127.0.0.1:0",
                 "--sink", server.url()) as run:
        port = run.port()
        wait_for(lambda: '{"bitcoin":{"usd":' in ask(port, price)[1], what="a price")
        assert [job["name"] for job in json.loads(ask(port, "/api/status")[1])["jobs"]] == ["markets-usd-top10"]
        assert json.loads(ask(port, "/api/polls")[1])["polls"]
        locks = "begin; lock table geckotape.latest; select pg_sleep(4)"
        with contextlib.ExitStack() as stack:
            holder = server.psql_in_background(locks)
            stack.callback(holder.wait)
            wait_for(lambda: ask(port, price)[0] == 503, what="an answer that gives up")
            assert "55P03" in ask(port, price)[1] and ask(port, "/healthz") == (200, "OK")
        wait_for(lambda: ask(port, price)[0] == 200, what="a price behind the lock")
        server.stop()
        wait_for(lambda: ask(port, price)[0] == 503, what="an outage")
        assert ask(port, "/healthz") == (200, "OK")
        server.start()
        wait_for(lambda: ask(port, price)[0] == 200, what="a price after the outage")
        assert run.stop() == 0


def test_who_may_only_read_reads(server, tape):
    load(tape, server.url(), check=0)
    server.psql(f"create role guest login password '{PASSWORD}'", "postgres")
    try:
        done = gecko("query", "--from", server.url(user="guest"), check=75)
        assert "permission denied" in done.stderr and "docs/postgres.md has the roles" in done.stderr
        server.psql("grant usage on schema geckotape to guest; grant select on all tables in schema geckotape to guest", user="etl")
        rows = json.loads(gecko("query", "--from", server.url(user="guest"), "--format", "json", "--columns", "all", check=0).stdout)
        assert len(rows) == COINS and rows[0]["atl_change_percentage"] == 1.9026007997779706e37
    finally:
        server.psql("drop owned by guest; drop role guest", "etl", "admin")


def test_a_store_that_nobody_has_made_is_named(server):
    done = gecko("query", "--from", server.url(), check=75)
    assert done.stderr.endswith("nothing is loaded yet\n") and PASSWORD not in done.stderr


# ---- beside other writers ----

ADD = "insert into geckotape.coin (id, symbol, name, first_seen, last_seen) values ('coin-{}', 'x', 'X', 'epoch', 'epoch');"
OTHERS = {
    "adds the same coin": ADD.format(10) + "{wait}",
    "adds coins in another order": "set deadlock_timeout = '1h';" + ADD.format(10) + "{wait}" + ADD.format(0),  # so ours is the one that is ended
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_load_that_another_writer_overtakes_reads_again_by_itself(other, server, tape):
    gecko("migrate", "--sink", server.url(), check=0)
    wait = "do $$ begin while not exists (select from pg_locks where not granted) loop perform pg_sleep(0.02); end loop; end $$;"
    with server.psql_in_background("begin;" + OTHERS[other].format(wait=wait) + "commit") as psql:
        wait_for(lambda: server.psql("select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1", what="the other one amidst its work")
        done = load(tape, server.url(), check=0)
        assert psql.wait(PATIENCE) == 0
    assert "1 polls loaded" in done.stdout
    assert server.psql("select (select count(*) from geckotape.market), (select count(*) from geckotape.coin)") == f"{COINS}|{COINS}"
