# SPDX-License-Identifier: Apache-2.0
"""What `export` and the writer make, as pyarrow, DuckDB and polars read it: every value; and what pyarrow sees of bounds, indexes, orders."""
import json
import random

import duckdb
import parquet_reader
import polars
import pyarrow
import pyarrow.compute
import pyarrow.parquet
import pytest
from gecko import gecko, market_body
from parquet_tables import dump_bytes, some_table
from stores import S_US, SLOT0, make_tape

ARROW = {"text": pyarrow.string(), "double": pyarrow.float64(), "int": pyarrow.int64(), "time": pyarrow.timestamp("us", "UTC")}


def plain(table):
    """Columns as our own reader has them: times as µs."""
    return {name: (column.cast(pyarrow.int64()) if pyarrow.types.is_timestamp(column.type) else column).to_pylist()
            for name, column in zip(table.column_names, table.columns)}


def check_values(got, want):
    assert list(got) == list(want)
    for name in want:
        assert list(map(repr, got[name])) == list(map(repr, want[name])), name


def read_by_pyarrow(path, file):
    parquet = pyarrow.parquet.ParquetFile(path, page_checksum_verification=True)
    assert {field.name: field.type for field in parquet.schema_arrow} == {name: ARROW[kind] for name, kind in file.kinds.items()}
    assert all(field.nullable for field in parquet.schema_arrow)
    check_values(plain(parquet.read()), file.columns)
    return parquet


def read_by_others(path, file):
    times = [name for name, kind in file.kinds.items() if kind == "time"]
    frame = polars.read_parquet(path)
    assert all(frame.schema[name] == polars.Datetime("us", "UTC") for name in times)
    check_values({name: (frame[name].cast(polars.Int64) if name in times else frame[name]).to_list() for name in frame.columns}, file.columns)
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        columns = ", ".join(f'epoch_us("{name}") as "{name}"' if name in times else f'"{name}"' for name in file.kinds)
        got = db.execute(f"select {columns} from read_parquet('{path}')").fetchall()
    check_values({name: [row[i] for row in got] for i, name in enumerate(file.kinds)}, file.columns)


def check_metadata(parquet, path, file):
    """Statistics against the values; row groups, page indexes, orders are there."""
    meta = parquet.metadata
    assert meta.num_row_groups == len(file.groups) and meta.created_by.startswith("geckotape version ")
    names = list(file.kinds)
    for g, group in enumerate(file.groups):
        assert [names[s.column_index] for s in meta.row_group(g).sorting_columns] == group.sorting
        values = parquet.read_row_group(g)
        for i, name in enumerate(names):
            chunk = meta.row_group(g).column(i)
            assert chunk.compression == "ZSTD" and chunk.has_column_index and chunk.has_offset_index and chunk.is_stats_set
            assert chunk.statistics.null_count == values[name].null_count
            bounds = pyarrow.compute.min_max(values[name]).as_py()
            if bounds["min"] is None:
                assert not chunk.statistics.has_min_max
            elif file.kinds[name] != "text":
                assert (chunk.statistics.min, chunk.statistics.max) == (bounds["min"], bounds["max"])
            else:
                low, high = min(values[name].drop_null().to_pylist()), max(values[name].drop_null().to_pylist())
                assert chunk.statistics.min <= low and low.startswith(chunk.statistics.min) and chunk.statistics.max >= high


@pytest.mark.parametrize("seed", range(1, 13))
def test_tables_are_read_alike(seed, tmp_path):
    kinds, columns, group_rows, page_rows = some_table(seed)
    path = tmp_path / "x.parquet"
    path.write_bytes(dump_bytes(kinds, columns, group_rows, page_rows))
    file = parquet_reader.read(path)
    check_metadata(read_by_pyarrow(path, file), path, file)
    read_by_others(path, file)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    place = tmp_path_factory.mktemp("store")
    make_tape(place / "data", [(SLOT0 + 60 * n * S_US, "ok", [market_body(250, step=n)]) for n in range(50)])
    gecko("load", "--from", f"tape:{place}/data", "--sink", f"sqlite:{place}/market.db", check=0)
    span = ["--from", f"sqlite:{place}/market.db", "--since", "2026-11-23T13:00:00Z", "--until", "2026-11-24T00:00:00Z"]
    for what in ("rows", "candles", "panel"):
        gecko("export", what, *span, *([] if what == "rows" else ["--every", "5m"]), "--output", place / f"{what}.parquet", check=0)
    gecko("export", "rows", "--vs", "eur", *span, "--output", place / "none.parquet", check=0)
    return place


@pytest.mark.parametrize("what", ["rows", "candles", "panel", "none"])
def test_exports_are_read_alike(exported, what):
    path = exported / f"{what}.parquet"
    file = parquet_reader.read(path)
    parquet = read_by_pyarrow(path, file)
    check_metadata(parquet, path, file)
    read_by_others(path, file)
    notes = {key.decode(): value.decode() for key, value in parquet.metadata.metadata.items()}
    assert notes["geckotape.content"] == ("rows" if what == "none" else what)


def test_a_predicate_skips_what_bounds_exclude(exported):
    """Engines that prune by statistics and page indexes find the same rows as those that read all."""
    path = exported / "rows.parquet"
    whole = pyarrow.parquet.read_table(path)
    for coin in random.Random(1).sample(sorted(set(whole["id"].to_pylist())), 5):
        want = whole.filter(pyarrow.compute.equal(whole["id"], coin)).num_rows
        assert want and pyarrow.parquet.read_table(path, filters=[("id", "=", coin)]).num_rows == want
        assert polars.scan_parquet(path).filter(polars.col("id") == coin).collect().height == want
        assert duckdb.sql(f"select count(*) from read_parquet('{path}') where id = '{coin}'").fetchall() == [(want,)]


def test_exact_numbers_come_by_name(tmp_path):
    path = tmp_path / "x.parquet"
    path.write_bytes(dump_bytes(["num"], [["0.1", "0.12345678901234567890", None, "1e999"]], 10, 10))
    assert duckdb.sql(f"select c0, exact from read_parquet('{path}')").fetchall() == [
        (0.1, None), (0.12345678901234568, '{"c0":"0.12345678901234567890"}'), (None, None), (None, '{"c0":"1e999"}')]
    assert json.loads(polars.read_parquet(path)["exact"][3]) == {"c0": "1e999"}
