# SPDX-License-Identifier: Apache-2.0
"""What .env can say to the compose file, all at once."""
import gzip
import json
import subprocess

import pytest
from gecko import wait_for
from project import Project

PASSWORD = "p@ss:w\\ord 'x\" %/#?"
KEY = "CG-a1b2c3d4e5"
SINKS = "sqlite:./data/market.db json:./data?compress=gzip json:./data/zstd?compress=zstd postgres://collector@db/market"


@pytest.fixture(scope="module")
def project(engine, image, tmp_path_factory):
    engine.make_postgres()
    made = Project(engine, tmp_path_factory.mktemp("settings"), POSTGRES_USER="collector", POSTGRES_DB="market", ETL_PORT="18080",
                   DB_PORT="15432", ETL_USER="12345:23456", POSTGRES_PASSWORD_FILE="./postgres.password",
                   COINGECKO_KEY_FILE="./coingecko.key", GECKOTAPE_API_KEY_FILE="/run/secrets/coingecko_key",
                   GECKOTAPE_API_PLAN="demo", GECKOTAPE_SINKS=f'"{SINKS}"')
    made.password = PASSWORD
    for name, secret in ("postgres.password", PASSWORD), ("coingecko.key", KEY):
        (made.dir / name).write_text(secret + "\n")
        (made.dir / name).chmod(0o600)  # root's, whom the collector is not
    try:
        made.up()
        made.wait_healthy()
        made.wait_polls(3)
        yield made
    finally:
        made.down()


def test_files_are_packed_on_request_and_belong_to_whom_was_named(project):
    for path in (project.dir / "data", project.dir / "logs"):
        assert all((p.stat().st_uid, p.stat().st_gid) == (12345, 23456) for p in [path, *path.rglob("*")])
    for folder in "raw", "processed":
        zipped = sorted((project.dir / "data" / folder).glob("market_*.json.gz"))
        packed = {path.name: path for path in (project.dir / "data/zstd" / folder).glob("market_*.json.zst")}
        assert zipped
        body = gzip.decompress(zipped[0].read_bytes())
        assert len(json.loads(body)) == 10
        same = packed[zipped[0].name.replace(".gz", ".zst")]
        assert subprocess.run(["zstdcat", same], stdout=subprocess.PIPE, check=True).stdout == body


def test_secrets_from_files_are_nowhere_else(project):
    places = {service: json.dumps(project.engine.inspect(project.name(service))) for service in ("init", "db", "etl")}
    places["image"] = project.engine.docker("history", "--no-trunc", "geckotape")
    places["logs"] = project.compose("logs") + project.log()
    places["processes"] = project.engine.docker("top", project.name("etl"))
    places["status"] = project.get("/api/status").decode() + project.get("/metrics").decode()
    for place, text in places.items():
        for secret in PASSWORD, json.dumps(PASSWORD)[1:-1], KEY:
            assert secret not in text, place
    kept = project.engine.docker("exec", project.name("etl"), "sh", "-c", "cd /run/secrets && stat -c '%n %u:%g %a' *").splitlines()
    assert kept == [f"{name} 12345:23456 600" for name in ("coingecko_key", "pgpass", "postgres_password")]


def test_a_new_password_of_the_file_is_taken_with_the_next_up(project):
    """PostgreSQL keeps its own: there it is changed by hand."""
    project.psql("alter role collector password 'another one'")
    (project.dir / "postgres.password").write_text("another one\n")
    project.password = "another one"
    project.up()
    project.compose("restart", "etl")
    wait_for(lambda: project.is_healthy("etl"), what="health")
    project.wait_polls(2)
