# SPDX-License-Identifier: Apache-2.0
"""./data on a disk that is full for a while."""
import subprocess
import urllib.error

import pytest
from gecko import PATIENCE, wait_for
from project import Project


@pytest.fixture
def small(engine, image, tmp_path):
    """A project whose ./data is 256 MB by itself."""
    engine.make_postgres()
    made = Project(engine, tmp_path)
    (made.dir / "data").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", made.dir / "data"], check=True)
    try:
        yield made
    finally:
        made.down()
        subprocess.run(["umount", made.dir / "data"], check=True)


def is_ready(project):
    try:
        return bool(project.get("/readyz"))
    except urllib.error.HTTPError as refusal:
        return b"disk" not in refusal.read()


def test_a_full_disk_costs_no_poll_that_was_there_and_ends_with_room(small, tmp_path, record_property):
    small.up()
    small.wait_healthy()
    small.wait_polls(2)
    filler = small.dir / "data/filler"
    with open(filler, "wb") as file:  # to the last byte
        subprocess.run(["cat", "/dev/zero"], stdout=file, stderr=subprocess.DEVNULL, check=False)
    wait_for(lambda: "No space left" in small.log(), 3 * PATIENCE, "complaint about the disk")
    wait_for(lambda: not is_ready(small), 3 * PATIENCE, "disk among the reasons of /readyz")
    wait_for(lambda: small.state("etl")["Health"]["Status"] == "unhealthy", 3 * PATIENCE, "bad health")
    n_before = small.n_loaded()
    filler.unlink()
    wait_for(lambda: is_ready(small), 3 * PATIENCE, "readiness")
    small.wait_polls(3)
    assert small.engine.inspect(small.name("etl"))["RestartCount"] == 0
    n, lost, doubled = small.check(tmp_path)
    record_property("fault", f"./data full for a while: 1 try, {n} polls in all, {lost} lost, {doubled} doubled")
    assert n > n_before and (lost, doubled) == (0, 0)
