# SPDX-License-Identifier: Apache-2.0
"""Files that pyarrow, DuckDB and polars write, as the program's reader has them: every value, and the bounds; what it does not know it names."""
import datetime
import decimal
import json
import math
import os
import random
import subprocess

import duckdb
import polars
import pyarrow
import pyarrow.parquet
import pytest
from parquet_tables import dump_bytes, some_table
from seeds import seeds

LOAD = os.environ.get("GECKOTAPE_PARQUET_LOAD", "build/tests/golden/parquet_load")
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
LETTERS = ["abcxyz", "äöüß", "日本語中文", "🪙🚀🦎", "\x7f\x01 \"\\,\n", "￿\U0010ffff"]


def load(path, *columns, check=True):
    done = subprocess.run([LOAD, path, *columns], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if not check:
        assert done.returncode == 1, done.stderr
        return done.stderr
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    n_groups = pyarrow.parquet.ParquetFile(path).num_row_groups
    return lines[0], lines[1:1 + n_groups], lines[1 + n_groups:]


# ---- what our reader gives for what pyarrow has ----


def micros(moment):
    if isinstance(moment, datetime.datetime):
        return (moment.replace(tzinfo=moment.tzinfo or UTC) - EPOCH) // datetime.timedelta(microseconds=1)
    return (moment - EPOCH.date()).days * 86_400_000_000


def ours(value):
    if isinstance(value, (datetime.datetime, datetime.date)):
        return micros(value)
    if isinstance(value, decimal.Decimal):
        return int(value.scaleb(-value.as_tuple().exponent))
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if isinstance(value, bool):
        return int(value)
    return [list(pair) for pair in value] if isinstance(value, list) else value


def same(got, want):
    return repr(float(got)) == repr(want) if isinstance(want, float) and not isinstance(got, str) else got == want


def check(path, table=None):
    """Against what was written, or what pyarrow reads."""
    fields, groups, rows = load(path)
    file = pyarrow.parquet.ParquetFile(path)
    table = table or file.read()
    assert [field[0] for field in fields] == table.column_names and len(rows) == table.num_rows
    assert [group[0] for group in groups] == [file.metadata.row_group(g).num_rows for g in range(len(groups))]
    for i, name in enumerate(table.column_names):
        column = table[name]
        if pyarrow.types.is_timestamp(column.type) and column.type.unit == "ns":
            column = column.cast(pyarrow.timestamp("us", column.type.tz))
        for row, want in zip(rows, column.to_pylist()):
            assert same(row[i], ours(want)), (name, row[i], want)
    check_bounds(fields, groups, rows)
    return fields, groups, rows


def check_bounds(fields, groups, rows):
    at = 0
    for group in groups:
        part, at = rows[at:at + group[0]], at + group[0]
        for i, (n_nulls, low, high) in enumerate(group[1:]):
            values = [row[i] for row in part if row[i] is not None and row[i] != "nan"]
            assert n_nulls in (None, sum(row[i] is None for row in part)), fields[i]
            if fields[i][1] == "text":
                values, low, high = [v.encode() for v in values], *(bound if bound is None else bound.encode() for bound in (low, high))
            if fields[i][1] in ("text", "int", "time") or fields[i][1] == "num" and "inf" not in values and "-inf" not in values:
                assert low is None or all(low <= v for v in values), fields[i]
                assert high is None or all(v <= high for v in values), fields[i]


# ---- tables ----


def some_text(dice):
    return "".join(dice.choice(dice.choice(LETTERS)) for _ in range(dice.choice([0, 1, 3, 8, 70])))


MAKERS = {
    pyarrow.string(): some_text,
    pyarrow.float64(): lambda dice: dice.choice([dice.uniform(-1e5, 1e5), 0.0, -0.0, 5e-324, 1.7976931348623157e308, math.inf, math.nan, 0.1]),
    pyarrow.int64(): lambda dice: dice.choice([dice.randrange(-5, 300), 2**63 - 1, -(2**63), dice.randrange(-(2**63), 2**63)]),
    pyarrow.timestamp("us", "UTC"): lambda dice: EPOCH + datetime.timedelta(microseconds=dice.randrange(-(10**15), 4 * 10**15)),
}
ODD_MAKERS = {
    pyarrow.bool_(): lambda dice: dice.random() < 0.5,
    pyarrow.int8(): lambda dice: dice.randrange(-128, 128),
    pyarrow.int32(): lambda dice: dice.randrange(-(2**31), 2**31),
    pyarrow.uint32(): lambda dice: dice.randrange(2**32),
    pyarrow.uint64(): lambda dice: dice.randrange(2**63),
    pyarrow.float32(): lambda dice: float(dice.randrange(1000)) / 8,
    pyarrow.date32(): lambda dice: EPOCH.date() + datetime.timedelta(days=dice.randrange(-9000, 90000)),
    pyarrow.timestamp("ms"): lambda dice: datetime.datetime(2026, 1, 1) + datetime.timedelta(milliseconds=dice.randrange(10**12)),
    pyarrow.timestamp("ns", "UTC"): lambda dice: EPOCH + datetime.timedelta(microseconds=dice.randrange(4 * 10**15)),
    pyarrow.decimal128(18, 6): lambda dice: decimal.Decimal(dice.randrange(-(10**17), 10**17)).scaleb(-6),
    pyarrow.decimal128(9, 2): lambda dice: decimal.Decimal(dice.randrange(-(10**8), 10**8)).scaleb(-2),
    pyarrow.large_string(): some_text,
}
EXACT = pyarrow.map_(pyarrow.string(), pyarrow.string())


def some_values(dice, make, n):
    shape = dice.choice(["few", "runs", "any", "null"])
    few = [make(dice) for _ in range(dice.choice([1, 2, 9, 40]))]
    values = [dice.choice(few) if shape == "few" else make(dice) for _ in range(n)]
    if shape == "runs":
        values = [few[i // dice.choice([7, 8, 64]) % len(few)] for i in range(n)]
    holes = 1 if shape == "null" else dice.choice([0, 0, 0.01, 0.5, 0.99])
    return [None if dice.random() < holes else value for value in values]


def some_map(dice):
    keys = {some_text(dice) for _ in range(dice.randrange(1, 5))}
    return dice.choice([None, [], [(key, dice.choice([None, some_text(dice), ""])) for key in sorted(keys)]])


def made_table(dice, odd=False):
    n = dice.choice([1, 8, 129, 1000, 3000])
    columns = {}
    for _ in range(dice.randrange(1, 8)):
        kind = dice.choice(list(MAKERS) + (list(ODD_MAKERS) if odd else []))
        columns[f"c{len(columns)}"] = pyarrow.array(some_values(dice, MAKERS.get(kind) or ODD_MAKERS[kind], n), kind)
    if dice.random() < 0.5:
        columns["exact"] = pyarrow.array([some_map(dice) if dice.random() < 0.2 else None for _ in range(n)], EXACT)
    return pyarrow.table(columns)


def some_encodings(dice, table):
    """Each column by one that its type allows."""
    choices = {"string": ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "PLAIN"], "double": ["BYTE_STREAM_SPLIT", "PLAIN"],
               "int64": ["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT", "PLAIN"], "int32": ["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"],
               "timestamp[us, tz=UTC]": ["DELTA_BINARY_PACKED", "PLAIN"], "bool": ["RLE", "PLAIN"], "float": ["BYTE_STREAM_SPLIT"],
               "date32[day]": ["DELTA_BINARY_PACKED"]}
    return {field.name: dice.choice(choices[str(field.type)]) for field in table.schema if str(field.type) in choices}


# ---- writers ----


@pytest.mark.parametrize("seed", seeds(40))
def test_tables_of_pyarrow(seed, tmp_path):
    dice = random.Random(seed)
    table = made_table(dice, odd=dice.random() < 0.5)
    options = {"compression": dice.choice(["none", "snappy", "gzip", "zstd"]), "data_page_version": dice.choice(["1.0", "2.0"]),
               "row_group_size": dice.choice([100, 1000, 10**6]), "data_page_size": dice.choice([1, 200, 10**6]),
               "dictionary_pagesize_limit": dice.choice([100, 10**6]), "write_page_checksum": dice.random() < 0.5,
               "write_statistics": dice.random() < 0.8, "store_decimal_as_integer": dice.random() < 0.5}
    options |= dice.choice([{}, {"use_dictionary": False}, {"use_dictionary": False, "column_encoding": some_encodings(dice, table)}])
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet", **options)
    fields, _, _ = check(tmp_path / "x.parquet", table)
    assert all(field[3] is None for field in fields)


@pytest.mark.parametrize("seed", seeds(12))
def test_tables_of_duckdb(seed, tmp_path):
    dice = random.Random(seed)
    path, table = tmp_path / "x.parquet", made_table(dice)  # noqa: F841 (DuckDB finds it by its name)
    codec, version, rows = dice.choice(["uncompressed", "snappy", "gzip", "zstd"]), dice.choice(["V1", "V2"]), dice.choice([2048, 10**6])
    duckdb.sql(f"copy (select * from table) to '{path}' (format parquet, compression {codec}, parquet_version {version}, row_group_size {rows})"
               .replace("from table", 'from "table"'))
    check(path)


@pytest.mark.parametrize("seed", seeds(12))
def test_tables_of_polars(seed, tmp_path):
    dice = random.Random(seed)
    table = made_table(dice)
    table = table.select([name for name in table.column_names if name != "exact"])
    polars.from_arrow(table).write_parquet(tmp_path / "x.parquet", compression=dice.choice(["uncompressed", "snappy", "gzip", "zstd"]),
                                           row_group_size=dice.choice([100, 10**6]), data_page_size=dice.choice([200, 10**6]))
    check(tmp_path / "x.parquet")


@pytest.mark.parametrize("seed", seeds(12))
def test_our_own_tables(seed, tmp_path):
    (tmp_path / "x.parquet").write_bytes(dump_bytes(*some_table(seed)))
    check(tmp_path / "x.parquet")


def test_times_as_spark_writes_them(tmp_path):
    table = pyarrow.table({"at": pyarrow.array([EPOCH + datetime.timedelta(microseconds=n) for n in (-1, 0, 86_400_000_000 - 1, 1_795_442_400_123_456)],
                                               pyarrow.timestamp("us", "UTC")), "text": ["a", None, "b", "c"]})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet", flavor="spark", use_deprecated_int96_timestamps=True)
    fields, _, rows = load(tmp_path / "x.parquet")
    assert fields[0] == ["at", "time", 0, None]
    assert rows == [[-1, "a"], [0, None], [86_400_000_000 - 1, "b"], [1_795_442_400_123_456, "c"]]


def test_scans_of_a_long_file(tmp_path):
    """Pages, dictionaries that overflow, several row groups; texts of a map over pages."""
    n, dice = 100_000, random.Random(7)
    table = pyarrow.table({
        "id": [f"coin-{i // 7 % 5000}" for i in range(n)], "price": [i / 7 if i % 3 else None for i in range(n)],
        "at": pyarrow.array(range(0, n * 30_000_000, 30_000_000), pyarrow.timestamp("us", "UTC")),
        "exact": pyarrow.array([[(f"k{k}", "0.123456789012345678") for k in range(dice.randrange(9))] if i % 5 == 0 else None for i in range(n)], EXACT)})
    for version in ("1.0", "2.0"):
        pyarrow.parquet.write_table(table, tmp_path / "x.parquet", row_group_size=40_000, data_page_size=3000, dictionary_pagesize_limit=9000,
                                    data_page_version=version)
        check(tmp_path / "x.parquet")


def numbers(path):
    done = subprocess.run([LOAD, "-n", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    return done.stderr or [json.loads(line, parse_float=str, parse_int=str) for line in done.stdout.splitlines()]


def test_exact_numbers_are_of_a_map_or_a_text(tmp_path):
    """As a lake has them, and as export does; what is no number, or no map, is refused with its place."""
    path = tmp_path / "x.parquet"
    prices, pairs = [0.5, 1.5, None, 1e22, 40314176381427488.0], [None, ("p", "0.12345678901234567890"), ("p", "1e999"), ("gone", "1"), None]
    for kind, exact in ((EXACT, [pair and [pair] for pair in pairs]), (pyarrow.string(), [pair and json.dumps(dict([pair])) for pair in pairs])):
        pyarrow.parquet.write_table(pyarrow.table({"p": prices, "d": pyarrow.array([decimal.Decimal("2.50")] * 5, pyarrow.decimal128(9, 2)),
                                                   "exact": pyarrow.array(exact, kind)}), path)
        assert numbers(path) == [["0.5", "2.5"], ["0.12345678901234567890", "2.5"], ["1e999", "2.5"], ["1e22", "2.5"], ["40314176381427490", "2.5"]]
    for exact, why in ([("p", "many")], 'p is said to be "many", which is no number'), ([("p", None)], 'p is said to be "", which is no number'):
        pyarrow.parquet.write_table(pyarrow.table({"p": [1.0], "exact": pyarrow.array([exact], EXACT)}), path)
        assert f"column exact, row group 0, row 0: {why}" in numbers(path)
    for text in ("[1]", '{"p":1}', "{", '{"p":"1"'):
        pyarrow.parquet.write_table(pyarrow.table({"p": [1.0], "exact": [text]}), path)
        assert f"{path}: column exact, row group 0, row 0: " in numbers(path)
    pyarrow.parquet.write_table(pyarrow.table({"p": [1.0, math.inf]}), path)
    assert "column p, row group 0, row 1: not a finite number" in numbers(path)


# ---- what is refused, by name ----


@pytest.mark.parametrize("name, values, why", [
    ("a_list", pyarrow.array([[1, 2]]), "it is a list"),
    ("a_struct", pyarrow.array([{"a": 1}]), "it is a struct"),
    ("numbers", pyarrow.array([[("a", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int64())), "it is a map, but not of texts to texts"),
    ("wide", pyarrow.array([decimal.Decimal(10) ** 30], pyarrow.decimal128(38, 2)), "a decimal is beyond 2^63"),
    ("day", pyarrow.array([datetime.time(12)], pyarrow.time64("us")), "it is a time of the day"),
    ("fine", pyarrow.array([1], pyarrow.timestamp("ns")), "a time has nanoseconds"),
    ("big", pyarrow.array([2**63], pyarrow.uint64()), "a number is beyond 2^63"),
    ("raw", pyarrow.array([b"\xff"], pyarrow.binary()), "a text is not UTF-8"),
    ("nul", pyarrow.array(["a\0b"]), "a text is not UTF-8, or has U+0000"),
    ("fixed", pyarrow.array([b"ab"], pyarrow.binary(2)), "it is bytes of a fixed length"),
])
def test_what_is_not_known_is_named(name, values, why, tmp_path):
    path = tmp_path / "x.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"id": ["bitcoin"], name: values}), path)
    error = load(path, check=False)
    assert str(path) in error and f"column {name}" in error and why in error
    assert load(path, "id")[2] == [["bitcoin"]]


@pytest.mark.parametrize("codec", ["brotli", "lz4"])
def test_codecs_that_are_not_known_are_named(codec, tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"id": ["bitcoin"]}), tmp_path / "x.parquet", compression=codec)
    assert f"packed by {'LZ4_RAW' if codec == 'lz4' else 'BROTLI'}, which is not known here" in load(tmp_path / "x.parquet", check=False)


def test_what_is_no_file_of_parquet_is_named(tmp_path):
    path = tmp_path / "x.parquet"
    path.write_bytes(b"id,price\nbitcoin,1\n")
    assert "not a Parquet file, or cut off" in load(path, check=False)
