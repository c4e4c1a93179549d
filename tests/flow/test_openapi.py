# SPDX-License-Identifier: Apache-2.0
"""The document of what is served, /api/openapi.json: of every route there is, and of no other; answers are as it says."""
import json
import re
import time
import urllib.error
import urllib.parse

import pytest
from gecko import ROOT, Running, get, wait_for
from schema import Document

CONFIG = """\
jobs:
  top: {top: 30, every: 1s}
  euros: {ids: [bitcoin, ethereum], vs: eur, every: 1s}
  whole: {endpoint: global, every: 1s}
  list: {endpoint: coins/list, every: 2s}
"""

# what brings each path to its answer; those that the store here cannot answer: the status that it has instead
ASKED = {
    "/api/v3/key": 404,
    "/api/v3/simple/price": "?ids=bitcoin,no-such&vs_currencies=usd,eur,xyz&include_market_cap=true&include_24hr_vol=true"
                            "&include_24hr_change=true&include_last_updated_at=true&precision=2",
    "/api/v3/coins/markets": "?vs_currency=usd&price_change_percentage=1h,24h,7d&sparkline=true&include_rehypothecated=true",
    "/api/v3/coins/categories": 501,
    "/api/v3/coins/categories/list": 501,
    "/api/v3/coins/{id}": "?sparkline=true",
    "/api/v3/coins/{id}/history": "?date=2999-01-02",
    "/api/v3/coins/{id}/market_chart": "?vs_currency=usd&days=1",
    "/api/v3/coins/{id}/market_chart/range": "?vs_currency=usd&from=2026-01-02&to=4000000000",
    "/api/v3/coins/{id}/ohlc": "?vs_currency=usd&days=1",
    "/api/v3/coins/{id}/ohlc/range": f"?vs_currency=usd&from={int(time.time()) - 3600}&to={int(time.time()) + 3600}&interval=hourly",
    "/api/v3/asset_platforms": 501,
    "/api/polls": "?job=top",
    "/api/gaps": "?job=top",
    "/api/coverage": "?job=top",
    "/api/series": "?id=bitcoin&from=2026-01-01T00:00:00Z",
    "/api/record": "?stream=top&offset=1",
}

EMPTY = {"/api/v3/coins/list/new"}  # no coin is listed while the test runs


def routes(file, root):
    """Of a table in the source: path, and whether it is as of a moment."""
    table = (ROOT / "src/serve" / file).read_text().split("} routes[] = {")[1].split("\n};")[0]
    found = re.findall(r'^    \{"(/[^"]*)"|^    \{(POLLS_PATH)', table, re.MULTILINE)
    assert len(found) == len(re.findall(r"^    \{", table, re.MULTILINE)) > 10
    return [root + (path or "/api/polls") for path, _ in found]


def asked(document, path):
    """The query that brings an answer, or the status that comes instead: as above, else what the document gives as examples."""
    if path in ASKED:
        return ASKED[path]
    needed = [p for p in document.paths[path]["get"]["parameters"] if p["in"] == "query" and p["required"]]
    return "?" + urllib.parse.urlencode({p["name"]: ",".join(e) if isinstance(e := p["example"], list) else e for p in needed})


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    folder = tmp_path_factory.mktemp("openapi")
    (folder / "geckotape.yaml").write_text(CONFIG)
    with Running("run", "--simulate", "--config", folder / "geckotape.yaml", "--data", folder / "data", "--coins", "60",
                 "--listen", "127.0.0.1:0") as run:
        where = run.port()
        wait_for(lambda: all(status_of(where, path) == 200 for path in (
            "/api/v3/global", "/api/v3/coins/list/new", "/api/v3/coins/markets?vs_currency=eur", "/api/v3/coins/markets?vs_currency=usd",
            "/api/polls?job=top")), what="a poll of each job")
        yield where
        assert run.stop() == 0


def status_of(port, path):
    try:
        get(port, path)
        return 200
    except urllib.error.HTTPError as error:
        return error.code


