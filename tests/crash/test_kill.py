# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random moments under load, again and again, over one data directory."""
import json
import os
import random
import signal
import time

from gecko import Running, check_exactly_once, gecko, market_body
from server import Answer, PlainServer

ROUNDS = 60 if os.environ.get("GECKOTAPE_CRASH") == "full" else 8


def test_kill_at_random_loses_and_doubles_nothing(tmp_path):
    seed = int(os.environ.get("GECKOTAPE_SEED", random.randrange(2**32)))
    print(f"GECKOTAPE_SEED={seed}")
    dice = random.Random(seed)
    data = tmp_path / "data"

    def script(request):
        step = request.n // 2
        return Answer(body=market_body(250, step) if request.page == 1 else market_body(40, step, first=250),
                      delay=dice.choice([0, 0, 0.01]))

    options = ["--data", data, "--top", 300, "--every", "1s", "--api-rate", 100000, "--listen", "none",
               "--sink", f"sqlite:{data}/market.db", "--sink", f"json:{data}"]
    with PlainServer(script) as api:
        for _ in range(ROUNDS):
            with Running("run", "--api-url", api.url, *options) as run:
                run.expect("started")
                time.sleep(dice.uniform(0, 1.6))
                run.kill()
        # once with its own slot; then everything must be there
        gecko("once", "--api-url", api.url, "--data", data, "--top", 300, "--api-rate", 100000,
              "--sink", f"sqlite:{data}/market.db", "--sink", f"json:{data}", check=0)
    ends = check_exactly_once(data, json_dir=data)
    assert sum(e["outcome"] == "ok" for e in ends) >= 2, seed


def test_kill_of_several_jobs_and_reloads_loses_and_doubles_nothing(tmp_path):
    seed = int(os.environ.get("GECKOTAPE_SEED", random.randrange(2**32)))
    print(f"GECKOTAPE_SEED={seed}")
    dice = random.Random(seed)
    data = tmp_path / "data"
    jobs = {"one": {"top": 300, "every": "1s"}, "two": {"ids": ["a", "b"], "every": "1s"}, "three": {"top": 9, "every": "2s", "vs": "eur"}}

    def script(request):
        n = 2 if request.query.get("ids") else 250 if request.page == 1 else 50
        return Answer(body=market_body(n, request.n // 3, first=250 * (request.page - 1)), delay=dice.choice([0, 0, 0.01]))

    def configure(names):
        lines = [f"  {name}: {json.dumps(jobs[name])}" for name in names]
        (tmp_path / "geckotape.yaml").write_text("\n".join(["jobs:", *lines, ""]))

    sinks = ["--sink", f"sqlite:{data}/market.db", "--sink", f"json:{data}"]
    with PlainServer(script) as api:
        options = ["--api-url", api.url, "--data", data, "--api-rate", 100000, *sinks]
        for _ in range(ROUNDS):
            configure(dice.sample(sorted(jobs), dice.randint(1, 3)))
            with Running("run", *options, "--listen", "none", cwd=tmp_path) as run:
                run.expect("started")
                time.sleep(dice.uniform(0, 1))
                configure(dice.sample(sorted(jobs), dice.randint(1, 3)))
                run.process.send_signal(signal.SIGHUP)
                time.sleep(dice.choice([0, 0.01, 0.1, 1]))
                run.kill()
        # idle or not, every stream is loaded to its end
        configure(sorted(jobs))
        gecko("once", *options, cwd=tmp_path, check=0)
    ends = check_exactly_once(data, json_dir=data)
    for job in jobs:
        slots = [e["slot_us"] for e in ends if e["job"] == job and e["outcome"] in ("ok", "partial")]
        assert len(slots) == len(set(slots)) and slots, (job, seed)
