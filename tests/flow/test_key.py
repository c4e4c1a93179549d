# SPDX-License-Identifier: Apache-2.0
"""Keys and plans as a user meets them: the key is asked for before the first poll, by a plain server and by the simulator, which
knows CoinGecko's plans."""
import contextlib
import json
import urllib.error

import pytest
from gecko import Running, clean_env, gecko, get, market_body, records, wait_for
from server import Answer, PlainServer, pages

KEY = "CG-s3cr3ts3cr3ts3cr3t"
MARKET = pages([market_body(20)])
REFUSAL = Answer(401, b'{"status":{"timestamp":"x","error_code":10002,"error_message":"API Key Missing"}}')
PAID = b'{"plan":"Analyst","rate_limit_request_per_minute":500,"monthly_call_credit":1000,"current_remaining_monthly_calls":996}'


def not_ready(port):
    try:
        get(port, "/readyz")
    except urllib.error.HTTPError as refusal:
        return refusal.read().decode()
    return ""


def nothing_holds_the_key(data, output):
    assert "s3cr3t" not in output
    for file in data.rglob("*"):
        assert not file.is_file() or b"s3cr3t" not in file.read_bytes(), file


@contextlib.contextmanager
def simulator(*args):
    with Running("simulate", "--coins", 300, "--listen", "127.0.0.1:0", *args) as run:
        yield f"http://127.0.0.1:{run.port()}/api/v3"


def run_once(url, data, plan, *args, key=KEY, check=0):
    return gecko("once", "--top", 20, "--api-url", url, "--data", data, "--api-plan", plan, "--api-rate", 6000, *args,
                 env=clean_env(GECKOTAPE_API_KEY=key), check=check)


def test_a_key_that_is_refused_is_an_error_until_a_poll_succeeds_and_stops_nothing(tmp_path):
    state = {"is_good": False}

    def script(request):
        return MARKET(request) if state["is_good"] else REFUSAL

    with PlainServer(script) as api, \
            Running("run", "--api-url", api.url, "--data", tmp_path, "--api-plan", "demo", "--top", 20, "--every", "1s", "--api-rate",
                    6000, "--listen", "127.0.0.1:0", env=clean_env(GECKOTAPE_API_KEY=KEY)) as run:
        mend = "the API key is missing or wrong: check GECKOTAPE_API_KEY and --api-plan"
        run.expect(r'ERROR extract: the API refuses the key; polls try it all the same error="HTTP 401 \(10002\): .*' + mend)
        port = run.port()
        wait_for(lambda: f"API key: HTTP 401 (10002): API Key Missing; {mend}" in not_ready(port), what="a reason")
        assert mend in gecko("status", "--data", tmp_path).stdout
        key = json.loads(get(port, "/api/status"))["key"]
        assert key["checked"] and not key["good"] and mend in key["trouble"]
        state["is_good"] = True
        wait_for(lambda: not not_ready(port), what="readiness")
        assert run.stop() == 0
        nothing_holds_the_key(tmp_path, run.output)


def test_a_key_that_is_ignored_is_told(tmp_path):
    with PlainServer(MARKET) as api:
        done = run_once(api.url, tmp_path, "demo")
    assert "ERROR extract: the API ignores the key; polls go on without it" in done.stderr
    assert "look for a proxy that removes x-cg-demo-api-key" in done.stderr
    nothing_holds_the_key(tmp_path, done.stdout + done.stderr)


def test_what_a_paid_plan_has_sets_the_pace_and_is_shown(tmp_path):
    with PlainServer(lambda r: Answer(body=PAID) if r.path == "/key" else MARKET(r)) as api, \
            Running("run", "--api-url", api.url, "--data", tmp_path, "--api-plan", "pro", "--top", 20, "--every", "1s",
                    "--listen", "127.0.0.1:0", env=clean_env(GECKOTAPE_API_KEY=KEY)) as run:
        run.expect("the API key is good plan=Analyst calls_per_minute=500 credits=1000 credits_left=996")
        port = run.port()
        wait_for(lambda: not not_ready(port), what="readiness")
        assert json.loads(get(port, "/api/status"))["key"]["credits_left"] == 996
        assert "good  plan Analyst  500 calls a minute  996 of 1000" in gecko("status", "--data", tmp_path).stdout
        assert run.stop() == 0
        nothing_holds_the_key(tmp_path, run.output)


def test_a_key_whose_check_nobody_answers_is_a_warning(tmp_path):
    with PlainServer(lambda r: Answer(503, b"down") if r.path == "/ping" else MARKET(r)) as api:
        done = run_once(api.url, tmp_path, "demo")
    assert "WARN  extract: the API says nothing about the key" in done.stderr


@pytest.mark.parametrize("sim, plan, key, code, words", [
    ("demo", "demo", KEY, 0, "the API key is good"),
    ("demo", "demo", "CG-invalidinvalid", 78, "the API refuses the key"),
    ("analyst", "analyst", KEY, 0, "the API key is good"),
    ("basic", "demo", KEY, 78, "a Demo key belongs to the public host: --api-plan demo"),
    ("demo", "lite", KEY, 78, "a Pro key belongs to the Pro host: --api-plan pro"),
    ("none", "demo", KEY, 0, "the API ignores the key"),
])
def test_the_simulated_plans_tell_good_keys_from_others(tmp_path, sim, plan, key, code, words):
    with simulator("--plan", sim) as url:
        done = run_once(url, tmp_path, plan, key=key, check=code)
    assert words in done.stderr
    assert [r["outcome"] for r in records(tmp_path) if r["type"] == "end"] == ["ok" if code == 0 else "failed"]


def test_a_simulator_of_our_own_is_not_asked_about_the_key(tmp_path):
    done = gecko("once", "--simulate", "--data", tmp_path, "--api-plan", "demo", env=clean_env(GECKOTAPE_API_KEY=KEY), check=0)
    assert "the key" not in done.stderr