def test_it_has_every_route_and_no_other(port):
    document = Document(port)
    assert list(document.paths) == routes("api_v3/routes.c", "/api/v3") + routes("serve.c", "")
    methods = {path: sorted(operations) for path, operations in document.paths.items()}
    assert {path for path, names in methods.items() if names != ["get"]} == {"/api/polls"} and methods["/api/polls"] == ["get", "post"]


def test_it_holds_together(port):
    document = Document(port)
    operations = [op for path in document.paths.values() for op in path.values()]
    assert document.whole["openapi"] == "3.1.0" and len({op["operationId"] for op in operations}) == len(operations)
    for ref in re.findall(r'"\$ref": "([^"]*)"', json.dumps(document.whole)):
        assert document.follow(ref)
    for path, at in document.paths.items():
        for op in at.values():
            names = [(p["in"], p["name"]) for p in op["parameters"]]
            assert len(set(names)) == len(names) and (("path", "id") in names) == ("{id}" in path), path
            assert all(p["description"] and p["schema"] for p in op["parameters"])


@pytest.mark.parametrize("path", routes("api_v3/routes.c", "/api/v3") + [p for p in routes("serve.c", "") if p != "/api/events"])
def test_answers_are_as_it_says(port, path):
    document = Document(port)
    ask = asked(document, path)
    where = path.replace("{id}", "bitcoin") + (ask if isinstance(ask, str) else "")
    try:
        status, body = 200, get(port, where)
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    assert status == (200 if isinstance(ask, str) else ask), body
    content = document.response(path, status)["content"]
    if "application/json" not in content:
        assert list(content) == ["text/plain"]
        return
    answer = json.loads(body)
    assert answer or path in EMPTY, "an empty answer proves nothing"
    document.check(answer, content["application/json"]["schema"])


@pytest.mark.parametrize("path", [p for p in routes("api_v3/routes.c", "/api/v3") if p not in ("/api/v3/ping", "/api/v3/key")])
def test_a_moment_before_the_first_poll_is_a_404_or_empty(port, path):
    document = Document(port)
    ask = asked(document, path)
    query = (ask if isinstance(ask, str) else "?") + "&at=2014-01-01"
    try:
        status, body = 200, get(port, path.replace("{id}", "bitcoin") + query)
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    answer = json.loads(body)
    if ask == 501:  # what no store keeps is not there at any moment
        assert status == 501
    elif status != 200:
        assert status == 404 and isinstance(answer["error"], str), body
    else:
        assert not answer
    document.check(answer, document.response(path, status)["content"]["application/json"]["schema"])


def test_refusals_are_as_it_says(port):
    document = Document(port)
    for path, query in [("/api/v3/simple/price", ""), ("/api/v3/coins/markets", "?vs_currency=xyz"), ("/api/v3/coins/{id}", "?at=soon"),
                        ("/api/v3/coins/{id}/market_chart", "?vs_currency=usd&days=20&interval=5m"),
                        ("/api/v3/coins/{id}/ohlc", "?vs_currency=usd&days=2"), ("/api/polls", "?job=none"), ("/api/gaps", "?since=soon"),
                        ("/api/record", ""), ("/api/series", ""), ("/api/market", "?vs_currency=xyz"), ("/api/quality", "?limit=0")]:
        with pytest.raises(urllib.error.HTTPError) as caught:
            get(port, path.replace("{id}", "bitcoin") + query)
        content = document.response(path, caught.value.code)["content"]
        document.check(json.loads(caught.value.read()), content["application/json"]["schema"], path)


def test_parameters_do_what_it_says(port):
    """Each is taken, whatever its kind; what is a choice is none that the server does not know."""
    document = Document(port)
    for path, at in document.paths.items():
        for p in at["get"]["parameters"]:
            for value in p["schema"].get("enum", p["schema"].get("items", {}).get("enum", ["true", "1"])):
                ask = asked(document, path)
                if p["in"] == "query" and path != "/api/events":
                    query = (ask if isinstance(ask, str) else "?") + "&" + urllib.parse.urlencode({p["name"]: value})
                    assert str(status_of(port, path.replace("{id}", "bitcoin") + query)) in at["get"]["responses"]
