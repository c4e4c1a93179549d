# SPDX-License-Identifier: Apache-2.0
"""query --at-file: the price of each line against an oracle that knows the tape alone, from both stores; and the lines as they were."""
import csv
import datetime
import decimal
import io
import json
import random
import subprocess

import pytest
from gecko import BINARY, clean_env, gecko
from oracle_past import S_US
from stores import SLOT0, make_tape
from test_queries import SEEDS, SQL, is_word, make_world, moments

ADDED = ["market_price", "market_job", "market_poll", "market_known_at", "market_distance_s"]


@pytest.fixture(scope="module", params=SEEDS)
def world(request, shared, tmp_path_factory):
    return make_world(request.param, False, shared, tmp_path_factory.mktemp("world"))


def last_prices(jobs, vs, coin, at):
    """What each job told last of the coin, where it had a price: (when, price, job, slot)."""
    found = []
    for name, job in jobs.items():
        if job.endpoint != "coins/markets" or job.vs != vs:
            continue
        told = [(poll.finished if coin in poll.left_out else row["fetched_at"], row["current_price"], name, poll.slot)
                for poll in job.known(at) for row in poll.rows if row["id"] == coin and row["current_price"] is not None]
        found += told[-1:]
    return found


def text_of(us, dice):
    """A time in one of the forms that are read."""
    moment = datetime.datetime.fromtimestamp(us // S_US, datetime.timezone.utc)
    east = moment + datetime.timedelta(hours=2)
    return dice.choice([str(us), f"{moment:%Y-%m-%dT%H:%M:%S}.{us % S_US:06}Z", f"{moment:%Y-%m-%d %H:%M:%S}.{us % S_US:06}",
                        f"{east:%Y-%m-%dT%H:%M:%S}.{us % S_US:06}+02:00", f"{moment:%Y%m%dT%H%M%S}.{us % S_US:06}Z"])


def read_ms(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def check_line(got, want, at, where):
    """want: of several that came together any may be it."""
    if not want:
        assert [got[name] for name in ADDED] == [""] * 5, (where, got)
        return
    newest = max(known for known, *_ in want)
    for known, price, job, slot in [one for one in want if one[0] == newest]:
        if got["market_job"] == job:
            assert decimal.Decimal(got["market_price"]) == decimal.Decimal(price), (where, got, price)
            assert decimal.Decimal(got["market_distance_s"]) * S_US == at - known, (where, got, known)
            assert (read_ms(got["market_poll"]), read_ms(got["market_known_at"])) == (slot // 1000, known // 1000), (where, got)
            return
    raise AssertionError((where, got, want))


@pytest.mark.parametrize("store", SQL)
def test_each_line_has_the_last_price_that_was_known_at_its_time(store, world, tmp_path):
    jobs, urls = world
    dice = random.Random(7)
    ids = sorted({row["id"] for job in jobs.values() if job.endpoint == "coins/markets" for poll in job.polls for row in poll.rows
                  if is_word(row["id"]) and row["id"] == row["id"].strip()})
    trades = [(at, dice.choice(ids)) for at in moments(jobs, 3, 150)]
    for vs in ("usd", "eur"):
        written = io.StringIO()
        out = csv.writer(written)
        out.writerow(["when", "what", "note"])
        out.writerows([text_of(at, dice), coin, dice.choice(["", "a, b", 'say "x"', "two\nlines"])] for at, coin in trades)
        (tmp_path / "trades.csv").write_text(written.getvalue(), newline="")
        done = gecko("query", "--from", urls[store], "--at-file", tmp_path / "trades.csv", "--map", "when=time", "--map", "what=id", "--vs", vs)
        wanted = [last_prices(jobs, vs, coin, at) for at, coin in trades]
        assert done.returncode == (0 if all(wanted) else 1), done.stderr
        got = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
        assert len(got) == len(trades) and any(wanted)
        for line, want, (at, coin) in zip(got, wanted, trades, strict=True):
            assert line["what"] == coin
            check_line(line, want, at, (vs, at, coin))
        assert done.stderr.count("was known by then") == sum(not want for want in wanted)


def market(*coins):
    return json.dumps([{"id": key, "symbol": symbol, "name": key.title(), "image": "", "current_price": price, "market_cap": 1,
                        "last_updated": "2026-11-23T13:59:00.000Z"} for key, symbol, price in coins]).encode()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Two coins have had the symbol ada, at different times; one is bitcoin by its id, another by its symbol."""
    place = tmp_path_factory.mktemp("small")
    make_tape(place / "data", [
        (SLOT0, "ok", [market(("bitcoin", "btc", 57780.5), ("cardano", "ada", 0.1), ("meme", "bitcoin", 1e-9))]),
        (SLOT0 + 60 * S_US, "ok", [market(("bitcoin", "btc", 57780.5), ("cardano", "crd", 0.2), ("peg-ada", "ADA", 2))])], "top")
    gecko("load", "--from", f"tape:{place}/data", "--sink", f"sqlite:{place}/m.db", check=0)
    return f"sqlite:{place}/m.db"


def valued(store, tmp_path, text, *options, check):
    (tmp_path / "trades.csv").write_bytes(text)
    return gecko("query", "--from", store, "--at-file", tmp_path / "trades.csv", *options, check=check)


def test_lines_stay_as_they_are_whatever_is_in_them(small, tmp_path):
    lines = [b'\xef\xbb\xbfDate;Symbol;"no ""te"', b'2026-11-23 14:02;BTC; "x"', b'2026-11-23T15:30+01:00;btc;"two\r\nlines"',
             b"1795442470;Btc;\xff"]
    tail = b";57780.5;top;2026-11-23T14:01:00.000Z;2026-11-23T14:01:01.000Z;"
    more = [b";" + ";".join(ADDED).encode(), tail + b"59", tail + b"1739", tail + b"9"]
    (tmp_path / "trades.csv").write_bytes(b"\r\n".join(lines[:3]) + b"\n\n" + lines[3])
    done = subprocess.run([BINARY, "query", "--from", small, "--at-file", tmp_path / "trades.csv"], stdout=subprocess.PIPE,
                          env=clean_env(), check=True)
    want = [line + added for line, added in zip(lines, more, strict=True)]
    assert done.stdout == b"\r\n".join(want[:3]) + b"\n\n" + want[3]


def test_a_symbol_of_several_coins_is_named_with_them_and_never_guessed(small, tmp_path):
    done = valued(small, tmp_path, b"time,coin\n2026-11-23 14:02,ada\n2026-11-23 14:02,bitcoin\n2026-11-23 14:02,BTC\n", check=1)
    assert f'{tmp_path}/trades.csv:2: coin "ada" is of several coins: cardano, peg-ada; ' in done.stderr
    assert f'{tmp_path}/trades.csv:3: coin "bitcoin" is of several coins: bitcoin, meme; ' in done.stderr
    assert done.stderr.endswith("trades.csv: 2 of 3 lines have no price\n")
    assert [line["market_price"] for line in csv.DictReader(io.StringIO(done.stdout))] == ["", "", "57780.5"]
    done = valued(small, tmp_path, b"time,coin\n2026-11-23 14:02,cardano\n2026-11-23 14:02,bitcoin\n", "--map", "coin=id", check=0)
    assert [line["market_price"] for line in csv.DictReader(io.StringIO(done.stdout))] == ["0.2", "57780.5"]


def test_json_has_the_columns_as_texts_and_the_price_as_sent(small, tmp_path):
    text = b'time,symbol,note\n2026-11-23 14:00:30.25,bitcoin,"a ""b"""\n1795440000,bitcoin,\n'
    rows = json.loads(valued(small, tmp_path, text, "--format", "json", check=1).stdout, parse_float=str, parse_int=str)
    lines = [json.loads(line, parse_float=str, parse_int=str)
             for line in valued(small, tmp_path, text, "--format", "jsonl", check=1).stdout.splitlines()]
    assert rows == lines == [
        {"time": "2026-11-23 14:00:30.25", "symbol": "bitcoin", "note": 'a "b"', "market_price": "1e-9", "market_job": "top",
         "market_poll": "2026-11-23T14:00:00.000Z", "market_known_at": "2026-11-23T14:00:01.000Z", "market_distance_s": "29.25"},
        {"time": "1795440000", "symbol": "bitcoin", "note": "", **{name: None for name in ADDED}}]


@pytest.mark.parametrize("text,options,message", [
    (b"", [], "trades.csv: empty"),
    (b"when,coin\n", [], "trades.csv:1: no column is a time"),
    (b"date,what\n", [], "trades.csv:1: no column names a coin"),
    (b"date,coin,market_price\n", [], "trades.csv:1: it has a column market_price already"),
    (b"date,coin\n2026-11-23,btc\n2026-11-23,btc,1\n", [], "trades.csv:3: 3 fields, where the header has 2"),
    (b'date,coin\n2026-11-23,"btc\n', [], "trades.csv:2: "),
    (b"date,coin\n", ["--map", "x=id"], "--map x=id: "),
    (b"date,coin\n", ["--map", "coin=price"], "--map coin=price: write COLUMN=time"),
    (b"date,coin\n", ["--at", "-1d"], "--at-file: each line has a time of its own"),
    (b"date,coin\n", ["bitcoin"], "--at-file: its lines name the coins"),
    (b"date,coin\n", ["--time-zone", "Mars"], "Mars"),
])
def test_what_is_not_as_it_should_be_is_named_by_file_and_line_and_nothing_is_printed(small, tmp_path, text, options, message):
    done = valued(small, tmp_path, text, *options, check=2)
    assert message in done.stderr and done.stdout == ""
