# SPDX-License-Identifier: Apache-2.0
"""However often it is killed, the tape counts every call that the server answered with 200, and few more."""
import os
import random
import threading
import time

from gecko import Running, gecko, market_body, records
from server import Answer, PlainServer, pages

JOBS = """jobs:
  a: {top: 500, every: 1s}
  b: {top: 100, every: 1s}
api: {budget: 1000000000, rate: 60000}
http: {listen: none}
"""
MARKET = pages([market_body(250), market_body(250, first=250), []])


def spent(data):
    last = {}
    for record in records(data):
        if record["type"] == "end":
            last[record["job"]] = record["credits_spent"]
    return sum(last.values())


def test_no_answer_is_forgotten_by_a_kill(tmp_path):
    dice = random.Random(seed := int(os.environ.get("GECKOTAPE_SEED", random.randrange(2**32))))
    print(f"GECKOTAPE_SEED={seed}")
    lock, answered, sent = threading.Lock(), [0], [0]

    def script(request):
        with lock:
            sent[0] += 1
            n = sent[0]
        time.sleep(0.02)  # so that kills hit requests under way
        if n % 7 == 0:
            return Answer(500, b"oops")
        with lock:
            answered[0] += 1  # charged, whether or not anybody reads it
        return MARKET(request)

    (tmp_path / "geckotape.yaml").write_text(JOBS)
    n_kills = 0
    with PlainServer(script) as api:
        args = ("run", "--api-url", api.url, "--data", tmp_path / "d", "--sink", "null:", "--config", tmp_path / "geckotape.yaml")
        for _ in range(12):
            with Running(*args) as run:
                run.expect("run: started")
                time.sleep(dice.uniform(0.0, 0.6))
                run.kill()
                n_kills += 1
        with Running(*args) as run:  # charges the last kill
            run.expect("run: started")
            assert run.stop() == 0
        time.sleep(0.1)
    counted = spent(tmp_path / "d")
    print(f"{answered[0]} answered, {counted} counted, {n_kills} kills")
    assert answered[0] <= counted <= sent[0] + 2 * n_kills + 2
    assert gecko("tape", "verify", "--data", tmp_path / "d").returncode == 0
