# SPDX-License-Identifier: Apache-2.0
"""git pull, docker compose up --build: over what an old version has written."""
import pytest
from engine import copy_sources, run
from gecko import ROOT
from project import Project

SEED = "id, symbol, name, image, current_price, market_cap, market_cap_rank, total_volume, high_24h, low_24h, last_updated"
KEPT = f"select md5(string_agg(({SEED})::text, ',' order by slot, id)) from geckotape.market join geckotape.coin using (coin_id) where slot <= '{{}}'"


@pytest.fixture(name="first")
def fixture_first():
    """The first commit whose migrations are frozen: its stores are the oldest that must be taken over."""
    if run("git", "rev-parse", "--is-shallow-repository", cwd=ROOT).strip() == "true":
        pytest.skip("a shallow clone has no old version")
    frozen = "src/load/postgres/migrations/SHA256SUMS"
    return run("git", "log", "--reverse", "--diff-filter=A", "--format=%H", "--", frozen, cwd=ROOT).split()[0]


def test_what_an_old_version_has_stored_stays_and_goes_on(first, engine, image, tmp_path, record_property):
    engine.make_postgres()
    project = Project(engine, tmp_path, commit=first)
    try:
        project.up()
        project.wait_healthy()
        project.wait_polls(5)
        assert project.psql("select min(version) from geckotape.schema_version") == "1"
        last = project.psql("select max(slot) from geckotape.poll")
        old_files = {path.name: path.read_bytes() for path in (project.dir / "data/raw").iterdir()}
        before = project.psql(KEPT.format(last))
        copy_sources(project.dir)
        project.up()
        project.wait_healthy()
        project.wait_polls(3)
        assert project.psql(KEPT.format(last)) == before
        assert old_files == {name: (project.dir / "data/raw" / name).read_bytes() for name in old_files}
        n, lost, doubled = project.check(tmp_path)
        record_property("upgrade", f"from {first[:7]}: {len(old_files)} polls of before, {n} in all, {lost} lost, {doubled} doubled")
        assert n > len(old_files) >= 5 and (lost, doubled) == (0, 0)
    finally:
        project.down()
        engine.build("geckotape", copy_sources(tmp_path / "today"))
