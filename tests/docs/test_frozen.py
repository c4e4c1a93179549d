# SPDX-License-Identifier: Apache-2.0
"""Migrations stay what they were when stores went through them."""
import hashlib

import pytest
from gecko import ROOT

ENGINES = sorted(p.parent.parent for p in ROOT.glob("src/load/*/migrations/SHA256SUMS"))


def test_every_engine_has_its_sums():
    assert ENGINES == sorted(p.parent for p in ROOT.glob("src/load/*/migrations"))
    assert [p.name for p in ENGINES] == ["postgres", "sqlite"]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda p: p.name)
def test_no_migration_has_changed(engine):
    folder = engine / "migrations"
    frozen = dict(line.split("  ")[::-1] for line in (folder / "SHA256SUMS").read_text().splitlines())
    for name, sum_then in frozen.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sum_then, \
            f"{name} is frozen, as stores have gone through it: put it back, and make the change a new migration"
    added = sorted({p.name for p in folder.glob("*.sql")} - set(frozen))
    assert not added, f"freeze it: cd {folder.relative_to(ROOT)} && sha256sum {' '.join(added)} >>SHA256SUMS"


@pytest.mark.parametrize("engine", ENGINES, ids=lambda p: p.name)
def test_migrations_are_run_in_the_order_of_their_numbers(engine):
    names = sorted(p.stem for p in (engine / "migrations").glob("*.sql"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    listed = (engine / "schema.c").read_text()
    at = [listed.index(f"{{.version = {int(name[:4])}, ") for name in names]
    assert at == sorted(at) and all(f"sql_{name}}}" in listed for name in names)
