# SPDX-License-Identifier: Apache-2.0
"""The compose file as a user starts it, in a clone of its own, with the simulator in CoinGecko's place."""
import collections
import contextlib
import os
import re
import shutil
import subprocess

from engine import PG_VERSION, copy_sources, run
from gecko import PATIENCE, ROOT, check_exactly_once, get, records, wait_for
from stores import check_equal, in_postgres, in_sqlite, kinds_in_postgres

# polls by the second, and Debian's PostgreSQL
FAST = {"GECKOTAPE_EVERY": "1s", "GECKOTAPE_API_RATE": "600", "POSTGRES_VERSION": PG_VERSION}


class Project:
    """A folder named geckotape with an .env; commit: as it was then; settings: lines of .env."""

    def __init__(self, engine, parent, commit=None, **settings):
        self.engine, self.dir = engine, parent / "geckotape"
        copy_sources(self.dir, commit)
        self.write_env({**FAST, **settings})
        self.password = "postgres"

    def write_env(self, settings):
        """.env.example, with other values and lines more."""
        text = (self.dir / ".env.example").read_text()
        for name, value in settings.items():
            line = f"{name}={value}\n"
            text, n = re.subn(rf"^{name}=.*\n", lambda _, line=line: line, text, flags=re.MULTILINE)
            text += line if n == 0 else ""
        (self.dir / ".env").write_text(text)
        self.env = dict(re.findall(r"^([A-Z_]+)=(.*)$", text, re.MULTILINE))

    def compose_env(self):
        return dict(self.engine.env, COMPOSE_FILE=f"docker-compose.yml:{ROOT}/tests/containers/sim.yml")

    def compose(self, *args, **how):
        return run("docker-compose", *args, cwd=self.dir, env=self.compose_env(), **how)

    def up(self, *services):
        return self.compose("up", "--build", "--detach", *services)

    def down(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.compose("down", "--volumes", "--timeout", "5", check=False)

    def name(self, service):
        return f"geckotape_{service}_1"

    def state(self, service):
        return self.engine.inspect(self.name(service))["State"]

    def is_healthy(self, service):
        return self.state(service)["Health"]["Status"] == "healthy"

    def wait_healthy(self):
        wait_for(lambda: self.is_healthy("db") and self.is_healthy("etl"), 3 * PATIENCE, "health")

    def get(self, path):
        return get(int(self.env.get("ETL_PORT", 8080)), path)

    # ---- the database, as it is reached from the machine ----

    def psql(self, sql, database=None, check=True, options="-XqAt"):
        env = {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": self.env.get("DB_PORT", "5432"), "PGUSER": self.env["POSTGRES_USER"],
               "PGDATABASE": database or self.env["POSTGRES_DB"], "PGPASSWORD": self.password, "PGTZ": "UTC"}
        done = subprocess.run(["psql", options, "-v", "ON_ERROR_STOP=1", "-f", "-"], input=sql, env=env, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.strip() if check else done.stdout.strip() + done.stderr

    def n_loaded(self):
        found = self.psql("select count(*) from geckotape.poll", check=False)
        return int(found) if found.isdigit() else 0

    def wait_polls(self, n):
        """So many more in the database."""
        before = self.n_loaded()
        wait_for(lambda: self.n_loaded() >= before + n, 3 * PATIENCE, f"{n} polls more in PostgreSQL")

    # ---- what must hold ----

    def copy_of_data(self, tmp_path):
        """To look at: root, reading SQLite's files in place, would leave some behind that the collector may not write."""
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.dir / "data", copy, ignore=shutil.ignore_patterns("control.sock"))
        return copy

    def check(self, tmp_path):
        """Stop the collector; each poll of the tape is in SQLite, in the files and in PostgreSQL once, with all its values.

        Returns how many there are, how many PostgreSQL lacks, and how many it has twice."""
        self.compose("stop", "etl")
        assert self.state("etl")["ExitCode"] == 0
        data = self.copy_of_data(tmp_path)
        ends = {r["offset"] for r in records(data) if r["type"] == "end"}
        stored = collections.Counter(map(int, self.psql("select last_offset from geckotape.poll").split()))
        lost, doubled = len(ends - set(stored)), sum(n - 1 for n in stored.values())
        check_exactly_once(data, data)
        kinds = kinds_in_postgres(self, self.env["POSTGRES_DB"])
        check_equal(in_postgres(self, self.env["POSTGRES_DB"]), in_sqlite(data / "market.db", kinds))
        self.compose("start", "etl")
        return len(ends), lost, doubled

    def log(self):
        return (self.dir / "logs/etl.log").read_text()
