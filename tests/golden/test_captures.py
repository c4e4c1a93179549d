# SPDX-License-Identifier: Apache-2.0
"""Every captured answer of the real API through the whole binary, over HTTP, with the status and the headers it had. Answers of
coins/markets come out as the oracle says; whatever else comes in their place is never data."""
import concurrent.futures
import dataclasses
import json
import re

import pytest
from gecko import CAPTURES, check_exactly_once, database, gecko, records
from oracle import compare_json_dir, compare_sqlite, expected_quarantine, expected_rows
from server import Answer, PlainServer

yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")

NO_CAPTURES = [pytest.param(None, marks=pytest.mark.skip(reason="no captures of real answers beside the project"))]
# what the connection is made of, which the server does by itself
OF_THE_CONNECTION = {"connection", "content-encoding", "transfer-encoding", "date"}
MARKETS = "/coins/markets"


@dataclasses.dataclass
class Captured:
    name: str
    path: str  # "/coins/markets"; "" when it is not known
    query: str
    status: int
    headers: dict
    body: bytes

    def answer(self, **more):
        """As it was sent, but for its Date: with the one it had, our clock would be years wrong."""
        headers = {k: v for k, v in self.headers.items() if k.lower() not in OF_THE_CONNECTION}
        return Answer(self.status, self.body, {**headers, **more.pop("headers", {})}, chunked=True, gzip=True, **more)


def exchanges():
    """The whole ones, of http/."""
    for path in sorted((CAPTURES / "http").glob("*.yaml")):
        for n, exchange in enumerate(yaml.safe_load(path.read_text())["interactions"]):
            response, uri = exchange["response"], exchange["request"]["uri"]
            target, _, query = uri.partition("/api/v3")[2].partition("?")
            yield Captured(f"{path.stem}-{n}", target, query, response["status"]["code"],
                           {k: v[0] for k, v in response["headers"].items()}, response["body"]["string"].encode())


def status_of(name, body):
    """What came with an error whose status was not kept, as COINGECKO's error shapes have it."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return 200
    if not isinstance(parsed, dict):
        return 200
    if parsed.get("error_code") or isinstance(parsed.get("status"), dict):
        return {10002: 401}.get(parsed["status"]["error_code"], parsed["status"]["error_code"])
    if isinstance(parsed.get("status"), int):
        return parsed["status"]
    return 422 if str(parsed.get("error", "")).startswith("Missing parameter") else 200


def is_of_markets(body):
    try:
        parsed = json.loads(body)
    except ValueError:
        return False
    return isinstance(parsed, list) and parsed != [] and isinstance(parsed[0], dict) and "current_price" in parsed[0]


def everything():
    """Each capture once, headers of an exchange of the same service around bodies that came without."""
    if not CAPTURES.is_dir():
        return []
    whole = list(exchanges())
    headers = next(e.headers for e in whole if e.path == MARKETS)
    known = {e.body for e in whole}
    found = list(whole)
    for folder in ("markets", "bodies", "errors"):
        for path in sorted((CAPTURES / folder).iterdir()):
            body = path.read_bytes()
            if body not in known:
                found.append(Captured(path.stem, MARKETS if folder == "markets" or is_of_markets(body) else "", "",
                                      status_of(path.stem, body), headers, body))
                known.add(body)
    return found


def cases(condition):
    return [pytest.param(c, id=c.name) for c in everything() if condition(c)] or NO_CAPTURES


def once(tmp_path, answer, *options, check):
    with PlainServer(lambda request: answer) as api:
        done = gecko("once", "--api-url", api.url, "--data", tmp_path, "--api-rate", 100000, *options, check=check)
        return done, api.requests


@pytest.mark.parametrize("captured", cases(lambda c: c.path == MARKETS))
def test_a_captured_market_is_stored_exactly(tmp_path, captured):
    ids = [row["id"] for row in expected_rows(captured.body)]
    asked = re.search(r"(?:^|&)ids=([^&]*)", captured.query)
    options = ["--ids", ",".join(sorted(ids))] if asked else ["--top", len(ids)]
    _, requests = once(tmp_path, captured.answer(), *options, check=0)
    assert len(requests) == 1 and not expected_quarantine(captured.body)
    check_exactly_once(tmp_path, json_dir=tmp_path)
    compare_sqlite(tmp_path / "market.db", expected_rows(captured.body))
    compare_json_dir(tmp_path, [captured.body])
    page = next(r for r in records(tmp_path) if r["type"] == "page")
    assert page["status"] == 200 and f"etag: {captured.headers['ETag']}\n" in page["headers"]


def expected_class(status, body):
    """By the rules as they are written down, not by the program's table."""
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    inner = parsed.get("status") if isinstance(parsed, dict) else None
    code = inner.get("error_code") if isinstance(inner, dict) else None
    if isinstance(inner, int) and "error" in parsed:
        code = inner
    if status == 200 and code in range(400, 600):  # an error that came as 200 is what it says it is
        status = code
    if 429 in (status, code):
        return "rate_limited"
    if code in (10002, 10005, 10010, 10011, 10012) or status in (400, 401, 404, 422):
        return "permanent"
    if status != 200 or (isinstance(parsed, dict) and "error" in parsed):
        return "transient"
    return "not_json" if parsed is None else "drift"


