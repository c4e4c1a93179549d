# SPDX-License-Identifier: Apache-2.0
"""A lake holds what SQLite holds, value by value, whatever the tape has: nulls, extremes, all of Unicode, refused rows, late polls."""
import pytest
from gecko import gecko, records
from lake_table import check_exactly_once, check_like_sqlite, exact_rows
from seeds import seeds
from stores import S_US, SLOT0, make_tape
from test_stores import markets
from test_transform import Maker

DAY_US = 24 * 3600 * S_US


def load(data, *sinks):
    return gecko("load", "--from", f"tape:{data}", *[x for sink in sinks for x in ("--sink", sink)], check=0)


@pytest.mark.parametrize("seed", seeds(3))
def test_a_lake_holds_what_sqlite_holds(seed, tmp_path):
    maker = Maker(seed)
    data, lake, db = tmp_path / "data", tmp_path / "lake", tmp_path / "x.db"
    step = maker.random.choice([60, 600, 7200]) * S_US  # within hours, over hours, over days
    polls = markets(maker, 30, SLOT0, step)
    for part in (polls[:7], polls[7:8], polls[8:]):  # over several commits
        make_tape(data, part)
        load(data, f"lake:{lake}", f"sqlite:{db}")
    check_like_sqlite(lake, db, ["market", "poll"])
    check_exactly_once(lake, records(data))
    assert any(row["exact"] for row in exact_rows(lake / "market")) or seed != 1


def test_with_all_rows_nothing_is_left_out(tmp_path):
    data, lake, whole = tmp_path / "data", tmp_path / "lake", tmp_path / "whole"
    page = b'[{"id":"a","symbol":"a","name":"A","current_price":1},{"id":"b","symbol":"b","name":"B","current_price":2}]'
    make_tape(data, [(SLOT0 + i * S_US, "ok", [page]) for i in range(3)])
    load(data, f"lake:{lake}", f"lake:{whole}?rows=all")
    assert len(list(exact_rows(lake / "market"))) == 2 and len(list(exact_rows(whole / "market"))) == 6
    assert [(r["rows_new"], r["rows_unchanged"]) for r in exact_rows(whole / "poll")] == [(2, 0)] * 3
    assert [(r["rows_new"], r["rows_unchanged"]) for r in exact_rows(lake / "poll")] == [(2, 0), (0, 2), (0, 2)]
