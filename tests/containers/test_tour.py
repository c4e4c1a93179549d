# SPDX-License-Identifier: Apache-2.0
"""docs/containers.md: its tour (tests/tour.py) as it is written, and what it says of .env."""
import shutil
import subprocess

import pytest
import tour
from engine import PG_VERSION
from gecko import PATIENCE, ROOT
from project import Project

TEXT = (ROOT / "docs/containers.md").read_text()
# where Docker has no such plugin, its predecessor, which wants to be told that there is no terminal
COMPOSE = """#!/bin/sh
[ "$1" = compose ] || exec {docker} "$@"
shift
[ "$1" != exec ] || {{ shift; set -- exec -T "$@"; }}
exec docker-compose "$@"
"""


@pytest.fixture(name="project")
def fixture_project(engine, image, tmp_path):
    """A clone in which nothing was done yet."""
    engine.make_postgres()
    made = Project(engine, tmp_path)
    (made.dir / ".env").unlink()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/docker").write_text(COMPOSE.format(docker=shutil.which("docker")))
    (tmp_path / "bin/docker").chmod(0o755)
    yield made
    made.down()


def test_the_tour_is_as_it_is_written(project, tmp_path):
    env = dict(project.compose_env(), POSTGRES_VERSION=PG_VERSION)
    env["PATH"] = f"{tmp_path}/bin:{env['PATH']}"
    blocks = tour.blocks(TEXT)
    assert len(blocks) > 3
    for _, block in blocks:
        for command, expected in tour.commands(block):
            done = subprocess.run(["bash", "-c", command], cwd=project.dir, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, timeout=5 * PATIENCE, check=False)
            assert done.returncode == 0 and tour.is_as_written(done.stdout, expected), \
                f"$ {command}exit {done.returncode}\n{done.stdout}\ndocs/containers.md has\n{expected}"