def check_no_data(tmp_path, captured, status):
    """One failed poll, each answer on the tape as it came; not one row anywhere."""
    ends = check_exactly_once(tmp_path, json_dir=tmp_path)
    assert [e["outcome"] for e in ends] == ["failed"] and not any(ends[0]["pages"]), ends
    assert ends[0]["error"].startswith(f"HTTP {status}"), ends
    with database(tmp_path) as db:
        for table in ("market", "latest", "coin", "coin_name", "absence", "quarantine"):
            assert db.execute(f"select count(*) from {table}").fetchone()[0] == 0, table
        assert db.execute("select error from poll").fetchone()[0] == ends[0]["error"]
    pages = [r for r in records(tmp_path) if r["type"] == "page"]
    assert pages and all((p["status"], p["body_len"]) == (status, len(captured.body)) for p in pages)


WRONG = [c for c in everything() if c.path != MARKETS]
WRONG += [dataclasses.replace(c, name=c.name + "-as-200", status=200) for c in WRONG if c.status != 200]


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """What `once` made of each wrong answer. All at a time: most of it is waiting for the next try."""

    def ask(captured):
        data = tmp_path_factory.mktemp("data")
        return data, *once(data, captured.answer(), "--log-level", "debug", check=None)

    with concurrent.futures.ThreadPoolExecutor(len(WRONG) or 1) as pool:
        return dict(zip((c.name for c in WRONG), pool.map(ask, WRONG)))


@pytest.mark.parametrize("captured", [pytest.param(c, id=c.name) for c in WRONG] or NO_CAPTURES)
def test_what_comes_in_place_of_a_market_is_never_data(refusals, captured):
    data, done, requests = refusals[captured.name]
    cause = expected_class(captured.status, captured.body)
    assert set(re.findall(r" class=(\w+)", done.stderr + done.stdout)) == {cause}
    assert done.returncode == (78 if cause == "permanent" else 75)
    assert f"HTTP {captured.status}" in done.stderr
    assert (len(requests) == 1) == (cause == "permanent")
    check_no_data(data, captured, captured.status)


@pytest.mark.parametrize("captured", cases(lambda c: c.path == MARKETS and c.query)[:1])
def test_an_answer_with_the_date_it_had_is_refused(tmp_path, captured):
    """Years ago: either the clock of this machine is wrong or a cache is; its rows would be mis-dated."""
    done, requests = once(tmp_path, captured.answer(headers={"Date": captured.headers["Date"]}), check=75)
    assert "clock: the API says 2024-" in done.stderr and len(requests) == 1
    ends = check_exactly_once(tmp_path, json_dir=tmp_path)
    assert [e["outcome"] for e in ends] == ["failed"] and ends[0]["error"].startswith("clock:")
