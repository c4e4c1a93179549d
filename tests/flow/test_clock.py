# SPDX-License-Identifier: Apache-2.0
"""The real binary with a wall clock that is wrong and jumps, by faketime; the monotonic one is left alone."""
import time
import urllib.error

import pytest
from gecko import FAKETIME, IS_SANITIZED, Running, check_exactly_once, database, fake_clock, get, market_body, records, wait_for
from server import PlainServer, pages

pytestmark = [pytest.mark.skipif(not FAKETIME, reason="faketime is not installed"),
              pytest.mark.skipif(IS_SANITIZED, reason="faketime does not go with sanitizers")]


class Clock:
    def __init__(self, path):
        self.path = path

    def set(self, text):
        new = self.path.with_suffix(".new")
        new.write_text(text + "\n")
        new.rename(self.path)

    def env(self):
        return fake_clock(FAKETIME_TIMESTAMP_FILE=str(self.path))


def ends(data, outcome):
    return [r for r in records(data) if r["type"] == "end" and r["outcome"] == outcome]


def not_ready(port):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        get(port, "/readyz")
    return refusal.value.read().decode()


def test_a_machine_that_boots_in_1970_and_jumps_to_2030_and_back_records_true_times_once(tmp_path):
    clock, data = Clock(tmp_path / "clock"), tmp_path / "data"
    started = time.time()
    clock.set("@1970-01-02 00:00:00")
    with PlainServer(pages([market_body(50)])) as api:
        began = time.monotonic()
        with Running("run", "--api-url", api.url, "--data", data, "--top", 50, "--every", "1s", "--api-rate", 6000,
                     "--listen", "127.0.0.1:0", env=clock.env()) as run:
            port = run.port()
            wait_for(lambda: len(ends(data, "failed")) >= 2, what="polls that the clock fails")
            assert not ends(data, "ok")
            assert "clock: the API says 20" in not_ready(port) and "set this machine's clock" in not_ready(port)
            for moment in ("+0", "@2030-06-01 12:00:00", "+0"):
                n_ok, n_failed = len(ends(data, "ok")), len(ends(data, "failed"))
                clock.set(moment)
                if moment == "+0":
                    wait_for(lambda n=n_ok: len(ends(data, "ok")) >= n + 2, what="good polls")
                    assert get(port, "/readyz")
                else:
                    wait_for(lambda n=n_failed: len(ends(data, "failed")) >= n + 2, what="failed polls again")
                    assert len(ends(data, "ok")) <= n_ok + 1
            assert run.stop() == 0
        took = time.monotonic() - began
    check_exactly_once(data, json_dir=data)
    slots = [r["slot_us"] for r in ends(data, "ok")]
    assert slots == sorted(set(slots))
    assert len(api.requests) <= took + 5, "a burst"
    with database(data) as db:
        times = [t for row in db.execute("select slot, fetched_at from market") for t in row]
    assert times and all(started - 2 <= t / 1e6 <= time.time() for t in times)
