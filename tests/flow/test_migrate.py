# SPDX-License-Identifier: Apache-2.0
"""Stores of earlier versions, and geckotape migrate."""
import contextlib
import shutil
import sqlite3
import subprocess

import pytest
from gecko import BINARY, IS_SANITIZED, ROOT, clean_env, gecko, market_body
from stores import HOUR_US, SLOT0, make_tape

MIGRATIONS = sorted((ROOT / "src/load/sqlite/migrations").glob("*.sql"))
NOW = len(MIGRATIONS)
POLLS = [(SLOT0 + i * HOUR_US, "ok", [market_body(5)]) for i in range(4)]


def opened(path):
    return contextlib.closing(sqlite3.connect(path, isolation_level=None))


def columns_of(db, table):
    return [row[0] for row in db.execute("select name from pragma_table_info(?)", [table])]


def tables_of(db, kinds=("table",)):
    return [name for kind, name in db.execute("select type, name from sqlite_master order by name") if kind in kinds]


CANDLES = ("candle", "candle_upkeep")  # are made of the rows when the next ones come


def contents(path, but=()):
    """{table or view: its rows by column name, whatever the order of either}"""
    with opened(path) as db:
        found = {}
        for table in set(tables_of(db, ("table", "view"))) - set(but):
            columns = sorted(set(columns_of(db, table)) - {"updated_at", "epoch", "applied_at", "applied_by"})
            found[table] = columns, sorted(db.execute("select %s from %s" % (", ".join(f'"{c}"' for c in columns), table)), key=repr)
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        return found


def make_old(path, version, like):
    """What a program of that version would have had in place of this store."""
    with opened(path) as db:
        db.execute("pragma journal_mode = wal")
        for file in MIGRATIONS[:version]:
            db.executescript(file.read_text())
        db.execute("attach ? as new", [str(like)])
        for table in tables_of(db):
            columns = ", ".join(f'"{c}"' for c in columns_of(db, table))
            which = f"where version <= {version}" if table == "schema_version" else ""
            db.execute(f"insert into main.{table} ({columns}) select {columns} from new.{table} {which}")
    return path


@pytest.fixture
def tape(tmp_path):
    return make_tape(tmp_path / "data", POLLS[:3])


def load(data, path):
    return gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{path}", check=0)


@pytest.fixture
def new(tape, tmp_path):
    """A store of today's, with what every version has."""
    load(tape, tmp_path / "new.db")
    with opened(tmp_path / "new.db") as db:
        db.executescript("delete from quality_flag; update poll set drift = null")
    return tmp_path / "new.db"


@pytest.mark.parametrize("version", range(1, NOW))
def test_a_store_of_an_earlier_version_goes_on_as_if_it_had_never_been_one(version, tape, new, tmp_path):
    old = make_old(tmp_path / "old.db", version, new)
    make_tape(tape, POLLS[3:])
    done = load(tape, old)
    assert "1 polls loaded" in done.stdout and f"its schema was brought from version {version} to {NOW}" in done.stderr
    load(tape, new)
    assert contents(old) == contents(new)


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(new, tmp_path):
    old = make_old(tmp_path / "old.db", 1, new)
    before = old.read_bytes()
    sinks = "--sink", f"sqlite:{old}", "--sink", f"sqlite:{tmp_path}/none/x.db", "--sink", f"json:{tmp_path}/json"
    for _ in range(2):
        assert gecko("migrate", "--dry-run", *sinks, check=0).stdout.splitlines() == [
            f"sqlite:{old}: schema would be brought from version 1 to {NOW}",
            f"sqlite:{tmp_path}/none/x.db: schema would be made, version {NOW}",
            f"json:{tmp_path}/json: has no schema, nothing to do"]
    assert old.read_bytes() == before and not (tmp_path / "none").exists() and not (tmp_path / "json").exists()
    assert gecko("migrate", *sinks, check=0).stdout.splitlines()[:2] == [
        f"sqlite:{old}: schema brought from version 1 to {NOW}", f"sqlite:{tmp_path}/none/x.db: schema made, version {NOW}"]
    assert f"sqlite:{old}: schema version {NOW}, nothing to do" in gecko("migrate", *sinks, check=0).stdout
    assert contents(old, CANDLES) == contents(new, CANDLES)


