# SPDX-License-Identifier: Apache-2.0
"""A lake as deltalake (delta-rs) and DuckDB read it: every value that SQLite has of the same tape; and deltalake as a second writer."""
import collections
import datetime
import decimal
import json
import pathlib
import re
import sqlite3

import deltalake
import duckdb
import pyarrow
import pytest
from gecko import gecko, market_body, records
from lake_table import in_sqlite, read_log
from stores import S_US, SLOT0, make_tape
from test_stores import markets
from test_transform import Maker

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load(data, *sinks):
    gecko("load", "--from", f"tape:{data}", *[x for sink in sinks for x in ("--sink", sink)], check=0)


def polls(first, n):
    return [(SLOT0 + i * 30 * S_US, "ok", [market_body(4, i)]) for i in range(first, first + n)]


def micros(column):
    return column.cast(pyarrow.int64()) if pyarrow.types.is_timestamp(column.type) else column


def by_deltalake(path):
    """Rows as dicts: times µs, numbers Decimals with the digits that `exact` has."""
    table = pyarrow.table(deltalake.DeltaTable(str(path)).to_pyarrow_table())
    table = pyarrow.table({name: micros(column) for name, column in zip(table.column_names, table.columns)})
    for row in table.to_pylist():
        digits = json.loads(row.get("exact") or "{}")
        row = {name: decimal.Decimal(repr(value)) if isinstance(value, (int, float)) else value for name, value in row.items()}
        yield {**row, **{name: decimal.Decimal(text) for name, text in digits.items()}}


def by_sqlite(path, table):
    with sqlite3.connect(path) as db:
        return in_sqlite(db, table)


def check_like_sqlite(lake, db, table):
    names, stored = by_sqlite(db, table)
    kinds = {f["name"]: f["type"] for f in json.loads(deltalake.DeltaTable(str(lake / table)).schema().to_json())["fields"]}
    names = [n for n in names if n in kinds and n != "rows_absent"]
    is_number = {n: kinds[n] in ("long", "double", "timestamp") for n in names}
    want = collections.Counter(tuple(decimal.Decimal(str(r[n])) if is_number[n] and r[n] is not None else r[n] for n in names) for r in stored)
    got = collections.Counter(tuple(r[n] for n in names) for r in by_deltalake(lake / table))
    assert got == want and want


@pytest.mark.parametrize("seed", [1, 2])
def test_deltalake_reads_every_value(seed, tmp_path):
    data, lake, db = tmp_path / "data", tmp_path / "lake", tmp_path / "x.db"
    made = markets(Maker(seed), 40, SLOT0, 600 * S_US)
    for part in (made[:15], made[15:]):
        make_tape(data, part)
        load(data, f"lake:{lake}", f"sqlite:{db}")
    for table in ("market", "poll"):
        check_like_sqlite(lake, db, table)
    gecko("lake", "optimize", f"lake:{lake}", check=0)
    for table in ("market", "poll"):
        check_like_sqlite(lake, db, table)
    stream = records(data)[-1]["stream"]
    uuid = f"{stream[:8]}-{stream[8:12]}-{stream[12:16]}-{stream[16:20]}-{stream[20:]}" if "-" not in stream else stream
    assert deltalake.DeltaTable(str(lake / "market")).transaction_version(uuid) == records(data)[-1]["offset"]


def test_statistics_let_readers_pass_over_files(tmp_path):
    data, lake = tmp_path / "data", tmp_path / "lake"
    for first in (0, 4000):
        make_tape(data, polls(first, 2))
        load(data, f"lake:{lake}")
    table = deltalake.DeltaTable(str(lake / "market"))
    files = table.get_add_actions(flatten=True)
    assert {"num_records", "min.slot", "max.slot", "null_count.id"} <= set(pyarrow.table(files).column_names)
    assert len(table.file_uris(partition_filters=[("date", "=", "2026-11-23")])) == 1
    day = datetime.datetime(2026, 11, 24, tzinfo=datetime.timezone.utc)
    assert table.to_pyarrow_table(filters=[("slot", ">", day)]).num_rows == 8


def test_deltalake_writes_between_our_commits(tmp_path):
    """Appends, compacts, adds a column, deletes rows, writes a checkpoint: our rows go on, exactly once."""
    data, lake, db = tmp_path / "data", tmp_path / "lake", tmp_path / "x.db"
    make_tape(data, polls(0, 3))
    load(data, f"lake:{lake}")
    make_tape(data, polls(3, 3))
    load(data, f"lake:{lake}")
    market = deltalake.DeltaTable(str(lake / "market"))
    market.optimize.compact()
    row = market.to_pyarrow_table().slice(0, 1)
    row = row.set_column(row.schema.get_field_index("job"), "job", pyarrow.array(["somebody"])).append_column("note", pyarrow.array(["mine"]))
    deltalake.write_deltalake(market, row, mode="append", schema_mode="merge")
    market = deltalake.DeltaTable(str(lake / "market"))
    market.create_checkpoint()
    make_tape(data, polls(6, 3))
    load(data, f"lake:{lake}", f"sqlite:{db}")
    market = deltalake.DeltaTable(str(lake / "market"))
    market.delete("job = 'somebody'")
    make_tape(data, polls(9, 1))
    load(data, f"lake:{lake}", f"sqlite:{db}")
    check_like_sqlite(lake, db, "market")
    check_like_sqlite(lake, db, "poll")
    assert "note" in [f.name for f in deltalake.DeltaTable(str(lake / "market")).schema().fields]
    gecko("lake", "verify", f"lake:{lake}", check=0)
    assert read_log(lake / "market").schema["note"] == "string"


def test_the_examples_of_the_manual(tmp_path, monkeypatch):
    page = b'[{"id":"bitcoin","symbol":"btc","name":"Bitcoin","current_price":64000.5}]'
    make_tape(tmp_path / "data", [(SLOT0, "ok", [page])])
    load(tmp_path / "data", f"lake:{tmp_path}/data/lake")
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "lake.md").read_text(), re.DOTALL)
    assert len(examples) == 2
    found = {}
    for example in examples:
        exec(compile(example, "docs/lake.md", "exec"), found)  # pylint: disable=exec-used
    assert list(found["bitcoin"]["current_price"]) == [64000.5] and found["duckdb"] is duckdb
