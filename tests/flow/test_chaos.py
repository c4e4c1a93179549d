# SPDX-License-Identifier: Apache-2.0
"""Whatever the API does in whatever mix: the rows in SQLite are what it served whole, and once it behaves, so do we.

Each mix has its seed in the case's name: see seeds.py. `make chaos` takes many others, and then also those faults that ask to be left alone for a
minute."""
import concurrent.futures
import datetime
import email.utils
import json
import random
import re
import subprocess
import time

import pytest
from gecko import BINARY, PATIENCE, Running, check_exactly_once, clean_env, database, gecko, records, wait_for
from oracle import Object, changed_rows, compare_sqlite, expected_poll, read_json, read_time
from seeds import IS_LONG, seeds

SEEDS = seeds(4)
SLOT = 2  # seconds
PER_PAGE, TOP = 250, 400  # two pages a poll
HOUR = 3600_000000
MINUTE_LONG = {"429", "429date", "429reset", "429absurd"}


def fault_names():
    listed = gecko("simulate", "--help", check=0).stdout.split("Faults, for --fault NAME:\n")[1].split("\n\n")[0]
    return [line.split()[0] for line in listed.splitlines()]


def made_up_mix(seed):
    """(faults as options, seconds until the last of them is over)"""
    dice = random.Random(seed)
    names = [name for name in fault_names() if IS_LONG or name not in MINUTE_LONG]
    options, end = [], 0
    for name in dice.sample(names, dice.randint(1, 5)):
        after, lasting = dice.randint(0, 4), dice.randint(2, 6)
        spec = f"{name}:after={after}s,for={lasting}s"
        spec += dice.choice(["", "", f",every={dice.randint(2, 4)}", f",rate=0.{dice.randint(2, 8)}", f",from={dice.randint(0, 5)}"])
        options += ["--fault", spec]
        end = max(end, after + lasting)
    return options, end


def pages_by_offset(data):
    """The bodies of all pages that are JSON: the headers come in the same order."""
    headers = [{**r, "fetched_at_us": read_time(r["fetched_at"])} for r in records(data) if r["type"] == "page"]
    done = subprocess.run([BINARY, "tape", "cat", "--data", data], stdout=subprocess.PIPE, env=clean_env(), timeout=PATIENCE, check=True)
    bodies = iter(done.stdout.split(b"\n"))
    return [(h, next(bodies) if h["is_json"] else None) for h in headers]


def is_served_whole(header, body):
    """What a client may take for data, by the rules as they are written down: a status 200 of about now, and a list of coins."""
    if header["status"] != 200 or body is None:
        return False
    found = dict(re.findall(r"^(date|age): (.*)$", header["headers"], re.MULTILINE))
    date = email.utils.parsedate_to_datetime(found["date"]).timestamp() if "date" in found else header["fetched_at_us"] / 1e6
    if abs(header["fetched_at_us"] / 1e6 - date) > 120 + int(found.get("age", 0)):
        return False
    coins = read_json(body)
    return type(coins) is list and any(isinstance(c, Object) and "current_price" in dict(c) for c in coins)


def ids_of(body):
    return [dict(c).get("id") for c in read_json(body) if isinstance(c, Object)]


def served(pages):
    """{slot: {page: (header, body)}} of what may become rows; a second page that is the first again is none."""
    polls = {}
    for header, body in pages:
        if not is_served_whole(header, body):
            continue
        poll = polls.setdefault(header["slot_us"], {})
        before = poll.get(header["page"] - 1)
        if before and (ids_of(body)[0] == ids_of(before[1])[0] or sorted(ids_of(body)) == sorted(ids_of(before[1]))):
            continue
        poll[header["page"]] = (header, body)
    return polls


def expected_rows(pages):
    """{slot: rows that market must hold}"""
    want, before, before_slot, before_is_ok = {}, [], 0, False
    for slot, poll in sorted(served(pages).items()):
        good, is_ok = [poll[n] for n in sorted(poll)], len(poll) == 2
        told = expected_poll([body for _, body in good], [h["fetched_at_us"] for h, _ in good])
        # nothing is left out of a partial poll, nor behind one: an ok one may come and take its place
        is_compared = is_ok and before_is_ok and slot // HOUR == before_slot // HOUR
        want[slot] = changed_rows(told.rows, before if is_compared else [], {r["coin"] for r in told.refusals})
        before, before_slot, before_is_ok = told.rows, slot, is_ok
    return want


def ok_slots(data):
    try:
        with database(data) as db:
            return [row[0] for row in db.execute("select slot from poll where outcome = 'ok' order by slot")]
    except Exception:  # not there yet
        return []


def waits_until(log):
    """When the last silence that the API asked for, or that its refusals earned, is over; µs."""
    ends = [0]
    for line in log.read_text().splitlines():
        event = json.loads(line)
        if "wait_ms" in event:
            ends.append(datetime.datetime.fromisoformat(event["ts"].replace("Z", "+00:00")).timestamp() + event["wait_ms"] / 1000)
    return max(ends) * 1e6


def live_through(seed, directory):
    """Collect through a mix of faults and a little longer; returns when it should have been over, in µs."""
    faults, seconds = made_up_mix(seed)
    data, log = directory / "data", directory / "log"
    with Running("simulate", "--listen", "127.0.0.1:0", "--coins", 500, "--seed", seed % 1000 + 1, "--speed", 60, *faults) as sim:
        port = int(sim.expect(r"http://127\.0\.0\.1:(\d+)")[1])
        over = (time.time() + seconds) * 1e6
        with Running("run", "--api-url", f"http://127.0.0.1:{port}/api/v3", "--data", data, "--top", TOP, "--every", f"{SLOT}s",
                     "--api-rate", 100000, "--api-timeout", "1500ms", "--listen", "none", "--log-format", "json", "--log-file", log) as run:
            wait_for(log.exists, what="the log")
            wait_for(lambda: [s for s in ok_slots(data) if s > max(over, waits_until(log)) + SLOT * 1e6], timeout=900 if IS_LONG else 120,
                     what=f"a good poll after {faults}")
            assert run.stop() == 0
    return max(over, waits_until(log))


@pytest.fixture(scope="module")
def lives(tmp_path_factory):
    """All seeds at a time: most of it is waiting."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        directories = {seed: tmp_path_factory.mktemp("chaos") for seed in SEEDS}
        futures = {seed: pool.submit(live_through, seed, directories[seed]) for seed in SEEDS}
        concurrent.futures.wait(futures.values())
    return {seed: (directories[seed] / "data", futures[seed]) for seed in SEEDS}


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_are_what_was_served_whole_and_life_goes_on(lives, seed):
    data, future = lives[seed]
    mix = made_up_mix(seed)[0][1::2]
    over = future.result()
    ends = check_exactly_once(data)
    slots = [e["slot_us"] for e in ends]
    assert len(slots) == len(set(slots)), f"{mix}: a slot is polled twice"
    pages = pages_by_offset(data)
    good = served(pages)
    for end in ends:
        kept = [offset for offset in end["pages"] if offset]
        if end["outcome"] != "aborted":
            assert kept == [good[end["slot_us"]][n][0]["offset"] for n in sorted(good.get(end["slot_us"], {}))], f"{mix}: {end}"
        assert (end["outcome"] == "ok") <= (len(kept) == 2), f"{mix}: {end}"
    compare_sqlite(data / "market.db", expected_rows(pages))
    first = next(s for s in ok_slots(data) if s > over - SLOT * 1e6)
    assert first - over <= 2 * SLOT * 1e6, f"{mix}: no good poll within two slots"
