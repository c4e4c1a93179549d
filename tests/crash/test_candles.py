# SPDX-License-Identifier: Apache-2.0
"""A store that was made before there were candles has them made step by step: a kill at any write costs a step, and no candle is ever
half, twice or wrong."""
import contextlib
import shutil
import sqlite3

import pytest
from gecko import gecko
from replayed import tape_of

COINS, POLLS, STEP_US = 400, 1000, 120_000_000  # two steps make less
FILL = """
    insert into coin (coin_id, id, symbol, name, first_seen, last_seen)
    with recursive n(i) as (select 100 union all select i + 1 from n where i < 99 + {coins}) select i, 'made-' || i, 'm', 'M', 0, 0 from n;
    insert into poll (job_id, slot, outcome, loaded, finished, attempts, pages, pages_missing, rows_in, rows_new, rows_unchanged, rows_absent,
                      rows_quarantined, bytes, credits, stream, first_offset, last_offset)
    with recursive n(i) as (select 1 union all select i + 1 from n where i < {polls})
    select job_id, slot - i * {step}, 'ok', 'rows', slot - i * {step} + 1000000, 1, 1, 0, {coins}, {coins}, 0, 0, 0, 0, 0, 'old', i, i
    from n, (select job_id, min(slot) as slot from poll);
    insert into market (slot, job_id, coin_id, fetched_at, current_price, market_cap)
    select slot, job_id, coin_id, slot + 900000, abs(random() % 100000) / 100.0, coin_id
    from poll, coin where stream = 'old' and coin_id >= 100;
    delete from candle; delete from candle_upkeep;
"""


def check(path):
    """All that the upkeep says is there and right, and nothing else is. Returns up to when."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        built = db.execute("select built_until from candle_upkeep").fetchone()
        for step in (300, 3600, 86400):
            length = step * 1_000_000
            want = db.execute(f"""
                select fetched_at / {length} * {length} as start, coin_id, max(current_price), min(current_price), count(*), min(fetched_at), max(fetched_at)
                from market group by 1, 2 having start + {length} <= ? order by 1, 2""", built or (0,)).fetchall()
            got = db.execute("select start, coin_id, high, low, rows, first_at, last_at from candle where step = ? order by 1, 2", (step,)).fetchall()
            assert got == want, (step, len(got), len(want))
    return built and built[0]


@pytest.fixture
def old(tmp_path):
    data = tape_of(tmp_path, 1)
    gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{tmp_path}/old.db", check=0)
    with contextlib.closing(sqlite3.connect(tmp_path / "old.db")) as db:
        db.executescript(FILL.format(coins=COINS, polls=POLLS, step=STEP_US))
    return data, tmp_path / "old.db"


@pytest.mark.parametrize("call, whens", [("fdatasync", range(1, 9)), ("pwrite64", [1, 5, 50, 500, 1500, 2500, 4000, 6000])])
def test_a_kill_costs_a_step_and_no_candle(call, whens, old, tmp_path):
    data, path = old
    seen, n_killed = set(), 0
    for when in whens:
        for end in ("", "-wal", "-shm"):
            (tmp_path / f"x.db{end}").unlink(missing_ok=True)
        shutil.copy(path, tmp_path / "x.db")
        load = "load", "--from", f"tape:{data}", "--sink", f"sqlite:{tmp_path}/x.db"
        n_killed += gecko(*load, under=["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                                        f"inject={call}:signal=KILL:when={when}"]).returncode != 0
        seen.add(check(tmp_path / "x.db"))
        for _ in range(100):
            gecko(*load, check=0)
            built = check(tmp_path / "x.db")
            if built == newest(path):
                break
        assert built == newest(path)
    assert n_killed >= 4 and len(seen) >= 3, (n_killed, seen)


def newest(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute("select max(slot) / 300000000 * 300000000 from poll").fetchone()[0]
