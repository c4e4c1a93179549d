# SPDX-License-Identifier: Apache-2.0
"""Ways to a PostgreSQL: certificates, passwords in files, a standby that takes over, hosts that do not answer."""
import contextlib
import re
import socket
import subprocess

import pytest
from gecko import Running, clean_env, gecko, market_body, wait_for
from postgres import ESCAPED, PASSWORD, Standby
from stores import HOUR_US, SLOT0, check_equal, in_postgres, in_sqlite, kinds_in_postgres, make_tape

COINS = 20


def polls(first, n):
    return [(SLOT0 + i * HOUR_US, "ok", [market_body(COINS, i)]) for i in range(first, first + n)]


def told(done, why, mend):
    """In one line, without a secret."""
    assert done.stderr.count("\n") == 1 and re.search(f"postgres://etl.*{why}.*; .*{mend}", done.stderr), done.stderr
    assert not any(secret in done.stderr for secret in (PASSWORD, ESCAPED, "wr0ng"))


# ---- TLS ----

@contextlib.contextmanager
def settings(server, **values):
    """While the server runs on."""
    change = "; ".join(f"alter system set {name} = '{value}'" for name, value in values.items())
    server.psql(f"{change}; select pg_reload_conf()".replace("; ", ";\n"), "postgres")
    name, value = next((name, str(value)) for name, value in values.items())
    try:
        wait_for(lambda: server.psql(f"show {name}", "postgres") == value, what="the new settings")
        yield
    finally:
        server.psql("alter system reset all;\nselect pg_reload_conf()", "postgres")
        wait_for(lambda: server.psql(f"show {name}", "postgres") != value, what="the old settings")


