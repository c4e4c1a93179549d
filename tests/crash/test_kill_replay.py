# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments of a replay: each poll is whole, of one version or the other, and a last run finishes."""
import os
import random
import sqlite3
import time

from gecko import Running, gecko
from replayed import age, dump, tape_of

ROUNDS = 40 if os.environ.get("GECKOTAPE_CRASH") == "full" else 6


def check_whole(store):
    with sqlite3.connect(store) as db:
        assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
        for slot, version, n, n_rows, n_old in db.execute(
                "select slot, transform_version, rows_new, (select count(*) from market where market.slot = poll.slot), "
                "(select count(*) from market where market.slot = poll.slot and current_price = -1) from poll"):
            assert n == n_rows, slot
            assert n_old == (n if version == 0 else 0), slot


def test_kill_within_a_replay_leaves_whole_polls_and_a_second_run_finishes(tmp_path):
    seed = int(os.environ.get("GECKOTAPE_SEED", random.randrange(2**32)))
    print(f"GECKOTAPE_SEED={seed}")
    dice = random.Random(seed)
    data, store, files = tape_of(tmp_path, 600), tmp_path / "x.db", tmp_path / "files"
    gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{store}", "--sink", f"json:{files}", check=0)
    fresh = dump(store)
    written = {p: p.read_bytes() for p in files.rglob("*.json")}
    for _ in range(ROUNDS):
        age(store)
        with Running("replay", "--data", data, "--sink", f"sqlite:{store}") as replay:
            time.sleep(dice.uniform(0, 0.4))
            replay.kill()
        check_whole(store)
        with Running("replay", "--data", data, "--sink", f"json:{files}") as replay:
            time.sleep(dice.uniform(0, 0.3))
            replay.kill()
        assert {p: p.read_bytes() for p in files.rglob("*.json")} == written
        gecko("replay", "--data", data, "--sink", f"sqlite:{store}", check=0)
        check_whole(store)
    gecko("replay", "--data", data, "--sink", f"sqlite:{store}", "--force", check=0)
    gecko("replay", "--data", data, "--sink", f"json:{files}", check=0)
    assert dump(store) == fresh
    assert not list(files.rglob("*.tmp"))
