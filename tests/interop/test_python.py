# SPDX-License-Identifier: Apache-2.0
"""The official Python client, and pycoingecko, cannot tell the simulator from CoinGecko, nor a collector's API of its own."""
import datetime
import functools
import json

import coingecko_sdk
import pycoingecko
import pydantic
import pytest
import requests
from calls import CALLS, path_of, served, simulator
from collector import REFUSED, call_of, check_answers, collector_and_simulator

KEY = "CG-interop"


def sdk(recorder, plan="pro", key=KEY):
    keys = {"pro_api_key": key} if plan == "pro" else {"demo_api_key": key}
    return coingecko_sdk.Coingecko(base_url=recorder.url, environment=None, max_retries=0, **keys)


def sdk_call(client, method, words, parameters):
    parameters = {("from_" if name == "from" else name): value for name, value in parameters.items()}
    return functools.reduce(getattr, method.split("."), client)(*words, **parameters)


def pygecko(recorder, **keys):
    client = pycoingecko.CoinGeckoAPI(**keys)
    client.api_base_url = recorder.url + "/"
    return client


@pytest.fixture(scope="module")
def pro():
    with simulator("--plan", "pro") as recorder:
        yield recorder


# where CoinGecko itself sends another type than its client declares: categories without a description have a null (captured),
# the sparkline of a coin is an object of "price", and a day without figures has none of these members
KNOWN_LIES = {"content", "sparkline_7d", "market_data", "public_interest_stats"}


def check_types(model, sent):
    try:
        model.model_validate(sent)
    except pydantic.ValidationError as why:
        assert {e["loc"][-1] for e in why.errors()} <= KNOWN_LIES, why


def check_same(got, want, where=""):
    """What a client gives equals what it was sent; each model is one that its own declared types allow."""
    if isinstance(got, coingecko_sdk.BaseModel):
        check_types(type(got), want)
        got = {(field.alias or name): getattr(got, name) for name, field in type(got).model_fields.items()
               if name in got.model_fields_set} | (got.model_extra or {})
    if isinstance(got, datetime.datetime):
        assert got == datetime.datetime.fromisoformat(want.replace("Z", "+00:00")), where
    elif isinstance(got, dict):
        assert sorted(got) == sorted(want), where
        for key, value in got.items():
            check_same(value, want[key], f"{where}.{key}")
    elif isinstance(got, list):
        assert len(got) == len(want), where
        for n, value in enumerate(got):
            check_same(value, want[n], f"{where}[{n}]")
    else:
        assert got == want, f"{where}: {got!r} of {want!r}"


def check_exchange(recorder, route, words, value, inside=None, may_be_empty=False):
    exchange, = recorder.exchanges  # one: nothing had to be tried again
    assert exchange.path.rstrip("/") == path_of(route, words) and exchange.status == 200
    assert exchange.json() or may_be_empty, "an empty answer proves nothing"
    check_same(value, exchange.json()[inside] if inside else exchange.json())


def test_every_route_has_its_calls_here():
    assert set(served()) <= set(CALLS)


@pytest.mark.parametrize("route", served())
def test_coingecko_sdk_gets_what_was_sent(pro, route):
    (method, _), words, parameters, _, _ = CALLS[route]
    pro.exchanges.clear()
    check_exchange(pro, route, words, sdk_call(sdk(pro), method, words, parameters))
    assert pro.exchanges[0].sent["x-cg-pro-api-key"] == KEY


@pytest.mark.parametrize("route", served())
def test_pycoingecko_gets_what_was_sent(pro, route):
    _, words, _, method, arguments = CALLS[route]
    pro.exchanges.clear()
    value = getattr(pygecko(pro, api_key=KEY), method)(**arguments)
    check_exchange(pro, route, words, value, inside="data" if route == "/global" else None)
    assert pro.exchanges[0].query["x_cg_pro_api_key"] == KEY


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    with collector_and_simulator(tmp_path_factory.mktemp("collector")) as recorders:
        yield recorders


