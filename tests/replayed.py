# SPDX-License-Identifier: Apache-2.0
"""A tape of many polls, and stores that are loaded from it and altered."""
import contextlib
import sqlite3
import time

from gecko import gecko, market_body

FIRST = 1704067200  # 2024-01-01T00:00:00Z
STEP = 60
COINS = 20


def stamp(n):
    return time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(FIRST + n * STEP))


def tape_of(tmp_path, n, first=0):
    """A tape of n polls a minute apart, in DATA."""
    raw = tmp_path / "raw"
    raw.mkdir(exist_ok=True)
    for i in range(first, first + n):
        (raw / f"market_{stamp(i)}.json").write_bytes(market_body(COINS, i))
    gecko("import", raw, "--data", tmp_path / "data", "--name", "raw", check=0)
    return tmp_path / "data"


ROWS = ["market", "latest", "listing", "latest_listing", "global", "latest_global", "vs_currency", "latest_vs_currency", "history", "ohlc"]
TABLES = [*ROWS, "poll", "absence", "quarantine", "quality_flag", "coin_name", "coin", "job"]


def dump(path):
    db = sqlite3.connect(path)
    held = {table: sorted(db.execute(f"select * from {table}").fetchall(), key=repr) for table in TABLES}
    db.close()
    return held


AGE = ("update poll set transform_version = 0 where transform_version > 0; update market set current_price = -1; update latest set current_price = -1;"
       "update coin_name set name = 'old'; update coin set name = 'old'")


def age(path):
    """As another version of the transform would have left it."""
    db = sqlite3.connect(path)
    db.executescript(AGE)
    db.close()


def count(path, sql):
    with contextlib.closing(sqlite3.connect(path, uri=True)) as db:
        return db.execute(sql).fetchone()[0]


def n_polls(path):
    """0 also while there is no store."""
    try:
        return count(f"file:{path}?mode=ro", "select count(*) from poll") if path.exists() else 0
    except sqlite3.OperationalError:
        return 0
