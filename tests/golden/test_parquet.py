# SPDX-License-Identifier: Apache-2.0
"""Parquet files against a reader of our own: made-up tables with every extreme, then what `export` writes against CSV, JSON and the store."""
import csv
import decimal
import gzip
import io
import json
import os
import random
import sqlite3
import subprocess

import oracle
import parquet_reader
import pytest
import zstandard
from gecko import BINARY, clean_env, gecko, market_body
from oracle_past import HOUR
from parquet_tables import dump_bytes, some_table
from seeds import seeds
from stores import SLOT0, make_tape
from test_queries import SEEDS, SQL, make_world

D = decimal.Decimal


def stands_for(value, name, exact):
    """The number that a double and the column "exact" give, as README and docs/design/0033 tell readers to take them."""
    if exact and name in exact:
        return D(exact[name])
    return None if value is None else D(repr(value))


def check_number(value, name, exact, lexeme):
    """lexeme: as it was sent, None for null."""
    assert stands_for(value, name, exact) == (None if lexeme is None else D(lexeme)), (name, value, exact, lexeme)
    if lexeme is not None and len(D(lexeme).as_tuple().digits) <= 15 and abs(D(lexeme).adjusted()) < 300:
        assert not exact or name not in exact, "a double holds it"
    if value is not None and exact and name in exact:
        assert value == float(lexeme)


# ---- tables ----


def dump(*table):
    return parquet_reader.read(dump_bytes(*table))


def check_table(file, kinds, columns):
    exact = [text and json.loads(text) for text in file.columns.get("exact", [])]
    assert len(file.columns) == len(kinds) + ("num" in kinds)
    for i, (kind, column) in enumerate(zip(kinds, columns)):
        assert file.kinds[f"c{i}"] == {"num": "double"}.get(kind, kind)
        got = file.columns[f"c{i}"]
        if kind != "num":
            assert got == column
            continue
        for value, numbers, lexeme in zip(got, exact, column, strict=True):
            check_number(value, f"c{i}", numbers, lexeme)


@pytest.mark.parametrize("seed", seeds(12))
def test_a_table_is_read_as_it_was_written(seed):
    kinds, columns, group_rows, page_rows = some_table(seed)
    file = dump(kinds, columns, group_rows, page_rows)
    check_table(file, kinds, columns)
    assert [group.n_rows for group in file.groups[:-1]] == [group_rows] * (len(file.groups) - 1)
    assert file.notes == {"key": "value", "ключ": ""} and file.created_by.startswith("geckotape version ")


def test_tables_without_rows_have_their_columns():
    for kinds in (["text"], ["num", "time", "int"]):
        file = dump(kinds, [[]] * len(kinds), 10, 10)
        check_table(file, kinds, [[]] * len(kinds))
        assert not file.groups


def test_each_encoding_is_taken_where_it_is_the_smallest():
    dice, n = random.Random(1), 2000
    columns = {
        "few": ("num", [dice.choice(["1.5", "2.25", "7"]) for _ in range(n)]),
        "any": ("num", [repr(dice.random()) for _ in range(n)]),
        "clock": ("time", [1_764_000_000_000_000 + 30_000_000 * i + dice.randrange(300_000) for i in range(n)]),
        "ranks": ("int", [dice.randrange(9) for _ in range(n)]),
        "noise": ("int", [dice.randrange(-(2**63), 2**63) for _ in range(n)]),
        "coin": ("text", [f"coin-{i // 100}" for i in range(n)]),
        "unlike": ("text", [f"{dice.random()}" for _ in range(n)]),
    }
    kinds, values = [kind for kind, _ in columns.values()], [column for _, column in columns.values()]
    file = dump(kinds, values, n, n)
    check_table(file, kinds, values)
    got = {name: file.groups[0].encodings[f"c{i}"] for i, name in enumerate(columns)}
    dictionary, plain = parquet_reader.DICTIONARY, parquet_reader.PLAIN
    assert got == {"few": dictionary, "any": plain, "clock": parquet_reader.DELTA, "ranks": dictionary, "noise": plain, "coin": dictionary, "unlike": plain}


def test_an_order_is_claimed_where_there_is_one():
    coins, times = ["a"] * 50 + ["b"] * 50 + ["é"] * 50, list(range(50)) * 3
    assert [g.sorting for g in dump(["text", "time"], [coins, times], 60, 20, 2).groups] == [["c0", "c1"]] * 3
    times[70] = 0  # in the second group
    assert [g.sorting for g in dump(["text", "time"], [coins, times], 60, 20, 2).groups] == [["c0", "c1"], ["c0"], ["c0", "c1"]]
    coins[130] = None
    assert [g.sorting for g in dump(["text", "time"], [coins, times], 60, 20, 2).groups] == [["c0", "c1"], ["c0"], []]


