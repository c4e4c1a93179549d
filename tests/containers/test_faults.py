# SPDX-License-Identifier: Apache-2.0
"""The composed services with the database, the collector, the network or the engine taken away: no poll is lost, none is there twice."""
import os
import pathlib
import random
import signal
import time

import pytest
from gecko import PATIENCE, wait_for
from project import Project

TRIES = 3


@pytest.fixture(scope="module")
def project(engine, image, tmp_path_factory):
    engine.make_postgres()
    made = Project(engine, tmp_path_factory.mktemp("faults"))
    try:
        made.up()
        made.wait_healthy()
        yield made
    finally:
        made.down()


def kill_backend(project):
    """PostgreSQL starts anew within its container, through crash recovery."""
    pid = project.psql("select pid from pg_stat_activity where application_name = 'geckotape' limit 1") or \
        project.psql("select pid from pg_stat_activity where backend_type = 'checkpointer'")
    project.engine.docker("exec", project.name("db"), "sh", "-c", f"kill -KILL {pid}")


def kill_main_process(service):
    """As the kernel does when there is no memory: Docker starts the container again."""
    def fault(project):
        before = project.state(service)
        os.kill(before["Pid"], signal.SIGKILL)
        wait_for(lambda: project.state(service)["StartedAt"] != before["StartedAt"], 3 * PATIENCE, "restart")
    return fault


def docker_kill(service):
    """By hand, and so started again by hand."""
    def fault(project):
        project.engine.docker("kill", project.name(service))
        time.sleep(random.uniform(0.5, 3))
        project.engine.docker("start", project.name(service))
    return fault


def stop_database(project):
    project.compose("stop", "db")
    time.sleep(3)
    project.compose("start", "db")


def pause_database(project):
    """Connections stay, and nothing answers."""
    project.engine.docker("pause", project.name("db"))
    time.sleep(3)
    project.engine.docker("unpause", project.name("db"))


def cut_network(project):
    project.engine.docker("network", "disconnect", "geckotape_default", project.name("db"))
    time.sleep(3)
    project.engine.docker("network", "connect", "--alias", "db", "geckotape_default", project.name("db"))


def take_api_away(project):
    project.engine.docker("kill", project.name("sim"))
    time.sleep(2)
    project.engine.docker("start", project.name("sim"))


def make_database_anew(project):
    """Its volume is gone: all of it comes again from the tape."""
    project.compose("rm", "--force", "--stop", "db", "init")
    project.engine.docker("volume", "rm", "geckotape_pgdata")
    project.compose("up", "--detach", "--no-deps", "db")


def parent(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def pull_the_plug(project):
    """The engine and all that it has started end at once; what restarts by itself does when the engine is back."""
    first = [project.state(service)["Pid"] for service in ("db", "etl", "sim")]
    engine = project.engine.process
    children = [int(pid) for pid in pathlib.Path(f"/proc/{engine.pid}/task/{engine.pid}/children").read_text().split()]
    for pid in [engine.pid, *children, *map(parent, first), *first]:
        os.kill(pid, signal.SIGKILL)
    engine.wait()
    project.engine.start()
    project.engine.docker("start", project.name("sim"))


FAULTS = {
    "kill -9 of a process of PostgreSQL": kill_backend,
    "kill -9 of PostgreSQL": kill_main_process("db"),
    "docker kill db": docker_kill("db"),
    "docker-compose stop db, for 3 s": stop_database,
    "docker pause db, for 3 s": pause_database,
    "the network of db cut, for 3 s": cut_network,
    "kill -9 of geckotape": kill_main_process("etl"),
    "docker kill etl": docker_kill("etl"),
    "the API killed, for 2 s": take_api_away,
    "the volume of db removed": make_database_anew,
    "kill -9 of everything": pull_the_plug,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_no_poll_is_lost_or_doubled(fault, project, tmp_path, record_property):
    n_before = project.n_loaded()
    for _ in range(TRIES):
        project.wait_polls(1)
        time.sleep(random.uniform(0, 1))  # anywhere within a poll
        FAULTS[fault](project)
    project.wait_polls(2)
    n, lost, doubled = project.check(tmp_path)
    record_property("fault", f"{fault}: {TRIES} tries, {n} polls in all, {lost} lost, {doubled} doubled")
    assert n > n_before and (lost, doubled) == (0, 0)


def test_outages_of_the_database_are_told_in_pairs(project):
    began, over = (project.log().count(words) for words in ("sink refuses for now", "sink works again"))
    assert began > 0 and over > 0
