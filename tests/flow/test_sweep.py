# SPDX-License-Identifier: Apache-2.0
"""What a poll may select, from the built-in simulator to the store."""
import pytest
from gecko import check_exactly_once, database, gecko, records

SIMULATED = ["--simulate", "--coins", "600", "--api-rate", "100000"]
IDS = ",".join(["bitcoin", "no-such-coin", "1move token", "boringdao-[old]"] + [f"unknown-coin-number-{i:03d}" for i in range(200)])

# options, job, pages of the poll, coins in it
SELECTIONS = [
    (["--all"], "markets-usd-all", 3, 600),
    (["--category", "meme-token"], "markets-usd-cat-meme-token", 1, None),
    (["--ids", "bitcoin,ethereum,no-such-coin"], None, 1, 2),
    (["--ids", IDS], None, 3, 3),
    (["--top", "300"], "markets-usd-top300", 2, None),
]


@pytest.mark.parametrize("options,job,pages,coins", SELECTIONS, ids=[s[0][0] + str(s[2]) for s in SELECTIONS])
def test_every_selection_is_one_poll(tmp_path, options, job, pages, coins):
    done = gecko("once", *SIMULATED, *options, "--data", tmp_path)
    assert done.returncode == 0, done.stderr
    ends = [r for r in records(tmp_path) if r["type"] == "end"]
    assert len(ends) == 1 and ends[0]["outcome"] == "ok" and len(ends[0]["pages"]) == pages
    assert job is None or ends[0]["job"] == job
    with database(tmp_path) as db:
        n, = db.execute("select count(distinct coin_id) from market").fetchone()
    assert n == coins if coins else 0 < n <= 500
    check_exactly_once(tmp_path, json_dir=tmp_path)


def test_a_server_that_ignores_the_page_is_named(tmp_path):
    done = gecko("once", *SIMULATED, "--all", "--fault", "samepage", "--data", tmp_path)
    assert done.returncode == 75
    assert "page 2: the coins of the page before again: the server ignores the parameter page" in done.stdout + done.stderr
    ends = [r for r in records(tmp_path) if r["type"] == "end"]
    assert [(e["outcome"], e["pages"][1:]) for e in ends] == [("partial", [0])]
