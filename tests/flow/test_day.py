# SPDX-License-Identifier: Apache-2.0
"""Opt-in (make day): HOURS of two processes, simulator and collector, whose clocks run SPEED times as fast by faketime, to the end of a billing period.
The program knows of nothing: all that it waits for and by, libfaketime answers. Calls that are spent, the minute's limit, promises, gaps."""
import json
import os
import time
from collections import Counter
from datetime import datetime, timedelta

import pytest
from gecko import FAKETIME, IS_SANITIZED, Running, clean_env, database, gecko, get, wait_for

HOURS = float(os.environ.get("GECKOTAPE_HOURS", "1"))
SPEED = int(os.environ.get("GECKOTAPE_SPEED", "60"))
LIMIT = 100  # calls a minute of the plan demo
PERIOD_ENDS = datetime(2026, 12, 1)
BEGINS = PERIOD_ENDS - timedelta(hours=HOURS)

pytestmark = [pytest.mark.skipif(not FAKETIME, reason="faketime is not installed"),
              pytest.mark.skipif(IS_SANITIZED, reason="faketime does not go with sanitizers")]


class FastClock:
    def __init__(self):
        self.began = time.monotonic()

    def now(self):
        return BEGINS + timedelta(seconds=(time.monotonic() - self.began) * SPEED)

    def env(self, **more):
        """Of a process that starts now. Whole seconds: so clocks differ by some, as they do."""
        return clean_env(LD_PRELOAD=FAKETIME[0], FAKETIME=f"@{self.now():%Y-%m-%d %H:%M:%S} x{SPEED}", TZ="UTC", **more)


def headers(data, job):
    return [json.loads(line) for line in gecko("tape", "cat", "--headers", "--job", job, "--data", data, check=0).stdout.splitlines()]


def at(text):
    return datetime.fromisoformat(text.removesuffix("Z"))


def most_in_a_minute(times):
    times = sorted(times)
    return max(sum(1 for t in times[i:i + LIMIT + 1] if t - first < timedelta(minutes=1)) for i, first in enumerate(times))


def longest_pause(pauses, until):
    """What this machine did to the clock: a pause of the test is one of everybody."""
    while time.monotonic() < until:
        before = time.monotonic()
        time.sleep(0.02)
        pauses.append(time.monotonic() - before - 0.02)
        yield


def test_a_day_to_the_end_of_the_period(tmp_path):
    data, clock = tmp_path / "data", FastClock()
    budget = int(HOURS * 42)  # of 60 + 16 an hour that the jobs want
    tmp_path.joinpath("geckotape.yaml").write_text(
        "jobs:\n  top-usd: {top: 250, every: 1m}\n  wide-eur: {top: 1000, vs: eur, every: 15m}\n"
        f"api: {{plan: demo, budget: {budget}}}\nsinks: ['sqlite:{data}/market.db']\n")
    pauses = [0]
    with Running("simulate", "--plan", "demo", "--credits", budget, "--listen", "127.0.0.1:0", env=clock.env()) as sim:
        url = f"http://127.0.0.1:{sim.port()}/api/v3"
        with Running("run", "--config", tmp_path / "geckotape.yaml", "--api-url", url, "--data", data, "--listen", "127.0.0.1:0",
                     env=clock.env(GECKOTAPE_API_KEY="CG-day")) as run:
            port = run.port()
            for _ in longest_pause(pauses, clock.began + (HOURS * 3600 - 30) / SPEED):
                assert run.process.poll() is None, run.read()
            status = json.loads(get(port, "/api/status"))
            wait_for(lambda: all(sink["lag"] == 0 for sink in json.loads(get(port, "/api/status"))["sinks"]), what="the sink")
            assert run.stop() == 0, run.output
        assert sim.stop() == 0
    records = {job: headers(data, job) for job in ("top-usd", "wide-eur")}
    pages = [r for of in records.values() for r in of if r["type"] == "page"]
    ends = [r for of in records.values() for r in of if r["type"] == "end"]
    late = sorted((at(r["started"]) - at(r["slot"])).total_seconds() for r in ends)
    with database(data) as db:
        gaps = db.execute("select name from gap join job using (job_id) where until_slot is not null").fetchall()
    spent = sum(max(r["credits_spent"] for r in of if r["type"] == "end") for of in records.values())
    figures = {"hours": HOURS, "speed": SPEED, "budget": budget, "spent": spent, "spent/budget": round(spent / budget, 4), "own": status["budget"]["own"],
               "polls": dict(Counter(f"{r['job']} {r['outcome']}" for r in ends)), "statuses": dict(Counter(r["status"] for r in pages)),
               "most in a minute": most_in_a_minute([at(r["fetched_at"]) for r in pages]), "gaps": len(gaps),
               "errors": [r["error"] for r in ends if r["error"]], "late_s": {"median": late[len(late) // 2], "p99": late[len(late) * 99 // 100], "most": late[-1]},
               "longest pause of this machine, of the fast clock": round(max(pauses) * SPEED, 1)}
    print(figures)
    assert spent == status["budget"]["own"] and 0 <= budget - spent <= max(0.03 * budget, 6), figures
    assert figures["statuses"] == {200: len(pages)} and figures["most in a minute"] <= LIMIT, figures
    assert not gaps and all(r["outcome"] == "ok" for r in ends), figures
