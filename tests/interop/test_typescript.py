# SPDX-License-Identifier: Apache-2.0
"""The official client for node cannot tell the simulator from CoinGecko either."""
import json
import os
import pathlib
import subprocess

import pytest
from calls import CALLS, path_of, served, simulator
from collector import REFUSED, call_of, check_answers, collector_and_simulator

SCRIPT = pathlib.Path(__file__).with_name("client.js")
KEY = "CG-interop"


def node(recorder, calls, key=KEY, plan="pro"):
    """What became of each call."""
    recorder.exchanges.clear()
    done = subprocess.run(["node", SCRIPT, recorder.url, key, plan], input=json.dumps(calls), capture_output=True, text=True,
                          env=dict(os.environ, NODE_PATH=os.environ["GECKOTAPE_NODE_MODULES"]), timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    # all numbers of JavaScript are doubles
    return [json.loads(line, parse_int=float) for line in done.stdout.splitlines()]


def call(route, words=None):
    (_, method), usual, parameters, _, _ = CALLS[route]
    return {"method": method, "words": usual if words is None else words, "parameters": parameters}


@pytest.fixture(scope="module")
def answers():
    """Of every route, by one process: it takes longest to start."""
    with simulator("--plan", "pro") as recorder:
        routes = served()
        results = node(recorder, [call(route) for route in routes])
        assert len(results) == len(recorder.exchanges) == len(routes)
        yield dict(zip(routes, zip(results, recorder.exchanges)))


@pytest.mark.parametrize("route", served())
def test_the_client_for_node_gets_what_was_sent(answers, route):
    result, exchange = answers[route]
    assert exchange.path == path_of(route, CALLS[route][1]) and exchange.status == 200, result
    assert exchange.sent["x-cg-pro-api-key"] == KEY
    assert result["value"] == json.loads(exchange.body, parse_int=float)


@pytest.fixture(scope="module")
def answers_of_both(tmp_path_factory):
    """Of a collector and the simulator that it polls, to the same calls."""
    with collector_and_simulator(tmp_path_factory.mktemp("collector")) as recorders:
        routes = served()
        calls = [{"method": method, "words": words, "parameters": parameters}
                 for (_, method), words, parameters, _, _ in map(call_of, routes)]
        yield {route: both for route, *both in zip(routes, *(node(recorder, calls, plan="demo") for recorder in recorders))}


@pytest.mark.parametrize("route", served())
def test_the_collector_answers_it_as_the_simulator_does(answers_of_both, route):
    ours, theirs = answers_of_both[route]
    if route in REFUSED:
        assert ours["status"] == REFUSED[route] and ours["body"]["error"], ours
    else:
        check_answers(route, ours["value"], theirs["value"])


@pytest.mark.parametrize("options, words, key, name, status", [
    (["--fault", "429"], ["bitcoin"], KEY, "RateLimitError", 429),
    ([], ["bitcoin"], "CG-invalid-interop", "AuthenticationError", 401),
    ([], ["no-such-coin"], KEY, "NotFoundError", 404),
    (["--fault", "403"], ["bitcoin"], KEY, "PermissionDeniedError", 403),
    (["--fault", "503"], ["bitcoin"], KEY, "InternalServerError", 503),
], ids=["limit", "key", "coin", "outage", "broken"])
def test_an_error_is_the_clients_own_of_its_kind(options, words, key, name, status):
    with simulator("--plan", "demo", *options) as recorder:
        result, = node(recorder, [call("/coins/{id}/market_chart", words)], key, "demo")
        exchange, = recorder.exchanges
        assert (result["error"], result["status"], exchange.status) == (name, status, status), result
        if status != 503:  # which comes as a page
            assert result["body"] == exchange.json()
        if status == 429:
            assert result["retry_after"] == "60"
