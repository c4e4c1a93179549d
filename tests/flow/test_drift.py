# SPDX-License-Identifier: Apache-2.0
"""An API that changes, and what people are told of it."""
import json
import re
import shutil

import pytest
from gecko import CAPTURES, ROOT, Running, an_hour_ago, database, gecko, get, market_body, wait_for

QUALITY_DOC = (ROOT / "docs" / "quality.md").read_text()


def test_a_drift_is_told_where_people_look_and_never_turns_it_red(tmp_path):
    log = tmp_path / "log"
    with Running("run", "--simulate", "--fault", "newfield:from=2,until=6", "--fault", "bogus:from=3,until=4", "--every", "1s", "--log-file", log,
                 "--log-format", "json", "--data", tmp_path / "data", "--listen", "127.0.0.1:0") as run:
        port = int(run.expect(r'"port":(\d+)')[1])
        wait_for(lambda: json.loads(get(port, "/api/status"))["warnings"], what="warning")
        warning = json.loads(get(port, "/readyz"))["warnings"]
        assert len(warning) == 1 and re.match(r"job markets-usd: CoinGecko's answers drift since \S+Z: new: liquidity_score; ", warning[0])
        wait_for(lambda: json.loads(get(port, "/readyz")) == {"ready": True, "reasons": [], "warnings": []}, what="the end of it")
        metrics = get(port, "/metrics").decode()
        polls = json.loads(get(port, "/api/polls"))["polls"]
        assert run.stop() == 0
    assert 'geckotape_drift_total{job="markets-usd",kind="new"} 1\n' in metrics
    assert 'geckotape_quality_flags_total{job="markets-usd",rule="cap_implausible"} 1\n' in metrics
    assert [p["drift"] for p in reversed(polls)][:6] == [None, None, *["new: liquidity_score"] * 4]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = [(line["level"], line["msg"], line["drift"]) for line in lines if "drift" in line]
    assert told == [("warn", "the API's answers drift", "new: liquidity_score"),
                    ("info", "a drift of the API's answers is over", "new: liquidity_score")]


# ---- tape drift ----

HOURS = ["2024-01-01T%02d:00:00Z" % hour for hour in range(10)]


def segments(data):
    return sorted((data / "tape" / "import-usd").glob("*.zst"))


@pytest.fixture(name="data")
def make_data(tmp_path):
    """Ten hours: a field in three of them, one that comes and goes, a coin list that changes."""
    source = tmp_path / "raw"
    source.mkdir()
    for hour, slot in enumerate(HOURS):
        coins = json.loads(market_body(20, hour, first=5 if hour == 7 else 0))
        for coin in coins:
            if 2 <= hour < 5:
                coin["moon"] = 1.5
            if hour % 2:
                coin["flicker\x1b[2J"] = "on"
            if hour >= 8:
                del coin["ath"]
        (source / f"{slot}.json").write_text(json.dumps(coins))
        if hour == 4:  # a segment of its own
            gecko("import", source, "--data", tmp_path / "data", "--name", "usd", check=0)
            an_hour_ago(segments(tmp_path / "data")[0])
    gecko("import", source, "--data", tmp_path / "data", "--name", "usd", check=0)
    assert len(segments(tmp_path / "data")) == 2
    return tmp_path / "data"


def drift_of(data, *more, check=0):
    lines = [json.loads(line) for line in gecko("tape", "drift", "--json", "--data", data, *more, check=check).stdout.splitlines()]
    assert all(list(line) == ["first", "last", "polls", "times", "lasts", "job", "kind", "field", "from", "to"] for line in lines)
    return {(line["kind"], line["field"]): line for line in lines if line["kind"] not in ("times", "digits")}