def test_it_migrates_the_sinks_that_run_would_have(tape, new, tmp_path):
    make_old(tape / "market.db", 1, new)
    done = gecko("migrate", "--data", tape, check=0)
    assert f"{tape}/market.db: schema brought from version 1 to {NOW}" in done.stdout
    (tmp_path / "geckotape.yaml").write_text(f"sinks: ['sqlite:{tape}/market.db']\n")
    assert gecko("migrate", cwd=tmp_path, check=0).stdout == f"sqlite:{tape}/market.db: schema version {NOW}, nothing to do\n"


def test_what_is_wrong_with_one_sink_leaves_out_no_other(tmp_path):
    with opened(tmp_path / "other.db") as db:
        db.execute("create table x (y)")
    done = gecko("migrate", "--sink", f"sqlite:{tmp_path}/other.db", "--sink", f"sqlite:{tmp_path}/mine.db", check=1)
    assert len(done.stderr.splitlines()) == 1 and "is the database of another program" in done.stderr
    assert done.stdout == f"sqlite:{tmp_path}/mine.db: schema made, version {NOW}\n"
    assert "no sink driver" in gecko("migrate", "--sink", "nosuch:x", check=78).stderr


def test_a_store_of_no_version_at_all_is_refused_in_a_line_with_its_mend(tape, new):
    """By hand, or made while a version was in the making."""
    with opened(new) as db:
        db.execute("delete from schema_version where version > 1")
    before = contents(new)
    done = gecko("load", "--from", f"tape:{tape}", "--sink", f"sqlite:{new}", check=1)
    assert done.stderr.count("\n") == 1 and "schema version 2: " in done.stderr and "move the file away, and the next start loads all" in done.stderr
    assert gecko("migrate", "--sink", f"sqlite:{new}", check=1).stderr.count("\n") == 1
    assert contents(new) == before


@pytest.mark.parametrize("version", [0, 1])
def test_two_that_open_it_at_once_bring_it_there_once(version, new, tmp_path):
    old = make_old(tmp_path / "old.db", 1, new) if version else tmp_path / "old.db"
    started = [subprocess.Popen([BINARY, "migrate", "--sink", f"sqlite:{old}"], stdout=subprocess.PIPE, text=True, env=clean_env()) for _ in range(2)]
    said = sorted(process.communicate(timeout=60)[0].split(": ", 1)[1] for process in started)
    what = f"brought from version 1 to {NOW}" if version else f"made, version {NOW}"
    assert said == [f"schema {what}\n", f"schema version {NOW}, nothing to do\n"]
    with opened(old) as db:
        assert db.execute("select version from schema_version").fetchall() == [(n,) for n in range(1, NOW + 1)]


def test_a_kill_amidst_a_migration_leaves_one_version_or_the_other(new, tmp_path):
    made = make_old(tmp_path / "made.db", 1, new)
    want, n_killed = {1: contents(made), NOW: contents(new, CANDLES)}, 0
    for when in range(1, 400, 15 if IS_SANITIZED else 3):
        old = tmp_path / "old.db"
        for end in ("", "-wal", "-shm"):
            (tmp_path / f"old.db{end}").unlink(missing_ok=True)
        shutil.copy(made, old)
        under = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=pwrite64,fdatasync", "-e",
                 f"inject=pwrite64,fdatasync:signal=KILL:when={when}"]
        done = gecko("migrate", "--sink", f"sqlite:{old}", under=under)
        n_killed += done.returncode != 0
        with opened(old) as db:
            version, = db.execute("select max(version) from schema_version").fetchone()
        assert contents(old, CANDLES) == want[version]
        assert "version" in gecko("migrate", "--sink", f"sqlite:{old}", check=0).stdout
        assert contents(old, CANDLES) == want[NOW]
        if done.returncode == 0:
            break
    assert n_killed >= 3 and done.returncode == 0