def certificate(server, name, *when):
    """A certificate of the server's key by the server's CA, made at another time."""
    subprocess.run([*when, "openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30",
                    "-extfile", "san", "-out", name], cwd=server.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return server.dir / name


def test_a_certificate_that_has_expired_is_refused_in_a_line_with_its_mend(server):
    expired = certificate(server, "expired.crt", "faketime", "2020-01-01")
    with settings(server, ssl_cert_file=expired):
        told(gecko("migrate", "--sink", server.url(), check=75), "certificate verify failed", "has it expired")
        assert "version" in gecko("migrate", "--sink", server.url(sslmode="require", sslrootcert=None), check=0).stdout


def test_a_server_without_tls_gets_no_password(server):
    with settings(server, ssl="off"):
        for mode in ("require", "verify-ca", "verify-full"):
            told(gecko("migrate", "--sink", server.url(sslmode=mode), check=75), "server does not support SSL, but SSL was required", "turn TLS on there")


def test_a_ca_is_named_by_a_variable_too(server):
    env = clean_env(PGSSLMODE="verify-full", PGSSLROOTCERT=str(server.dir / "ca.crt"))
    bare = server.url(sslmode=None, sslrootcert=None)
    assert "version" in gecko("migrate", "--sink", bare, env=env, check=0).stdout
    env["PGSSLROOTCERT"] = str(server.dir / "other.crt")
    told(gecko("migrate", "--sink", bare, env=env, check=75), "certificate verify failed", r"\?sslrootcert=")


def test_scram_is_bound_to_the_channel(server):
    assert "version" in gecko("migrate", "--sink", server.url(channel_binding="require"), check=0).stdout
    assert server.psql("select rolpassword like 'SCRAM-SHA-256$%' from pg_authid where rolname = 'etl'") == "t"


# ---- passwords in files ----

def seed(server, **more):
    return clean_env(POSTGRES_HOST="localhost", POSTGRES_PORT=str(server.port), POSTGRES_USER="etl", POSTGRES_DB="etl", PGHOSTADDR="127.0.0.1",
                     PGSSLMODE="verify-full", PGSSLROOTCERT=str(server.dir / "ca.crt"), **more)


def test_the_seeds_password_is_read_from_a_file(server, tmp_path):
    (tmp_path / "secret").write_text(f"{PASSWORD}\n")
    (tmp_path / "secret").chmod(0o444)  # as docker mounts it
    done = gecko("migrate", env=seed(server, POSTGRES_PASSWORD_FILE=str(tmp_path / "secret")), cwd=tmp_path, check=0)
    assert f"postgres://etl:***@localhost:{server.port}/etl: schema made" in done.stdout
    (tmp_path / "secret").write_text("wr0ng\n")
    told(gecko("migrate", env=seed(server, POSTGRES_PASSWORD_FILE=str(tmp_path / "secret")), cwd=tmp_path, check=75),
         "password authentication failed", "see user and password")
    told(gecko("migrate", env=seed(server), cwd=tmp_path, check=75), "no password supplied", "POSTGRES_PASSWORD_FILE")
    done = gecko("migrate", env=seed(server, POSTGRES_PASSWORD_FILE=str(tmp_path / "nosuch")), cwd=tmp_path, check=78)
    assert "POSTGRES_PASSWORD_FILE" in done.stderr and "nosuch" in done.stderr


def test_a_password_file_that_all_may_read_is_named(server, tmp_path):
    """By libpq itself, which does not read it."""
    (tmp_path / "pgpass").write_text(f"*:*:*:*:{PASSWORD}\n")
    (tmp_path / "pgpass").chmod(0o644)
    url = server.url(passfile=tmp_path / "pgpass").replace(f":{ESCAPED}@", "@")
    done = gecko("migrate", "--sink", url, check=75)
    assert "group or world access" in done.stderr and "no password supplied" in done.stderr and PASSWORD not in done.stderr
    (tmp_path / "pgpass").chmod(0o600)
    assert "version" in gecko("migrate", "--sink", url, check=0).stdout


# ---- hosts ----

def test_a_host_that_says_nothing_is_given_up_on(server):
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as mute:
        port = mute.getsockname()[1]
        told(gecko("migrate", "--sink", server.url(port=port, connect_timeout=2), check=75), "timeout expired", "see network and firewall")
        # of several hosts the next one is tried
        url = server.url(hostaddr="127.0.0.1,127.0.0.1", connect_timeout=2).replace(f":{server.port}/", f":{port},localhost:{server.port}/")
        assert "version" in gecko("migrate", "--sink", url, check=0).stdout


@pytest.fixture
def standby(server):
    made = Standby(server)
    yield made
    made.remove()


def follow(data, sink):
    return Running("load", "--from", f"tape:{data}", "--sink", sink, "--follow")


def n_polls(server):
    done = server.psql("select count(*) from geckotape.poll", check=False)
    return int(done) if done.isdigit() else 0


def wait_for_polls(server, n, run):
    wait_for(lambda: n_polls(server) == n or run.process.poll() is not None, what=f"{n} polls")
    assert run.process.poll() is None, run.read()


def check_stores(server, data, tmp_path):
    path = tmp_path / "expected.db"
    gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{path}", check=0)
    check_equal(in_postgres(server), in_sqlite(path, kinds_in_postgres(server)))


def test_a_standby_alone_is_told_in_a_line_with_its_mend(server, standby):
    told(gecko("migrate", "--sink", standby.url(), check=75), "session is read-only|read-only", "is it a standby")
    told(gecko("migrate", "--sink", standby.url(target_session_attrs="any"), check=75), "read-only transaction|recovery", "is it a standby")


def test_of_several_hosts_the_primary_is_written_whichever_comes_first(server, standby, tmp_path):
    data = make_tape(tmp_path / "data", polls(0, 2))
    for n, url in enumerate((standby.url_with(server), server.url_with(standby))):
        done = gecko("load", "--from", f"tape:{data}", "--sink", url, check=0)
        assert f"{0 if n else 2} polls loaded" in done.stdout


@pytest.mark.parametrize("is_behind", [False, True], ids=["in step", "behind"])
def test_a_standby_that_takes_over_has_every_poll_once(is_behind, server, standby, tmp_path):
    """Also when it lacks what the primary had confirmed: the position is that of its own rows."""
    data = make_tape(tmp_path / "data", polls(0, 3))
    with follow(data, server.url_with(standby)) as run:
        wait_for_polls(standby, 3, run)
        if is_behind:
            standby.stop()
        make_tape(data, polls(3, 3))
        wait_for_polls(server, 6, run)
        if is_behind:
            server.stop()
            standby.start()
            assert n_polls(standby) == 3
        else:
            wait_for_polls(standby, 6, run)
            server.stop()
        standby.promote()
        make_tape(data, polls(6, 3))
        wait_for_polls(standby, 9, run)
        assert run.stop() == 0
    check_stores(standby, data, tmp_path)
    server.start()
