# SPDX-License-Identifier: Apache-2.0
"""A budget of calls: slots are left out so that it lasts, a kill is charged, and nothing is asked beyond it."""
import json
import re
import signal
import urllib.error
import urllib.request

import pytest
from gecko import PATIENCE, Running, clean_env, gecko, get, market_body, records, wait_for
from server import Answer, PlainServer, pages

KEY = "CG-s3cr3ts3cr3ts3cr3t"
MARKET = pages([market_body(20)])


def simulated(data, *args, **more):
    return Running("run", "--simulate", "--data", data, "--top", 20, "--every", "1s", "--listen", "127.0.0.1:0", *args, **more)


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
    (tmp_path / "geckotape.yaml").write_text(
        "jobs:\n  fast: {top: 10, every: 1m}\n  rare: {top: 500, cron: '0 12 15 * *'}\napi: {budget: 5000}\n")
    report = json.loads(gecko("check", "--format", "json", cwd=tmp_path, check=0).stdout)  # its first slot of a period is never left out
    assert [job["polls_kept"] for job in report["jobs"]][1] == 1
    (tmp_path / "geckotape.yaml").write_text("api: {budget: 10k, budget_day: 32}\n")
    refused = gecko("check", cwd=tmp_path, check=78).stderr
    assert 'api.budget_day: "32" is not a number from 1 to 31' in refused


def backfill(data, url, *args, **more):
    return gecko("backfill", "bitcoin", "ethereum", "--granularity", "daily,hourly", "--api-url", url, "--api-plan", "demo", "--api-rate", 100000, "--data",
                 data, *args, env=clean_env(GECKOTAPE_API_KEY=KEY), **more)


def charts(data):
    return [r for r in records(data) if r["type"] == "page" and "market_chart" in r["target"]]


def demo():
    return Running("simulate", "--listen", "127.0.0.1:0", "--plan", "demo", "--limit", 1000000, "--coins", 30)


def left(text):
    """What a plan says that the budget has."""
    return int(re.search(r"the budget has (\d+) of \d+ calls left until 20", text)[1])


def test_a_backfill_stops_where_the_budget_does_and_goes_on_with_more(tmp_path):
    with demo() as sim:
        url = f"http://127.0.0.1:{sim.port()}/api/v3"
        done = backfill(tmp_path, url, "--api-budget", 8, "--yes")
        n = left(done.stdout)
        assert 3 <= n <= 6 and "12 calls" in done.stdout and "no job is polled here: it does not fit" in done.stdout
        assert f"it stops at {n} calls; what fits: " in done.stdout and "--granularity daily alone (2 calls), a shorter span, or the rest" in done.stdout
        assert done.returncode == 75 and "the budget of 8 calls is spent until 20" in done.stderr and "goes on where it was" in done.stderr
        assert f"{n} of 12 charts are on the tape" in done.stdout and len(charts(tmp_path)) == n
        again = backfill(tmp_path, url, "--api-budget", 8, "--yes")
        assert again.returncode == 75 and left(again.stdout) == 0 and len(charts(tmp_path)) == n
        assert all(r["outcome"] == "ok" for r in ends(tmp_path))  # nothing was tried in vain
        done = backfill(tmp_path, url, "--api-budget", 30, "--yes", check=0)
        assert ": it fits" in done.stdout and len(charts(tmp_path)) == 12


def test_a_backfill_leaves_the_jobs_what_they_want(tmp_path):
    def collector(budget, every):
        return Running("run", "--api-url", url, "--api-plan", "demo", "--api-rate", 100000, "--data", tmp_path, "--top", 20, "--every", every, "--listen",
                       "127.0.0.1:0", "--api-budget", budget, env=clean_env(GECKOTAPE_API_KEY=KEY))

    def budget(run):
        port = run.port()
        return wait_for(lambda: (s := json.loads(get(port, "/api/status")))["jobs"][0]["last_outcome"] == "ok" and s["budget"], what="a poll")

    with demo() as sim:
        url = f"http://127.0.0.1:{sim.port()}/api/v3"
        with collector(100000, "1h") as run:
            budget(run)
            fits = backfill(tmp_path, url, "--dry-run", check=0).stdout
            before = budget(run)
            assert run.stop() == 0
        wanted = before["wanted"] + 1  # and the poll that may be under way
        assert f"the jobs here want {wanted} of them: it fits\n" in fits
        with collector(before["own"] + wanted + 6, "1h") as run:  # the key's call is one of them
            budget(run)
            done = backfill(tmp_path, url, "--yes")
            now = budget(run)
            assert run.stop() == 0
        kept = int(re.search(r"the jobs here want (\d+) of them: it does not fit\n", done.stdout)[1])
        n = left(done.stdout) - kept
        assert done.returncode == 75 and 4 <= n <= 7 and wanted - 1 <= kept <= wanted  # an hour may begin meanwhile
        assert f"the budget keeps the {kept} calls that are left until 20" in done.stderr and f"{n} of 12 charts are on the tape" in done.stdout
        assert len(charts(tmp_path)) == n and kept - 1 <= now["calls"] - now["own"] <= kept
        with collector(now["own"] + 51, "1s") as run:  # which wants more than there is
            budget(run)
            done = backfill(tmp_path, url, "--yes")
            assert run.stop() == 0
        assert done.returncode == 75 and "it does not fit" in done.stdout and 3 <= len(charts(tmp_path)) - n <= 5


def test_a_poll_that_no_call_is_left_for_is_refused_and_not_tried(tmp_path):
    token = "a-token-of-16-bytes"
    with simulated(tmp_path, "--api-budget", 3, env=clean_env(GECKOTAPE_HTTP_TOKEN=token)) as run:
        port = run.port()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/polls", method="POST", data=b"", headers={"Authorization": f"Bearer {token}"})
        for n in (1, 2, 3):
            wait_for(lambda n=n: json.loads(get(port, "/api/status"))["budget"]["own"] == n, what="a poll")
            if n < 3:
                assert urllib.request.urlopen(request, timeout=PATIENCE).status == 202
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(request, timeout=PATIENCE)
        assert refusal.value.code == 429 and 0 < int(refusal.value.headers["Retry-After"]) <= 3601
        assert "the budget of 3 calls is spent: nothing is polled until 20" in refusal.value.read().decode()
        now = gecko("run-now", "--data", tmp_path)
        assert now.returncode == 75 and "the budget of 3 calls is spent" in now.stderr
        assert run.stop() == 0
    assert [end["outcome"] for end in ends(tmp_path)] == ["ok"] * 3
