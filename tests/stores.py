# SPDX-License-Identifier: Apache-2.0
"""Tapes that tests make up poll by poll, and what stores hold of them, in one form whichever store it is."""
import collections
import contextlib
import decimal
import json
import os
import pathlib
import sqlite3
import subprocess

from oracle import read_time

S_US = 1_000_000
HOUR_US = 3600 * S_US
SLOT0 = 1795442400 * S_US  # 2026-11-23T14:00:00Z
ROWS = ["market", "listing", "global", "vs_currency", "history", "ohlc"]
LATEST = ["latest", "latest_listing", "latest_global", "latest_vs_currency"]
TABLES = [*ROWS, *LATEST, "poll", "absence", "quarantine", "quality_flag", "coin_name", "coin", "job", "sink_offset", "candle",
          "coin_market_raw", "coin_market_processed"]
# by the names of what numbers stand for, which are given out in order of arrival; what tells when a loader ran is nobody's value
NAMED = {"job_id": "(select name from job where job.job_id = t.job_id)", "coin_id": "(select id from coin where coin.coin_id = t.coin_id)"}
LEFT_OUT = {"epoch", "updated_at"}


def make_tape(data, polls, job="market", endpoint="coins/markets", *identity):
    """Append polls to a stream: (slot in µs, outcome, bodies; None: a page that is missing; the µs that a page takes); identity: its
    currency, its selection."""
    bodies, lines = pathlib.Path(data, "bodies"), []
    bodies.mkdir(parents=True, exist_ok=True)
    for slot, outcome, pages, *pace in polls:
        names = []
        for n, body in enumerate(pages):
            if body is not None:
                (bodies / f"{job}-{slot}-{n}").write_bytes(body)
            names.append("-" if body is None else str(bodies / f"{job}-{slot}-{n}"))
        lines.append(" ".join([":".join(map(str, [slot, *pace])), outcome, *names]) + "\n")
    subprocess.run([os.environ["GECKOTAPE_MADE_TAPE"], data, job, endpoint, *identity], input="".join(lines), text=True, check=True)
    return data


def kinds_in_postgres(server, database="etl", tables=TABLES):
    """{table: {column: type}}"""
    kinds = collections.defaultdict(dict)
    for line in server.psql(f"select table_name, column_name, data_type from information_schema.columns "
                            f"where table_schema = 'geckotape'", database).splitlines():
        table, column, kind = line.split("|")
        if column not in LEFT_OUT:
            kinds[table][column] = kind
    return {table: kinds[table] for table in tables}


def selection(table, columns, pair):
    return ", ".join(pair.format(c, NAMED.get(c, f't."{c}"')) for c in sorted(columns)), f'from "{table}" as t'


def value_of(kind, value):
    """From either store: numbers as Decimals, which are equal and hash by what they stand for; times as µs."""
    if value is None:
        return None
    if kind in ("numeric", "bigint") or kind == "integer" and not isinstance(value, str):
        return decimal.Decimal(repr(value) if isinstance(value, float) else value)
    if kind == "boolean":
        return bool(value)
    return read_time(value) if kind.startswith("timestamp") and isinstance(value, str) else value


def counted(columns, rows):
    return collections.Counter(tuple((c, value_of(kind, row[c])) for c, kind in sorted(columns.items())) for row in rows)


def in_postgres(server, database="etl", tables=TABLES):
    """{table: how often each row is there}; a row is ((column, value), …)."""
    kinds, rows, queries = kinds_in_postgres(server, database, tables), collections.defaultdict(list), ["set search_path to geckotape"]
    for table, columns in kinds.items():
        what, of = selection(table, columns, "'{0}', {1}")
        # as hex: psql leaves out characters that it thinks no terminal can show
        queries.append(f"select '{table}', encode(convert_to(json_build_object({what})::text, 'UTF8'), 'hex') {of}")
    for line in server.psql("; ".join(queries), database).splitlines():
        table, row = line.split("|")
        rows[table].append(json.loads(bytes.fromhex(row), parse_int=decimal.Decimal, parse_float=decimal.Decimal))
    return {table: counted(columns, rows[table]) for table, columns in kinds.items()}


def in_sqlite(path, kinds):
    """The same; kinds as kinds_in_postgres() gives them."""
    found = {}
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        for table, columns in kinds.items():
            assert {row["name"] for row in db.execute(f"pragma table_info({table})")} - LEFT_OUT == set(columns), table
            what, of = selection(table, columns, '{1} as "{0}"')
            found[table] = counted(columns, db.execute(f"select {what} {of}"))
    return found


def check_equal(got, want):
    out = [f"{table}: {sign} {dict(row)}" for table in want for sign, rows in (("+", got[table] - want[table]), ("-", want[table] - got[table]))
           for row in rows.elements()]
    assert not out, "\n".join([f"{len(out)} rows differ", *out[:20]])
