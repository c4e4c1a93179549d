# SPDX-License-Identifier: Apache-2.0
"""docker compose up --build, in front of the simulator."""
import datetime
import json
import pathlib
import re
import subprocess
import time

import pytest
from project import Project

SEED_RAW = ["id", "symbol", "name", "image", "current_price", "market_cap", "market_cap_rank", "total_volume", "high_24h", "low_24h",
            "price_change_24h", "price_change_percentage_24h", "last_updated"]
SEED_PROCESSED = 7
OWNER = (10001, 10001)


def when(text):
    """Docker writes nanoseconds."""
    return datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d*Z$", r"\1+00:00", text))


def owner(path):
    return path.stat().st_uid, path.stat().st_gid


@pytest.fixture(scope="module")
def project(engine, image, tmp_path_factory):
    """Up, with neither data nor logs there before."""
    engine.make_postgres()
    made = Project(engine, tmp_path_factory.mktemp("compose"))
    assert not (made.dir / "data").exists() and not (made.dir / "logs").exists()
    # it is to build the image itself, but of layers that are there
    engine.docker("tag", image, "kept")
    engine.docker("rmi", image)
    try:
        begun = int(time.time())
        made.up()
        made.wait_healthy()
        # the engine remembers some hundreds
        made.events = engine.docker("events", f"--since={begun}", f"--until={int(time.time()) + 1}", "--filter=type=container",
                                    "--format={{.Actor.Attributes.name}} {{.Action}}").splitlines()
        made.wait_polls(3)
        yield made
    finally:
        made.down()


def test_data_and_logs_are_made_and_are_the_collectors(project):
    data, logs = project.dir / "data", project.dir / "logs"
    for path in [data, *data.rglob("*"), logs, *logs.rglob("*")]:
        assert owner(path) == OWNER, path
    for folder, columns in ("raw", len(SEED_RAW)), ("processed", SEED_PROCESSED):
        files = sorted((data / folder).glob("market_*.json"))
        assert files
        rows = json.loads(files[-1].read_text())
        assert len(rows) == 10 and len(rows[0]) >= columns
    assert "run: started" in (logs / "etl.log").read_text()


def test_only_loopback_is_listened_on(project):
    listening = subprocess.run(["ss", "-Hltn"], stdout=subprocess.PIPE, text=True, check=True).stdout
    places = {line.split()[3] for line in listening.splitlines()}
    assert {"127.0.0.1:5432", "127.0.0.1:8080"} <= places
    assert not [place for place in places if not place.startswith(("127.0.0.1:", "127.0.0.11:", "[::1]:"))], places
    assert project.get("/healthz").startswith(b"OK")


def test_the_page_is_the_dashboard(project):
    page = project.get("/").decode()
    assert "without its dashboard" not in page
    for name in re.findall(r'(?:src|href)="\./(.*?\.(?:js|css))"', page):
        assert len(project.get("/" + name)) > 100, name


def test_it_starts_in_the_order_of_health(project):
    order = [f"{project.name('init')} die", f"{project.name('db')} start", f"{project.name('db')} health_status: healthy",
             f"{project.name('etl')} start", f"{project.name('etl')} health_status: healthy"]
    assert [event for event in project.events if event in order] == order
    assert project.state("init")["ExitCode"] == 0


def test_the_seeds_tables_are_where_its_users_look(project):
    shown = project.psql("select * from coin_market_raw limit 5;", options="-X")
    head, _, *rows = shown.splitlines()
    assert [name.strip() for name in head.split("|")] == SEED_RAW
    assert rows[-1] == "(5 rows)"
    assert len(project.psql("select * from coin_market_processed limit 1").split("|")) == SEED_PROCESSED


def test_the_password_is_in_files_only(project):
    for service in "db", "etl":
        made = project.engine.inspect(project.name(service))
        env = dict(variable.split("=", 1) for variable in made["Config"]["Env"])
        assert env["POSTGRES_PASSWORD_FILE"] == "/run/secrets/postgres_password" and not env.get("POSTGRES_PASSWORD")
    files = project.engine.docker("exec", project.name("etl"), "sh", "-c", "cd /run/secrets && stat -c '%n %u:%g %a' *").splitlines()
    assert files == [f"{name} 10001:10001 600" for name in ("pgpass", "postgres_password")]


def test_the_collector_can_write_nowhere_else(project):
    made = project.engine.inspect(project.name("etl"))["HostConfig"]
    assert made["ReadonlyRootfs"] and made["CapDrop"] == ["ALL"] and "no-new-privileges:true" in made["SecurityOpt"]
    tried = project.engine.docker("exec", project.name("etl"), "sh", "-c", "touch /app/x /run/secrets/x; id -u")
    assert tried.count("Read-only file system") == 2 and tried.endswith("10001\n"), tried


def test_how_soon_and_how_small(project, record_property):
    first = when(project.psql("select to_char(min(finished), 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') from geckotape.poll"))
    record_property("start of the container of etl to the end of its first poll",
                    f"{(first - when(project.state('etl')['StartedAt'])).total_seconds():.2f} s")
    status = pathlib.Path(f"/proc/{project.state('etl')['Pid']}/status").read_text()
    resident, peak = (int(re.search(rf"{name}:\s*(\d+)", status)[1]) / 1024 for name in ("VmRSS", "VmHWM"))
    used = project.engine.docker("stats", "--no-stream", "--format={{.MemUsage}}", project.name("etl")).strip()
    record_property("memory of etl", f"{used} in its cgroup; resident {resident:.0f} MiB, at most {peak:.0f} MiB")
    assert peak < 100


def test_stopping_is_quick_and_clean(project, record_property):
    begun = time.monotonic()
    project.compose("stop", "etl")
    record_property("docker-compose stop etl", f"{time.monotonic() - begun:.1f} s")
    assert project.state("etl")["ExitCode"] == 0 and re.search(r"run: stopped\n$", project.log())
    project.compose("start", "etl")
    project.wait_healthy()
    project.wait_polls(2)


def test_all_of_it_is_there_once(project, tmp_path):
    n, lost, doubled = project.check(tmp_path)
    assert n >= 5 and (lost, doubled) == (0, 0)
