# SPDX-License-Identifier: Apache-2.0
"""A reader of Delta tables that shares nothing with the program: the log action by action as the protocol has it, and the files by
golden/parquet_reader.py. It believes nothing: versions, sizes, partitions, counts and statistics are held against the values.

    lake_table.py rows DIR JOB SLOT      prints "id=value " for each row, ids sorted, as tests/conformance asks
"""
import collections
import contextlib
import dataclasses
import datetime
import decimal
import json
import pathlib
import sqlite3
import sys
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).parent / "golden"))
import parquet_reader  # noqa: E402: the path first

TYPES = {"text": "string", "time": "timestamp", "int": "long", "double": "double"}
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


@dataclasses.dataclass
class Table:
    path: pathlib.Path
    version: int = -1
    protocol: dict = None
    meta: dict = None
    txns: dict = dataclasses.field(default_factory=dict)
    files: dict = dataclasses.field(default_factory=dict)  # path: add
    infos: list = dataclasses.field(default_factory=list)

    @property
    def schema(self):
        return {f["name"]: f["type"] for f in json.loads(self.meta["schemaString"])["fields"]}


def take(table, name, action):
    if name == "txn":
        table.txns[action["appId"]] = action["version"]
    elif name == "protocol":
        table.protocol = action
    elif name == "metaData":
        table.meta = action
    elif name == "add":
        assert action["path"] not in table.files, f"{action['path']} is added twice"
        table.files[action["path"]] = action
    elif name == "remove":
        del table.files[action["path"]]
    elif name == "commitInfo":
        table.infos.append(action)
    else:
        raise AssertionError(f"an action {name}")


def read_log(path):
    """The table's state, or None where there is no table."""
    log = pathlib.Path(path, "_delta_log")
    commits = sorted(p for p in log.glob("*.json")) if log.exists() else []
    if not commits:
        return None
    table = Table(pathlib.Path(path))
    for version, commit in enumerate(commits):
        assert commit.name == f"{version:020}.json"
        seen = collections.Counter()
        for line in commit.read_text().splitlines():
            (name, action), = json.loads(line).items()
            seen[name, action.get("appId") or action.get("path")] += 1
            take(table, name, action)
        assert max(seen.values()) == 1, f"{commit.name} does something twice"
        table.version = version
    return table


def micros(text):
    return (datetime.datetime.fromisoformat(text.replace("Z", "+00:00")) - EPOCH) // datetime.timedelta(microseconds=1)


def check_stats(add, file):
    stats = json.loads(add["stats"])
    n = len(next(iter(file.columns.values())))
    assert stats["numRecords"] == n
    for name, values in file.columns.items():
        there = [v for v in values if v is not None]
        if name in stats["nullCount"]:
            assert stats["nullCount"][name] == len(values) - len(there), name
        if name not in stats["minValues"]:
            assert name not in stats["maxValues"] and (not there or file.kinds[name] in ("text", "time")), name
            continue
        low, high = stats["minValues"][name], stats["maxValues"][name]
        if file.kinds[name] == "time":
            low, high = micros(low), micros(high)
            assert min(there) - 1000 < low <= min(there) and max(there) <= high < max(there) + 1000, (
                name, low, min(there), high, max(there))
        elif file.kinds[name] == "text":
            assert low.encode() == min(v.encode() for v in there) and high.encode() == max(v.encode() for v in there), name
        else:
            assert (low, high) == (min(there), max(there)), name


def read_file(table, add):
    path = table.path / add["path"]
    assert path.stat().st_size == add["size"]
    file = parquet_reader.read(path)
    schema = {name: kind for name, kind in table.schema.items() if name != "date"}
    assert {name: TYPES[kind] for name, kind in file.kinds.items()}.items() <= schema.items()
    check_stats(add, file)
    day = add["partitionValues"]["date"]
    assert path.parent.name == f"date={day}"
    rows = [dict(zip(file.columns, values)) for values in zip(*file.columns.values())]
    assert all(str((EPOCH + datetime.timedelta(microseconds=row["slot"])).date()) == day for row in rows)
    return [{**dict.fromkeys(schema), **row} for row in rows]


def read(path):
    """All rows of a table, as dicts; times are µs."""
    table = read_log(path)
    if table is None:
        return []
    assert table.protocol == {"minReaderVersion": 1, "minWriterVersion": 2} and table.meta["partitionColumns"] == ["date"]
    return [row for add in table.files.values() for row in read_file(table, add)]


