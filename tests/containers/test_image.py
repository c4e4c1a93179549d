# SPDX-License-Identifier: Apache-2.0
"""The image of the Dockerfile, run by a Docker Engine as strictly as it can."""
import re
import time

import pytest
from engine import BASE
from gecko import wait_for

# what the compose file asks for, too
STRICT = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--tmpfs=/tmp", "--pids-limit=128", "--memory=512m"]


@pytest.fixture
def started(engine, image):
    """start(docker's options, …, command=[…]): a container that is gone after the test."""
    names = []

    def start(*options, command=()):
        names.append(engine.docker("run", "--detach", *options, image, *command).strip().splitlines()[-1])
        return names[-1]

    yield start
    for name in names:
        engine.docker("rm", "--force", "--volumes", name)


def health(engine, name):
    return engine.inspect(name)["State"]["Health"]["Status"]


def test_it_is_small_and_has_what_runs_alone(engine, image, record_property):
    size = {name: engine.inspect(name)["Size"] / 1e6 for name in (BASE, image)}
    own = size[image] - size[BASE]
    record_property("image", f"{size[image]:.0f} MB, of which Debian {size[BASE]:.0f} MB and ours {own:.0f} MB")
    assert own < 40
    there = engine.docker("run", "--rm", "--entrypoint=sh", image, "-c",
                          "command -v gcc g++ meson ninja python3 git; ls -A /src /var/lib/apt/lists /app /app/* 2>&1; true")
    assert "/usr/bin" not in there and "/src" in there, there
    assert set(re.findall(r"^\w+$", there, re.MULTILINE)) == {"data", "logs"}, there


def test_it_tells_what_it_is(engine, image):
    assert re.fullmatch(r"geckotape \d+\.\d+\.\d+.*\n", engine.docker("run", "--rm", *STRICT, image, "--version"))
    assert "Usage: geckotape VERB" in engine.docker("run", "--rm", *STRICT, image, "--help")
    assert engine.inspect(image)["Config"]["Labels"]["org.opencontainers.image.title"] == "geckotape"


def test_it_works_on_a_read_only_root_as_nobody_and_is_healthy(engine, started):
    name = started(*STRICT, command=["run", "--simulate", "--data", "data", "--every", "1s", "--top", "10"])
    wait_for(lambda: health(engine, name) == "healthy", what="health")
    assert engine.docker("exec", name, "id").startswith("uid=10001(geckotape) gid=10001(geckotape)")
    # nothing that only root could do, and nowhere to write but where data belong
    tried = engine.docker("exec", name, "sh", "-c", "touch /usr/x /app/x /etc/x; touch /app/data/x /app/logs/x /tmp/x && echo all three")
    assert tried.count("Read-only file system") == 3 and tried.endswith("all three\n"), tried
    status = engine.docker("exec", name, "grep", "-E", "^(CapEff|NoNewPrivs)", "/proc/1/status").split()
    assert int(status[1], 16) == 0 and status[3] == "1", status


def test_a_container_that_does_not_do_its_work_is_unhealthy(engine, started):
    name = started(*STRICT, "--health-interval=1s", "--health-start-period=1s", "--health-retries=2",
                   command=["run", "--simulate", "--data", "data", "--every", "1s", "--fault", "500"])
    wait_for(lambda: health(engine, name) == "unhealthy", what="bad health")
    [*_, last] = engine.inspect(name)["State"]["Health"]["Log"]
    assert last["ExitCode"] == 1 and last["Output"].startswith("not ready: "), last


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_it_ends_when_docker_says_so(how, engine, started, record_property):
    name = started(*STRICT, command=["run", "--simulate", "--data", "data", "--every", "1s", "--top", "10"])
    wait_for(lambda: health(engine, name) == "healthy", what="health")
    begun = time.monotonic()
    engine.docker(how, name)
    took = time.monotonic() - begun
    assert engine.inspect(name)["State"]["ExitCode"] == {"stop": 0, "kill": 137}[how], engine.docker("logs", name)
    if how == "stop":
        record_property("docker stop", f"{took:.1f} s")
    # as after any end, all of it is on the tape
    engine.docker("start", name)
    wait_for(lambda: health(engine, name) == "healthy", what="health")
    verdict = engine.docker("exec", name, "geckotape", "tape", "verify", "--deep")
    assert verdict.startswith("ok: "), verdict


def test_a_mistake_in_the_settings_ends_it_with_its_mend(engine, image):
    done = engine.docker("run", "--rm", *STRICT, "--env=GECKOTAPE_EVERY=5", image, check=False)
    assert "GECKOTAPE_EVERY" in done and "write it like 30s" in done, done
