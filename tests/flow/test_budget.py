# SPDX-License-Identifier: Apache-2.0
"""A budget of calls: slots are left out so that it lasts, a kill is charged, and nothing is asked beyond it."""
import json
import signal
import urllib.error

from gecko import Running, clean_env, gecko, get, market_body, records, wait_for
from server import Answer, PlainServer, pages

KEY = "CG-s3cr3ts3cr3ts3cr3t"
MARKET = pages([market_body(20)])


def simulated(data, *args):
    return Running("run", "--simulate", "--data", data, "--top", 20, "--every", "1s", "--listen", "127.0.0.1:0", *args)


def ends(data):
    return [r for r in records(data) if r["type"] == "end"]


def test_slots_are_left_out_and_promised_none_over_restarts(tmp_path):
    with simulated(tmp_path, "--api-budget", 20) as run:
        port = run.port()
        wait_for(lambda: json.loads(get(port, "/api/status"))["jobs"][0]["last_outcome"] == "ok", what="a poll")
        status = json.loads(get(port, "/api/status"))
        text = gecko("status", "--data", tmp_path).stdout
        metrics = get(port, "/metrics").decode()
        assert run.stop() == 0
    budget, job = status["budget"], status["jobs"][0]
    assert budget["calls"] == 20 and budget["own"] == 1 and budget["runs_out"] < budget["until"]
    assert 0 < job["share"] < 1 and job["next_due"] > job["last_slot"]
    assert "1 of 20 calls spent" in text and "the budget leaves one slot in" in text
    assert "geckotape_budget_calls 20" in metrics and 'geckotape_budget_spent_calls{spender="own"} 1' in metrics
    with simulated(tmp_path, "--api-budget", 20) as run:
        port = run.port()
        again = json.loads(get(port, "/api/status"))
        assert run.stop() == 0
    assert again["budget"]["own"] == 1 and again["jobs"][0]["next_due"] <= job["next_due"]
    end, = ends(tmp_path)
    assert end["skipped"] > 0 and end["credits_spent"] == 1


def test_a_kill_is_charged_for_the_request_that_may_have_been_under_way_once(tmp_path):
    run = simulated(tmp_path, "--api-budget", 20)
    with run:
        port = run.port()
        wait_for(lambda: json.loads(get(port, "/api/status"))["jobs"][0]["last_outcome"] == "ok", what="a poll")
        run.process.send_signal(signal.SIGKILL)
        run.process.wait()
    gecko("tape", "prune", "--data", tmp_path, "--dry-run", "--keep", "30d")  # has the tape in between, and charges nothing
    for _ in range(2):
        with simulated(tmp_path, "--api-budget", 20) as run:
            port = run.port()
            assert json.loads(get(port, "/api/status"))["budget"]["own"] == 2
            assert run.stop() == 0
    _, charge = ends(tmp_path)
    assert charge["outcome"] == "aborted" and charge["credits_spent"] == 2 and "charged" in charge["error"]


def test_what_others_spent_with_the_key_stops_the_polls_with_the_reason(tmp_path):
    asked = []

    def script(request):
        asked.append(request.path)
        if request.path.endswith("/key"):
            return Answer(200, b'{"plan":"Basic","rate_limit_request_per_minute":250,"monthly_call_credit":1000,'
                               b'"current_total_monthly_calls":1000,"current_remaining_monthly_calls":0}')
        return MARKET(request)

    def reasons(port):
        try:
            get(port, "/readyz")
        except urllib.error.HTTPError as refusal:
            return refusal.read().decode()
        return ""

    with PlainServer(script) as api, \
            Running("run", "--api-url", api.url, "--data", tmp_path, "--api-plan", "pro", "--top", 20, "--every", "1s", "--api-rate", 6000,
                    "--listen", "127.0.0.1:0", env=clean_env(GECKOTAPE_API_KEY=KEY)) as run:
        port = run.port()
        wait_for(lambda: "the budget of 1000 calls since" in reasons(port), what="the reason")
        assert "by others with this key; it goes on at" in reasons(port)
        text = gecko("status", "--data", tmp_path).stdout
    assert "1000 of 1000 calls spent" in text and "by others with this key" in text
    assert all(path.endswith("/key") for path in asked)
    end, = ends(tmp_path)
    assert end["outcome"] == "failed" and end["attempts"] == 0 and end["next_due"] > end["slot"]


def test_calls_that_are_refused_are_a_reason_to_ask_what_is_left(tmp_path):
    asked = []

    def script(request):
        asked.append(request.path.rsplit("/", 1)[-1].split("?")[0])
        if request.path.endswith("/key"):
            left = 500 if asked.count("key") == 1 else 0
            return Answer(200, b'{"plan":"Basic","rate_limit_request_per_minute":250,"monthly_call_credit":1000,'
                               b'"current_remaining_monthly_calls":%d}' % left)
        return Answer(429, b'{"status":{"error_code":429,"error_message":"You\'ve exceeded the Rate Limit."}}', {"Retry-After": "0"})

    with PlainServer(script) as api, \
            Running("run", "--api-url", api.url, "--data", tmp_path, "--api-plan", "pro", "--top", 20, "--every", "1s", "--api-rate", 6000,
                    "--listen", "127.0.0.1:0", env=clean_env(GECKOTAPE_API_KEY=KEY)) as run:
        run.expect("no call is left in this period: polls go on with the next one own=[12] others=99[89]")
        n = len(asked)
        text = gecko("status", "--data", tmp_path).stdout
        assert "1000 of 1000 calls spent, 99" in text and "by others with this key" in text and "nothing is polled until then" in text
        assert run.stop() == 0
    assert asked.count("key") == 2 and len(asked) <= n + 1


def test_check_tells_what_the_budget_leaves_and_refuses_what_never_fits(tmp_path):
    out = gecko("check", "--api-plan", "demo", "--format", "json", cwd=tmp_path, env=clean_env(GECKOTAPE_API_KEY=KEY), check=0)
    report = json.loads(out.stdout)
    assert report["budget"] == {"calls": 10000, "day": 1, "jobs_calls": 86400, "days_without_leaving_out": 3.5}
    assert report["jobs"][0]["polls_kept"] == 10000 and "only one slot in 8.6 is polled; every 5m fits whole" in out.stderr
    assert not gecko("check", "--api-plan", "demo", "--every", "5m", cwd=tmp_path, env=clean_env(GECKOTAPE_API_KEY=KEY), check=0).stderr
    refused = gecko("check", "--all", "--every", "1h", "--api-budget", 60, "--api-rate", 600, cwd=tmp_path, check=2).stderr
    assert "one poll of markets-usd-all takes 70 calls, and the budget is 60" in refused
    (tmp_path / "geckotape.yaml").write_text(
        "jobs:\n  big: {top: 10, every: 1m, priority: 9}\n  small: {top: 10, every: 1h, priority: 1}\napi: {budget: 5000}\n")
    refused = gecko("check", cwd=tmp_path, check=78).stderr
    assert "geckotape.yaml:3: jobs.small: the budget of 5000 calls leaves no poll of small" in refused and "12h" in refused
    (tmp_path / "geckotape.yaml").write_text("api: {budget: 10k, budget_day: 32}\n")
    refused = gecko("check", cwd=tmp_path, check=78).stderr
    assert 'api.budget_day: "32" is not a number from 1 to 31' in refused