def test_tape_drift_dates_every_change(data):
    def want(kind, field, was, now, first, last, polls, times=1, lasts=False):  # pylint: disable=too-many-arguments,too-many-positional-arguments
        return {"first": HOURS[first], "last": HOURS[last], "polls": polls, "times": times, "lasts": lasts, "job": "import-usd",
                "kind": kind, "field": field, "from": was, "to": now}

    found = drift_of(data)
    assert list(found.values()) == [
        want("new", "flicker\x1b[2J", "", "text", 1, 9, 5, times=5, lasts=True),
        want("new", "moon", "", "number", 2, 4, 3),
        want("membership", "coins", "", "5 of 20 left: coin-0, coin-1, coin-2, coin-3, coin-4", 7, 8, 2, times=2),
        want("missing", "ath", "number", "", 8, 9, 2, lasts=True),
    ]
    text = gecko("tape", "drift", "--data", data, check=0).stdout
    assert re.search(r"^2024-01-01T02:00:00Z  2024-01-01T04:00:00Z +3 +1  no  +import-usd +new +moon: number$", text, re.MULTILINE)
    assert re.search(r"^2024-01-01T08:00:00Z  2024-01-01T09:00:00Z +2 +1  yes  +import-usd +missing +ath: number → gone$", text, re.MULTILINE)
    assert re.search(r"^2024-01-01T07:00:00Z  2024-01-01T08:00:00Z +2 +2  -  +import-usd +membership +coins: 5 of 20 left", text, re.MULTILINE)
    assert "\x1b" not in text and text.splitlines()[-1].startswith("10 polls, ")


def test_tape_drift_is_the_same_from_a_sealed_tape(data):
    before = gecko("tape", "drift", "--data", data, check=0).stdout
    assert "1 segment sealed" in gecko("tape", "compact", "--data", data, check=0).stdout
    assert gecko("tape", "drift", "--data", data, check=0).stdout == before


def test_tape_drift_steps_over_what_is_damaged(data):
    segment = segments(data)[1]
    octets = bytearray(segment.read_bytes())
    octets[len(octets) // 2] ^= 0xff
    segment.write_bytes(octets)
    done = gecko("tape", "drift", "--json", "--data", data, check=1)
    assert '"moon"' in done.stdout and "damaged" in done.stderr


def test_tape_drift_since_and_of_one_job(data):
    found = drift_of(data, "--since", "2024-01-01T04:00:00Z", "--job", "import-usd")
    assert found[("new", "moon")]["first"] == found[("new", "moon")]["last"] == HOURS[4]
    assert found[("new", "flicker\x1b[2J")]["polls"] == 3
    assert drift_of(data, "--since", "2024-01-02") == {}
    assert "--job" in gecko("tape", "drift", "--data", data, "--job", "other", check=1).stderr
    assert "no tape" in gecko("tape", "drift", "--data", data / "none", check=1).stderr


@pytest.fixture(name="captured")
def import_captures(tmp_path):
    """The dated captures of real answers, on a tape."""
    captures = sorted((CAPTURES / "markets").glob("madjin_*_usd_100.json")) if CAPTURES.is_dir() else []
    if not captures:
        pytest.skip("no ../shared/captures here")
    assert len(captures) == 12
    (tmp_path / "raw").mkdir()
    for capture in captures:
        shutil.copy(capture, tmp_path / "raw" / (capture.name.split("_")[1] + ".json"))
    gecko("import", tmp_path / "raw", "--data", tmp_path / "data", "--name", "usd", check=0)
    return tmp_path / "data"


def test_tape_drift_finds_the_one_change_of_three_years(captured):
    """Wrapped and staked coins left the list on 2026-02-04; nothing else changed between these answers."""
    lines = [json.loads(line) for line in gecko("tape", "drift", "--json", "--data", captured, check=0).stdout.splitlines()]
    assert [(line["first"], line["kind"]) for line in lines] == [("2026-02-18T00:00:00Z", "membership")]
    assert lines[0]["to"].startswith("27 of 100 left: staked-ether, wrapped-steth, ") and lines[0]["to"].endswith(" and 19 more")


def test_few_real_values_are_flagged(captured):
    """docs/design/0022: each of these tells something true."""
    gecko("load", "--from", f"tape:{captured}", "--sink", f"sqlite:{captured}/market.db", check=0)
    with database(captured) as db:
        flagged = db.execute("select id, rule, count(*) from quality group by id, rule order by id").fetchall()
        assert db.execute("select count(*) from market").fetchone()[0] == 1200
        left_out = db.execute(re.search(r"`(SELECT [^`]*)`", QUALITY_DOC)[1].replace("...", "count(*)")).fetchone()[0]
    assert [tuple(row) for row in flagged] == [
        ("gatechain-token", "cap_mismatch", 2), ("hashnote-usyc", "stale", 1), ("internet-computer", "supply_order", 3),
        ("janus-henderson-anemoy-treasury-fund", "stale", 1), ("osmosis", "supply_order", 1)]
    assert left_out == 1200 - 2
