# SPDX-License-Identifier: Apache-2.0
"""geckotape simulate: faults, plans, and a tape played again, over HTTP."""
import calendar
import concurrent.futures
import contextlib
import gzip
import http.client
import json
import re
import time

import pytest
from gecko import PATIENCE, Running, gecko, market_body, wait_for

MARKETS = "/api/v3/coins/markets?vs_currency=usd&per_page=250"
START = 1704067200  # 2024-01-01T00:00:00Z


def ask(port, path=MARKETS, **headers):
    """Status, headers and the body as it came."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as connection:
        connection.request("GET", path, headers={"User-Agent": "test", **{k.replace("_", "-"): v for k, v in headers.items()}})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def simulate(*args):
    return Running("simulate", "--listen", "127.0.0.1:0", *args)


# ---- faults ----


def test_help_names_every_fault_and_every_plan():
    text = gecko("simulate", "--help", check=0).stdout
    for name in ("429date", "backend", "rehypo", "10012", "badquote", "reset"):
        assert re.search(rf"^  {name} +\S", text, re.MULTILINE), name
    assert re.search(r"^  demo +api.coingecko.com, 100 calls a minute, 10000 credits a month$", text, re.MULTILINE)


def test_a_reset_comes_before_any_answer():
    with simulate("--fault", "reset:until=1") as sim:
        port = sim.port()
        with pytest.raises(ConnectionResetError):
            ask(port)
        assert ask(port)[0] == 200


def test_a_body_is_shorter_than_promised():
    with simulate("--fault", "length") as sim:
        with pytest.raises(http.client.IncompleteRead) as caught:
            ask(sim.port())
        json.loads(caught.value.partial)  # all of it, and yet not what was promised
        assert caught.value.expected == 100


def test_a_gzip_stream_ends_early():
    with simulate("--fault", "gzip") as sim:
        _, headers, body = ask(sim.port(), Accept_Encoding="gzip")
        assert headers["Content-Encoding"] == "gzip" and int(headers["Content-Length"]) == len(body)
        with pytest.raises(EOFError):
            gzip.decompress(body)


def test_a_slow_answer_comes_whole_to_who_waits_and_again_to_who_does_not(tmp_path):
    with simulate("--fault", "slow:until=2") as sim, concurrent.futures.ThreadPoolExecutor() as pool:
        port = sim.port()
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as patient:
            patient.request("GET", MARKETS, headers={"User-Agent": "test"})  # before the other asks
            begun = time.monotonic()
            whole = pool.submit(lambda: (patient.getresponse().read(), time.monotonic() - begun))
            done = gecko("once", "--api-url", f"http://127.0.0.1:{port}/api/v3", "--data", tmp_path, "--api-timeout", "3s", "--api-rate", 6000, check=0)
            body, took = whole.result()
    assert len(json.loads(body)) == 250 and took >= 5
    assert "250 rows" in done.stdout
    end = json.loads(gecko("tape", "cat", "--headers", "--data", tmp_path, check=0).stdout.splitlines()[-1])
    assert end["outcome"] == "ok" and end["attempts"] > 1, "what came too late was asked for again"


def test_faults_add_up_and_end_in_time():
    with simulate("--fault", "newfield:for=8s", "--fault", "renamed:for=8s") as sim:
        port = sim.port()
        first = json.loads(ask(port)[2])[0]
        assert "liquidity_score" in first and "volume_24h" in first and "total_volume" not in first
        wait_for(lambda: "total_volume" in json.loads(ask(port)[2])[0], what="the end of the faults")


def test_lots_are_the_same_for_a_seed():
    def drawn(seed):
        with simulate("--fault", "500:rate=0.4", "--seed", seed, "--coins", 10) as sim:
            port = sim.port()
            return [ask(port, "/api/v3/ping")[0] for _ in range(40)]

    first = drawn(1)
    assert {200, 500} == set(first) and 5 < first.count(500) < 28
    assert drawn(1) == first and drawn(2) != first


def test_a_fault_that_is_none_is_refused_with_all_that_are():
    done = gecko("simulate", "--fault", "smoke")
    assert done.returncode == 2 and "known: 400 403" in done.stderr and "backend" in done.stderr


# ---- plans ----


def test_a_demo_account_has_its_pace_and_its_credits():
    key = {"x-cg-demo-api-key": "CG-test"}
    with simulate("--plan", "demo", "--credits", 3, "--limit", 6, "--coins", 10) as sim:
        port = sim.port()
        assert [ask(port, "/api/v3/ping", **key)[0] for _ in range(2)] == [200, 200]
        assert ask(port, "/api/v3/ping", x_cg_demo_api_key="CG-invalid")[0] == 401
        assert ask(port, "/api/v3/ping?x_cg_demo_api_key=CG-other")[0] == 200
        status, headers, body = ask(port, "/api/v3/ping", **key)
        assert status == 429 and headers["Retry-After"] is None, "the credits are spent"
        assert json.loads(body)["status"]["error_code"] == 429
        ask(port, "/api/v3/ping", **key)
        status, headers, _ = ask(port, "/api/v3/ping", **key)
        assert status == 429 and headers["Retry-After"] == "60", "every answer counts to the minute"


def test_a_pro_host_tells_demo_keys_where_to_go():
    with simulate("--plan", "analyst", "--coins", 10) as sim:
        port = sim.port()
        status, _, body = ask(port, "/api/v3/ping", x_cg_demo_api_key="CG-test")
        assert status == 400 and json.loads(body)["error_code"] == 10011
        assert ask(port, "/api/v3/ping")[0] == 401
        assert ask(port, "/api/v3/ping", x_cg_pro_api_key="CG-test")[0] == 200


def test_an_answer_is_not_sent_to_who_has_it():
    with simulate("--plan", "demo") as sim:
        port = sim.port()
        _, headers, body = ask(port)
        again, headers_again, nothing = ask(port, If_None_Match=headers["ETag"])
        assert (again, nothing) == (304, b"") and headers_again["CF-Cache-Status"] == "HIT" and body
        assert int(headers_again["Age"]) >= 0


# ---- a tape ----


def exact(body):
    """Rows by id, numbers as they are written."""
    return {row["id"]: row for row in json.loads(body, parse_float=str, parse_int=str)}


def stamp(hour):
    return time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(START + hour * 3600))


@pytest.fixture(name="data")
def tape_of_five_hours(tmp_path):
    """Polls at 0, 1, 2, 3 and 4 o'clock."""
    source = tmp_path / "raw"
    source.mkdir()
    for hour in range(5):
        (source / f"market_{stamp(hour)}.json").write_bytes(market_body(30, hour))
    gecko("import", source, "--data", tmp_path / "data", check=0)
    return tmp_path / "data"