@pytest.mark.parametrize("route", [route for route in served() if route not in REFUSED])
def test_the_collector_answers_every_client_as_the_simulator_does(both, route):
    (method, _), words, parameters, plain_method, arguments = call_of(route)
    answers = []
    for recorder in both:
        recorder.exchanges.clear()
        check_exchange(recorder, route, words, sdk_call(sdk(recorder, "demo"), method, words, parameters), may_be_empty=True)
        answers.append(recorder.exchanges[0].json())
        recorder.exchanges.clear()
        value = getattr(pygecko(recorder, demo_api_key=KEY), plain_method)(**arguments)
        check_exchange(recorder, route, words, value, inside="data" if route == "/global" else None, may_be_empty=True)
        assert recorder.exchanges[0].json() == answers[-1]
    check_answers(route, *answers)


@pytest.mark.parametrize("route", REFUSED)
def test_what_the_collector_has_not_is_the_clients_own_error(both, route):
    (method, _), words, parameters, plain_method, arguments = call_of(route)
    both[0].exchanges.clear()
    with pytest.raises(coingecko_sdk.APIStatusError) as caught:
        sdk_call(sdk(both[0], "demo"), method, words, parameters)
    assert caught.value.status_code == REFUSED[route] and caught.value.body == both[0].exchanges[0].json()
    with pytest.raises(ValueError) as told:
        getattr(pygecko(both[0], demo_api_key=KEY), plain_method)(**arguments)
    assert told.value.args[0] == caught.value.body


ERRORS = {
    "limit": (["--plan", "demo", "--fault", "429"], coingecko_sdk.RateLimitError, 429, KEY),
    "key": (["--plan", "demo"], coingecko_sdk.AuthenticationError, 401, "CG-invalid-interop"),
    "coin": (["--plan", "demo"], coingecko_sdk.NotFoundError, 404, KEY),
    "outage": (["--plan", "demo", "--fault", "403"], coingecko_sdk.PermissionDeniedError, 403, KEY),
    "host": (["--plan", "demo", "--fault", "10010"], coingecko_sdk.BadRequestError, 400, KEY),
    "broken": (["--plan", "demo", "--fault", "500"], coingecko_sdk.InternalServerError, 500, KEY),
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_the_clients_own_of_its_kind(name):
    options, kind, status, key = ERRORS[name]
    ask = {"id": "no-such-coin" if name == "coin" else "bitcoin", "vs_currency": "usd", "days": "1"}
    with simulator(*options) as recorder:
        with pytest.raises(kind) as caught:
            sdk(recorder, "demo", key).coins.market_chart.get(ask["id"], vs_currency="usd", days="1")
        exchange, = recorder.exchanges
        assert type(caught.value) is kind and caught.value.status_code == status == exchange.status
        assert caught.value.body == exchange.json()
        with pytest.raises(ValueError) as told:
            pygecko(recorder, demo_api_key=key).get_coin_market_chart_by_id(**ask)
        assert told.value.args[0] == recorder.exchanges[-1].json()
        if name == "limit":
            assert caught.value.response.headers["retry-after"] == "60"
        if name == "key":
            assert exchange.json()["status"]["error_code"] == 10002


def test_what_is_no_json_is_an_error_too():
    with simulator("--fault", "throttled") as recorder:
        with pytest.raises(coingecko_sdk.RateLimitError) as caught:
            sdk(recorder).ping.get()
        assert caught.value.body == "Throttled"
        with pytest.raises(requests.HTTPError):
            pygecko(recorder).ping()


def test_the_official_client_tries_again_and_gets_through():
    with simulator("--fault", "502:until=1") as recorder:
        answer = sdk(recorder).with_options(max_retries=2).ping.get()
        assert answer.gecko_says and [e.status for e in recorder.exchanges] == [502, 200]


def test_a_plan_without_the_right_says_so():
    with simulator("--plan", "demo") as recorder:
        with pytest.raises(coingecko_sdk.AuthenticationError) as caught:
            sdk_call(sdk(recorder, "demo"), CALLS["/coins/{id}/ohlc/range"][0][0], ["bitcoin"], CALLS["/coins/{id}/ohlc/range"][2])
        assert json.loads(recorder.exchanges[0].body)["status"]["error_code"] == 10005 == caught.value.body["status"]["error_code"]