def test_large_texts_end_a_row_group_before_its_rows_do():
    dice = random.Random(3)
    texts = [dice.randbytes(100_000).hex() for _ in range(400)]  # 80 MB, a group has 32
    file = dump(["text"], [texts], 1000, 1000)
    check_table(file, ["text"], [texts])
    assert [group.n_rows for group in file.groups] == [168, 168, 64]


# ---- export ----


@pytest.fixture(scope="module", params=SEEDS)
def world(request, shared, tmp_path_factory):
    return make_world(request.param, False, shared, tmp_path_factory.mktemp("world"))


def export(url, what, *args):
    """As bytes: text of other line ends would not stay so."""
    return subprocess.run([BINARY, "export", what, "--from", url, *args], stdout=subprocess.PIPE, env=clean_env(), check=True).stdout.decode()


def lines_of(text):
    """A text may have other line ends inside of it."""
    return text.split("\n")[:-1]


def span_of(jobs):
    first = min(job.polls[0].slot for job in jobs.values())
    last = max(poll.finished for job in jobs.values() for poll in job.polls)
    return ["--since", time_text(first - HOUR), "--until", time_text(last + HOUR)]


def time_text(us):
    return oracle.datetime.datetime.fromtimestamp(us // 10**6, oracle.datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def check_same(file, lines, is_csv=False):
    """Parquet, and rows of CSV or JSON whose numbers are lexemes."""
    names = [name for name in file.kinds if name != "exact"]
    assert len(lines) == len(file.columns[names[0]])
    for i, line in enumerate(lines):
        assert list(line) == names
        exact = json.loads(file.columns["exact"][i] or "null")
        for name in names:
            got, want = file.columns[name][i], line[name]
            want = None if is_csv and want == "" and got != "" else want
            if file.kinds[name] == "double":
                check_number(got, name, exact, want)
            elif want is None or file.kinds[name] == "text":
                assert got == want, (name, got, want)
            elif file.kinds[name] == "time":  # as text they are cut to milliseconds
                assert got // 1000 * 1000 == oracle.read_time(want) // 1000 * 1000, (name, got, want)
            else:
                assert got == int(D(want)), (name, got, want)


WHAT = [("rows", []), ("rows", ["--vs", "eur"]), ("rows", ["--columns", "id,fetched_at,sparkline_in_7d,ath"]), ("candles", ["--every", "7m"]),
        ("candles", ["--every", "1h"]), ("panel", ["--panel", "current_price,market_cap,symbol,ath_date,market_cap_rank", "--every", "17m"]),
        ("rows", ["--vs", "xyz"])]


@pytest.mark.parametrize("store", SQL)
@pytest.mark.parametrize(("what", "args"), WHAT)
def test_parquet_csv_and_json_tell_the_same(world, store, what, args, tmp_path):
    jobs, urls = world
    args = [*args, *span_of(jobs)]
    gecko("export", what, "--from", urls[store], *args, "--output", tmp_path / "x.parquet", check=0)
    file = parquet_reader.read(tmp_path / "x.parquet")
    check_same(file, [json.loads(line, parse_float=str, parse_int=str) for line in lines_of(export(urls[store], what, *args, "--format", "jsonl"))])
    check_same(file, list(csv.DictReader(io.StringIO(export(urls[store], what, *args), newline=""))), is_csv=True)
    assert all(group.sorting == (["time"] if what == "panel" else ["id", "start" if what == "candles" else "fetched_at"]) for group in file.groups)
    vs = args[args.index("--vs") + 1] if "--vs" in args else "usd"
    assert bool(file.groups) == (vs != "xyz")
    assert file.notes["geckotape.vs_currency"] == vs and file.notes["geckotape.content"] == what
    assert file.notes["geckotape.jobs"] == ",".join(sorted(n for n, job in jobs.items() if job.endpoint == "coins/markets" and job.vs == vs))
    assert file.notes["geckotape.transform_versions"].isdigit() == (vs != "xyz")


def test_rows_are_those_of_the_store_each_once(world):
    jobs, urls = world
    with sqlite3.connect(f"file:{urls['sqlite'].removeprefix('sqlite:')}?mode=ro", uri=True) as db:
        for vs in ("usd", "eur"):
            want = db.execute("select id, fetched_at, current_price, ath from market join coin using (coin_id) join job using (job_id) "
                              "where vs_currency = ? order by id, fetched_at, job_id", [vs]).fetchall()
            lines = export(urls["sqlite"], "rows", "--vs", vs, "--format", "jsonl", *span_of(jobs))
            rows = [json.loads(line, parse_float=D, parse_int=D) for line in lines_of(lines)]
            rows.sort(key=lambda row: (row["id"].encode(), row["fetched_at"]))
            number = lambda x: None if x is None else D(repr(x) if isinstance(x, float) else x)  # noqa: E731
            assert [(r["id"], oracle.read_time(r["fetched_at"]), r["current_price"], r["ath"]) for r in rows] == [
                (key, at // 1000 * 1000, number(price), number(ath)) for key, at, price, ath in want]
            assert rows


def test_a_span_and_coins_are_cut_from_all_rows(world):
    jobs, urls = world
    everything = [json.loads(line) for line in lines_of(export(urls["sqlite"], "rows", "--format", "jsonl", *span_of(jobs)))]
    middle = sorted(row["fetched_at"] for row in everything)[len(everything) // 2]
    ids = sorted({row["id"] for row in everything if row["fetched_at"] < middle and row["id"].replace("-", "x").isalnum()})[:3]
    some = [json.loads(line) for line in lines_of(export(urls["sqlite"], "rows", *ids[::-1], ids[0], "--format", "jsonl", "--since",
                                                         span_of(jobs)[1], "--until", middle))]
    want = [row for row in everything if row["id"] in ids and row["fetched_at"] < middle]
    assert some == sorted(want, key=lambda row: row["id"]) and some


def test_files_are_packed_as_they_are_called(world, tmp_path):
    jobs, urls = world
    for name, read in (("a.csv", bytes), ("a.csv.gz", gzip.decompress), ("a.csv.zst", unzstd), ("a.jsonl", bytes), ("a.jsonl.gz", gzip.decompress),
                       ("a.jsonl.zst", unzstd), ("a.ndjson.zst", unzstd)):
        gecko("export", "rows", "--from", urls["sqlite"], *span_of(jobs), "--output", tmp_path / name, check=0)
        form = "csv" if "csv" in name else "jsonl"
        assert read((tmp_path / name).read_bytes()).decode() == export(urls["sqlite"], "rows", *span_of(jobs), "--format", form)
    assert sorted(os.listdir(tmp_path)) == sorted(["a.csv", "a.csv.gz", "a.csv.zst", "a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.ndjson.zst"])


def unzstd(data):
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


def test_parquet_goes_through_a_pipe(world, tmp_path):
    jobs, urls = world
    args = ["rows", "--from", urls["sqlite"], *span_of(jobs), "--format", "parquet"]
    done = subprocess.run([BINARY, "export", *args], stdout=subprocess.PIPE, env=clean_env(), check=True)
    gecko("export", *args, "--output", tmp_path / "x", check=0)
    assert done.stdout == (tmp_path / "x").read_bytes()
    assert parquet_reader.read(done.stdout).groups


def test_a_number_of_more_digits_than_its_double_prints_is_kept(tmp_path):
    """20 digits, of which a double prints 17 and yet is this very number."""
    number = "10000000000000051200"
    assert float(number) == int(number) and D(repr(float(number))) != D(number)
    body = json.loads(market_body(3))
    body[1]["max_supply"] = int(number)
    make_tape(tmp_path / "data", [(SLOT0, "ok", [json.dumps(body).encode()])])
    store = f"sqlite:{tmp_path}/market.db"
    gecko("load", "--from", f"tape:{tmp_path}/data", "--sink", store, check=0)
    lines = csv.DictReader(io.StringIO(gecko("query", "--from", store, "--columns", "all", "--format", "csv", check=0).stdout))
    assert [D(line["max_supply"]) for line in lines if line["id"] == body[1]["id"]] == [D(number)]
    gecko("export", "rows", "--from", store, "--since", "2026-11-23", "--until", "2026-11-24", "--output", tmp_path / "x.parquet", check=0)
    file = parquet_reader.read(tmp_path / "x.parquet")
    row = file.columns["id"].index(body[1]["id"])
    assert stands_for(file.columns["max_supply"][row], "max_supply", json.loads(file.columns["exact"][row])) == D(number)