def hour_of(headers):
    """The hour whose poll is the last that the moment of the answer can know."""
    at = time.strptime(headers["X-Simulated-Time"][:19], "%Y-%m-%dT%H:%M:%S")
    return min(int((calendar.timegm(at) - START) // 3600), 4)


@pytest.mark.parametrize("at, hour", [("", 0), ("2024-01-01T00:30:00Z", 0), ("2024-01-01T02:00:00Z", 2), ("2024-01-01T03:59:00Z", 3),
                                      ("2024-02-01", 4)])
def test_a_tape_answers_what_it_knew_then(data, at, hour):
    with simulate("--from", f"tape:{data}", *(["--at", at] if at else [])) as sim:
        port = sim.port()
        status, headers, body = ask(port)
        assert status == 200 and headers["X-Simulated"] == "geckotape"
        assert exact(body) == exact(market_body(30, hour)), "the rows of the poll, digit for digit"
        assert "REPLAYED" in sim.read() and b"REPLAYED" in ask(port, "/")[2]
        price = json.loads(ask(port, "/api/v3/simple/price?ids=coin-3,coin-4&vs_currencies=usd")[2], parse_float=str, parse_int=str)
        assert price == {f"coin-{i}": {"usd": exact(body)[f"coin-{i}"]["current_price"]} for i in (3, 4)}
        assert json.loads(ask(port, "/api/v3/simple/supported_vs_currencies")[2]) == ["usd"]
        assert [c["id"] for c in json.loads(ask(port, "/api/v3/coins/list")[2])] == sorted(f"coin-{i}" for i in range(30))


def test_time_moves_on_without_a_look_ahead(data):
    seen = set()
    with simulate("--from", f"tape:{data}", "--speed", 7200) as sim:
        port = sim.port()

        def is_over():
            _, headers, body = ask(port)
            hour = hour_of(headers)
            assert exact(body) == exact(market_body(30, hour)), f"not what was known at {headers['X-Simulated-Time']}"
            seen.add(hour)
            return hour == 4

        wait_for(is_over, what="the end of the tape")
        assert len(seen) > 1
        sim.expect("the tape is over")
        is_over()
        assert sim.read().count("the tape is over") == 1


def test_a_tape_that_is_still_written_goes_on(data, tmp_path):
    with simulate("--from", f"tape:{data}", "--at", "2024-02-01") as sim:
        port = sim.port()
        assert exact(ask(port)[2]) == exact(market_body(30, 4))
        (tmp_path / "raw" / f"market_{stamp(5)}.json").write_bytes(market_body(30, 5))
        gecko("import", tmp_path / "raw", "--data", data, check=0)
        assert exact(ask(port)[2]) == exact(market_body(30, 5))


def test_faults_and_plans_are_those_of_a_tape_too(data):
    with simulate("--from", f"tape:{data}", "--plan", "demo", "--fault", "bogus") as sim:
        port = sim.port()
        rows = json.loads(ask(port)[2])
        assert rows[0]["id"] == "kpk-eth-prime" and len(rows) == 31
        assert ask(port, MARKETS, x_cg_pro_api_key="CG-test")[0] == 400


def test_what_was_collected_is_served_again(tmp_path):
    gecko("once", "--simulate", "--data", tmp_path, "--coins", 300, check=0)
    raw = gecko("tape", "cat", "--data", tmp_path, check=0).stdout
    with simulate("--from", f"tape:{tmp_path}") as sim:
        assert exact(ask(sim.port())[2]) == exact(raw)


def test_coins_leave_the_list_of_a_tape_before_it_is_cut_into_pages(tmp_path):
    gecko("once", "--simulate", "--data", tmp_path, "--coins", 300, check=0)
    raw = json.loads(gecko("tape", "cat", "--data", tmp_path, check=0).stdout)
    with simulate("--from", f"tape:{tmp_path}", "--fault", "rehypo") as sim:
        port = sim.port()
        pages = [json.loads(ask(port, f"/api/v3/coins/markets?vs_currency=usd&per_page=100&page={page}")[2]) for page in (1, 2, 3, 4)]
    listed = [row["id"] for page in pages for row in page]
    gone = {row["id"] for row in raw} - set(listed)
    assert [len(page) for page in pages] == [100, 100, 50 - len(gone), 0] and len(set(listed)) == 250 - len(gone)
    assert 0 < len(gone) < 25 and "bitcoin" in listed


@pytest.mark.parametrize("args, says", [
    (["--at", "2024-01-01"], "--at: of a tape"),
    (["--from", "sqlite:x.db"], "write tape:DIR"),
    (["--from", "tape:/nowhere"], "no tape with answers"),
    (["--from", "tape:DATA", "--at", "noon"], "is no time"),
    (["--from", "tape:DATA", "--fault", "aged"], "does not run backwards"),
])
def test_what_cannot_be_played_is_refused(data, args, says):
    done = gecko("simulate", "--listen", "127.0.0.1:0", *(a.replace("DATA", str(data)) for a in args))
    assert done.returncode == 2 and says in done.stderr, done.stderr