def applied(lake):
    """Each table of rows is where that of polls says, unless a loader was killed between them."""
    polls = read_log(pathlib.Path(lake, "poll"))
    for app, version in polls.txns.items():
        if app.startswith("rows/"):
            assert read_log(pathlib.Path(lake, app[len("rows/"):])).txns["geckotape/poll"] == version, app


def value_of(kind, value):
    return decimal.Decimal(repr(value)) if kind in ("long", "double") and value is not None else value


def exact_rows(path):
    """Rows with numbers as Decimals, all their digits."""
    table = read_log(path)
    kinds = table.schema if table else {}
    for row in read(path):
        digits = json.loads(row.get("exact") or "{}", parse_float=decimal.Decimal, parse_int=decimal.Decimal)
        yield {**{name: value_of(kinds[name], value) for name, value in row.items()}, **{name: decimal.Decimal(d) for name, d in digits.items()}}


def in_sqlite(db, table):
    """The rows of a table in the same form, and which of their columns are there."""
    has = [c[1] for c in db.execute(f"pragma table_info({table})")]
    coin, job = ("join coin using (coin_id)" if "coin_id" in has and table != "poll" else "", "join job using (job_id)")
    columns = {"job": "job.name", **({"id": "coin.id"} if coin else {})}
    columns.update({c: f't."{c}"' for c in has if c not in ("coin_id", "job_id")})
    names = sorted(columns)
    rows = db.execute(f"select {', '.join(columns[c] for c in names)} from {table} as t {job} {coin}")
    return names, [dict(zip(names, row)) for row in rows]


def check_like_sqlite(lake, path, tables):
    """Each row, each value that both keep."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        for table in tables:
            names, stored = in_sqlite(db, table)
            log = read_log(pathlib.Path(lake, table))
            kinds = log.schema if log else {}
            # SQLite counts absences that begin; a lake keeps none, and counts those of the ok poll before
            names = [n for n in names if n in kinds and n != "rows_absent"]
            assert not stored or len(names) > 3
            want = collections.Counter(
                tuple(decimal.Decimal(str(r[n])) if kinds[n] in ("long", "double") and r[n] is not None else r[n] for n in names) for r in stored)
            got = collections.Counter(tuple(r[n] for n in names) for r in exact_rows(pathlib.Path(lake, table)))
            differ = [f"{sign} {dict(zip(names, row))}" for sign, rows in (("+", got - want), ("-", want - got)) for row in rows]
            assert not differ, "\n".join([f"{table}: {len(differ)} rows differ", *differ[:10]])


def check_exactly_once(lake, records):
    """Each poll of the tape is once in a lake, its rows whole, and the position behind the last one."""
    applied(lake)
    polls = {(row["stream"], row["last_offset"]): row for row in read(pathlib.Path(lake, "poll"))}
    assert len(polls) == len(read(pathlib.Path(lake, "poll"))), "a poll is there twice"
    stored = collections.Counter((r["job"], r["slot"]) for t in ("market", "listing", "global") for r in read(pathlib.Path(lake, t)))
    ends = [r for r in records if r["type"] == "end"]
    for end in ends:
        poll = polls.pop((str(uuid.UUID(end["stream"])), end["offset"]))
        assert poll["outcome"] == end["outcome"]
        if poll["loaded"] == "rows":
            assert stored.pop((poll["job"], poll["slot"]), 0) == poll["rows_new"], "rows of a poll are not whole"
    assert not polls and not stored, f"polls or rows that are not of the tape: {polls} {stored}"
    txns = read_log(pathlib.Path(lake, "poll")).txns
    for end in ends:
        assert txns[str(uuid.UUID(end["stream"]))] >= end["offset"]
    return ends


def number(value):
    if value is None:
        return ""
    return f"{value:g}".replace("e-0", "e-") if isinstance(value, float) else str(value)


def show_rows(lake, job, slot):
    table = "listing" if "list" in job else "global" if "global" in job else "vs_currency" if "currencies" in job else "market"
    column = {"listing": "name", "global": "value", "market": "current_price"}.get(table)
    rows = [row for row in read(pathlib.Path(lake, table)) if (row["job"], row["slot"]) == (job, slot)]
    for row in sorted(rows, key=lambda row: row["id"]):
        print(f"{row['id']}={number(row[column]) if column else ''} ", end="")


if __name__ == "__main__":
    show_rows(sys.argv[2], sys.argv[3], int(sys.argv[4]))
