# SPDX-License-Identifier: Apache-2.0
"""Every answer that stores give of now and of the past, value by value, against an oracle that knows the tape alone; and that no answer
of a moment knows what came later."""
import contextlib
import decimal
import json
import os
import random
import subprocess
import time

import oracle
import oracle_past as past
import pytest
from gecko import gecko
from oracle_past import HOUR, S_US, Job
from seeds import seeds
from stores import SLOT0, make_tape
from test_endpoints import Maker as MakerOfOthers
from test_transform import Maker

DUMP = os.environ.get("GECKOTAPE_QUERY_DUMP", "build/tests/golden/query_dump")
SEEDS = seeds(2)
MINUTE, DAY = 60 * S_US, 24 * HOUR
NOW, LATER = 0, SLOT0 + 1000 * DAY
NAMES = ("symbol", "name")  # of several jobs, they are those that were loaded last


# ---- what there is ----


def some_pages(maker, n_pages, oddity):
    return [maker.page(9 * n, maker.random.randint(3, 9), oddity) for n in range(n_pages)]


def market_polls(maker, n, first_slot, step, pace):
    """Rows that stay, coins that come and go, pages that are missing, rows that are refused; across hours and midnights."""
    polls, pages, slot = [], some_pages(maker, 2, 30), first_slot
    for _ in range(n):
        oddity = maker.random.choice([5, 30, 300])
        if maker.chance(3):
            pages = [page if maker.chance(2) else some_pages(maker, 2, oddity)[i] for i, page in enumerate(pages)]
        outcome = maker.random.choice(["ok"] * 8 + ["partial", "failed"])
        given = pages if outcome == "ok" else [] if outcome == "failed" else maker.random.choice([[None, pages[1]], [pages[0], None]])
        polls.append((slot, outcome, given, pace))
        slot += step * maker.random.choice([1, 1, 1, 1, 2, 7])
    return polls


def other_polls(maker, endpoint, n, first_slot, step):
    bodies = iter(lambda: maker.body(endpoint), None)
    return [(first_slot + i * step, "ok", [body]) for i, body in zip(range(n), bodies)]


def make_jobs(seed, is_alone):
    """is_alone: of one job, so that its names are told in the order of time."""
    maker, others = Maker(seed), MakerOfOthers(seed)
    if is_alone:
        return {"alone": Job(market_polls(maker, 80, SLOT0 - 2 * HOUR, 9 * MINUTE, 2 * S_US))}
    return {
        "fast": Job(market_polls(maker, 60, SLOT0, 5 * MINUTE, 2 * S_US)),
        "slow": Job(market_polls(maker, 30, SLOT0 - 3 * HOUR + 7 * S_US, 25 * MINUTE, 9 * MINUTE)),
        "euro": Job(market_polls(maker, 12, SLOT0 + HOUR, HOUR, S_US), vs="eur"),
        "list": Job(other_polls(others, "coins/list", 8, SLOT0 + HOUR, 9 * HOUR), "coins/list", ""),
        "gone": Job(other_polls(others, "coins/list", 4, SLOT0 + 5 * HOUR, 9 * HOUR), "coins/list", "", "inactive"),
        "globe": Job(other_polls(others, "global", 6, SLOT0 + 2 * HOUR, 4 * HOUR), "global", ""),
    }


def write_tape(data, jobs, until=None):
    for name, job in jobs.items():
        polls = [(slot, outcome, pages, *pace) for slot, outcome, pages, *pace in job.given
                 if until is None or slot + len(pages) * (pace[0] if pace else S_US) <= until]
        make_tape(data, polls, name, job.endpoint, job.vs, job.selection)
    return data


def make_world(seed, is_alone, server, place):
    """Jobs, and URLs to ask."""
    jobs, schema = make_jobs(seed, is_alone), f"s{seed}{'a' if is_alone else ''}"
    data = write_tape(place / "data", jobs)
    urls = {"sqlite": f"sqlite:{place}/market.db", "postgres": server.url(host="socket", schema=schema), "past": f"past:{data}"}
    gecko("load", "--from", f"tape:{data}", "--sink", urls["sqlite"], "--sink", urls["postgres"], check=0)
    return jobs, urls


@pytest.fixture(scope="module", params=SEEDS)
def world(request, shared, tmp_path_factory):
    return make_world(request.param, False, shared, tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module", params=SEEDS)
def small_world(request, shared, tmp_path_factory):
    return make_world(request.param, True, shared, tmp_path_factory.mktemp("small"))


def ask(url, questions):
    """Answers of questions (moment, words…); numbers as Decimals."""
    lines = "".join(" ".join(map(str, question)) + "\n" for question in questions)
    done = subprocess.run([DUMP, url], input=lines, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line, parse_float=decimal.Decimal) for line in done.stdout.split("\n")[:-1]]


def moments(jobs, seed, n):
    """The ends of polls, and times right before, right after and between them."""
    dice = random.Random(seed)
    ends = [poll.finished for job in jobs.values() for poll in job.polls]
    first, last = min(ends), max(ends)
    return [dice.choice([dice.choice(ends), dice.choice(ends) - 1, dice.randint(first - HOUR, last + HOUR)]) for _ in range(n)]


def is_word(text):
    """It can be asked for on a line of words."""
    return text.isprintable() and " " not in text


def is_quiet(jobs, at):
    """No poll goes on. That a coin is there, and how it is called, is known when it was received, not when its poll was whole."""
    return not any(poll.slot <= at < poll.finished for job in jobs.values() for poll in job.polls)


SQL = ["sqlite", "postgres"]


def same(got, want, kind):
    if want is None or got is None:
        return got is want
    if kind == oracle.SERIES:
        return json.loads(got, parse_int=str, parse_float=str) == want
    return got == want


def check_market(got, want, where, but=()):
    assert {row["id"] for row in got} == set(want), where
    for row in got:
        for column, (kind, _) in {**oracle.COLUMNS, "fetched_at": (oracle.TIME, None)}.items():
            if column != "image" and column not in but:  # that is today's
                assert same(row[column], want[row["id"]][column], kind), (where, row["id"], column, row[column], want[row["id"]][column])


def check_any(got, wanted, where):
    """It is what one of them says."""
    for last in wanted[:-1]:
        with contextlib.suppress(AssertionError):
            return check_market(got, {row["id"]: last[row["id"]] for row in got}, where, but=("fetched_at", *NAMES))
    return check_market(got, {row["id"]: wanted[-1][row["id"]] for row in got}, where, but=("fetched_at", *NAMES))


# ---- the market ----


@pytest.mark.parametrize("store", SQL)
def test_the_market_of_a_moment_is_what_its_polls_brought(store, world):
    jobs, urls = world
    times = [*moments(jobs, 1, 25), NOW]
    for vs in ("usd", "eur"):
        for at, got in zip(times, ask(urls[store], [(at, "market", vs, 4, 0, 1) for at in times]), strict=True):
            check_market(got, past.market(jobs.values(), vs, at or LATER), (vs, at), but=NAMES)


def by_value(column, sign):
    """Stores order by doubles: to them what is nearer to 0 than any is 0."""
    return lambda row: (row[column] is None, sign * float(row[column] or 0))


ORDERS = {0: by_value("market_cap", -1), 1: by_value("market_cap", 1), 2: by_value("total_volume", -1), 3: by_value("total_volume", 1),
          4: lambda row: (0, row["id"].encode())}


@pytest.mark.parametrize("store", SQL)
def test_pages_and_coins_of_a_moment_are_cut_from_its_market(store, world):
    jobs, urls = world
    for at in [*moments(jobs, 2, 4), NOW]:
        whole = ask(urls[store], [(at, "market", "usd", 4, 0, 1)])[0]
        assert whole == sorted(whole, key=ORDERS[4])
        ids = [row["id"] for row in whole if is_word(row["id"])]
        some = [*ids[::3], "nosuch", *ids[:2]]
        questions = [(at, "market", "usd", order, 4, page) for order in ORDERS for page in (1, 2, 9)]
        *pages, chosen = ask(urls[store], [*questions, (at, "market", "usd", 4, 0, 1, *some)])
        for (_, _, _, order, per_page, page), got in zip(questions, pages):
            want = sorted(whole, key=ORDERS[order])[(page - 1) * per_page:page * per_page]
            assert [ORDERS[order](row) for row in got] == [ORDERS[order](row) for row in want], (at, order, page)
            assert all(row in whole for row in got)
        assert chosen == [row for row in whole if row["id"] in some], at


def test_memory_knows_of_the_past_of_a_tape_what_the_oracle_says(world):
    jobs, urls = world
    starts = max(job.polls[0].finished for job in jobs.values())
    # time goes on while it is asked
    times = [at for at in moments(jobs, 3, 25) if at >= starts and not any(at < poll.finished < at + MINUTE for job in jobs.values() for poll in job.polls)]
    answers = ask(urls["past"], [(at, "market", "usd", 4, 0, 1) for at in times])
    assert times
    for at, got in zip(times, answers, strict=True):
        want = past.market(jobs.values(), "usd", at)
        refused = {key for job in jobs.values() for poll in job.known(at) for key in poll.seen}
        assert {row["id"] for row in got} <= set(want) <= {row["id"] for row in got} | refused
        # it keeps the last answer of each poll whole, so that it may tell two jobs apart that saw a coin within the same seconds
        of_jobs = [past.market([job], "usd", at) for job in jobs.values()]
        for row in got:
            check_any([row], [rows for rows in of_jobs if row["id"] in rows], at)


# ---- lists ----


@pytest.mark.parametrize("store", SQL)
def test_lists_of_a_moment_are_what_was_known_then(store, world):
    jobs, urls = world
    kinds = ["coins", "inactive", "newest", "currencies", "global"]
    times = [*(at for at in moments(jobs, 4, 50) if is_quiet(jobs, at)), NOW]
    answers = iter(ask(urls[store], [(at, kind) for at in times for kind in kinds]))
    for at in times:
        until, of_all = at or LATER, jobs.values()
        assert [row["id"] for row in next(answers)] == sorted(past.coins(of_all, until), key=str.encode), at
        for want, shown in ((past.inactive(of_all, until), lambda rows: [row["id"] for row in rows]),
                            (past.newest(of_all, until), lambda rows: [(row["id"], row["activated_at"]) for row in rows])):
            got = next(answers)
            if want is None:
                assert got == [], at
            else:
                assert shown(got) == want, at
        assert next(answers) == past.currencies(of_all, until), at
        got, want = next(answers), past.figures(of_all, until)
        if not want:
            assert got == [] or "nothing of global is loaded yet" in got["error"], at
        else:
            assert sorted(map(tuple, got)) == sorted((figure, part, value if value is None else decimal.Decimal(value))
                                                     for figure, part, value in want), at


@pytest.mark.parametrize("store", SQL)
def test_names_of_a_coin_are_those_that_were_told_by_then(store, small_world):
    jobs, urls = small_world
    for at in [*(at for at in moments(jobs, 5, 9) if is_quiet(jobs, at)), NOW]:
        told = {key: names for key, names in past.labels(jobs.values(), at or LATER).items() if is_word(key)}
        seen = past.first_seen(jobs.values(), at or LATER)
        for key, got in zip(told, ask(urls[store], [(at, "info", key) for key in told]), strict=True):
            assert got[0] == seen[key], (at, key)
            assert tuple(got[1:3]) == told[key][-1][1:] and [tuple(label) for label in got[3]] == told[key], (at, key)
        want = {key: {**row, "symbol": told[key][-1][1], "name": told[key][-1][2]} for key, row in past.market(jobs.values(), "usd", at or LATER).items()
                if key in told}
        rows = ask(urls[store], [(at, "market", "usd", 4, 0, 1), (at, "coins")])
        check_market([row for row in rows[0] if is_word(row["id"])], want, at)
        assert {row["id"]: (row["symbol"], row["name"]) for row in rows[1] if is_word(row["id"])} == {key: names[-1][1:] for key, names in told.items()}
    assert ask(urls[store], [(SLOT0 - 9 * DAY, "info", "bitcoin"), (NOW, "info", "nosuch")]) == [None, None]


# ---- charts ----


def charts(jobs, seed, n):
    """(moment, currency, coin, after, to, step)"""
    dice = random.Random(seed)
    coins = {"usd": sorted(past.market(jobs.values(), "usd", LATER)), "eur": sorted(past.market(jobs.values(), "eur", LATER))}
    for at in moments(jobs, seed, n):
        vs = dice.choice(["usd", "usd", "eur"])
        step = dice.choice([5 * MINUTE, 30 * MINUTE, HOUR, 4 * HOUR, DAY, 4 * DAY, 7 * MINUTE, 90 * MINUTE])
        at = dice.choice([at, NOW])
        to = dice.choice([at or LATER, (at or LATER) - dice.randint(0, 5 * HOUR)])
        coin = dice.choice([coin for coin in coins[vs] if is_word(coin)])
        yield at, vs, coin, max(to - step * dice.randint(1, 900), SLOT0 - 9 * DAY) if at else SLOT0 - DAY, min(to, SLOT0 + 40 * DAY), step


@pytest.mark.parametrize("store", SQL)
def test_charts_and_candles_are_drawn_from_every_poll(store, world):
    jobs, urls = world
    wanted = [chart for chart in charts(jobs, 6, 60) if chart[3] < chart[4]]
    series = ask(urls[store], [(at, "series", vs, coin, after, to, step) for at, vs, coin, after, to, step in wanted])
    candles = ask(urls[store], [(at, "ohlc", vs, coin, after, to, step) for at, vs, coin, after, to, step in wanted])
    n_points = 0
    for (at, vs, coin, after, to, step), line, bars in zip(wanted, series, candles, strict=True):
        is_of_now = to >= (at or time.time_ns() // 1000) - S_US
        want = past.series(jobs.values(), vs, coin, at or LATER, after, to, step, is_of_now)
        assert [(p["time"], p["price"], p["market_cap"], p["total_volume"]) for p in line] == want, (at, vs, coin, after, to, step)
        want = past.ohlc(jobs.values(), vs, coin, at or LATER, after, to, step)
        assert [(b["time"], b["open"], b["high"], b["low"], b["close"]) for b in bars] == want, (at, vs, coin, after, to, step)
        n_points += len(line)
    assert n_points > 100


@pytest.mark.parametrize("store", SQL)
def test_sparklines_are_of_the_first_poll_of_each_hour(store, world):
    jobs, urls = world
    dice = random.Random(9)
    wanted = []
    for at in moments(jobs, 9, 12):
        vs = dice.choice(["usd", "usd", "eur"])
        known = [coin for coin in sorted(past.market(jobs.values(), vs, LATER)) if is_word(coin)]
        step = dice.choice([HOUR, HOUR, 3 * HOUR])
        begin = SLOT0 // HOUR * HOUR - dice.randint(0, 3) * HOUR
        wanted.append((dice.choice([at, NOW]), vs, begin, begin + 60 * step, step, *dice.sample(known, 5), "nosuch"))
    lines = ask(urls[store], [(at, "sparks", *rest) for at, *rest in wanted])
    for (at, vs, begin, end, step, *coins), line in zip(wanted, lines, strict=True):
        want = past.sparks(jobs.values(), vs, coins, at or LATER, begin, end, step)
        assert sorted((p["id"], p["slot"], p["current_price"]) for p in line) == want, (at, vs, begin, end, step, coins)
    assert sum(map(len, lines)) > 50


@pytest.mark.parametrize("store", SQL)
def test_there_is_no_chart_of_what_is_not_known(store, world):
    _, urls = world
    questions = [(NOW, kind, *what, SLOT0, SLOT0 + DAY, HOUR) for kind in ("series", "ohlc") for what in (("usd", "nosuch"), ("chf", "bitcoin"))]
    assert ask(urls[store], [*questions, (NOW, "series", "usd", "bitcoin", SLOT0, SLOT0, HOUR)]) == [[]] * 5


# ---- no look ahead ----


def everything(url, jobs, at, moment):
    """What a store answers of now, or of a moment, which is `at`."""
    coins = [coin for coin in sorted(past.first_seen(jobs.values(), LATER)) if is_word(coin)]
    dice = random.Random(at)
    some = dice.sample(coins, 6)
    questions = [("market", "usd", 4, 0, 1), ("market", "eur", 0, 0, 1), ("market", "usd", 4, 0, 1, *some), ("inactive",), ("currencies",), ("global",),
                 *([("coins",), ("newest",), *[("info", coin) for coin in some]] if is_quiet(jobs, at) else []),
                 *[(kind, "usd", coin, at - 30 * step, at - 2 * S_US, step) for kind in ("series", "ohlc") for coin in some
                   for step in (5 * MINUTE, HOUR, DAY)]]
    answers = dict(zip(questions, ask(url, [(moment, *question) for question in questions]), strict=True))
    if len(jobs) > 1:
        answers = {question: answer for question, answer in answers.items() if question[0] != "info"}
    for rows in answers.values():
        for row in rows if isinstance(rows, list) else []:
            for column in ["image", *(NAMES if len(jobs) > 1 or not is_quiet(jobs, at) else [])]:  # the image is today's
                if isinstance(row, dict):
                    row.pop(column, None)
    return answers


def check_no_look_ahead(jobs, urls, store, server, tmp_path):
    for n, at in enumerate(moments(jobs, 7, 5)):
        data = write_tape(tmp_path / f"data{n}", jobs, until=at)
        url = f"sqlite:{tmp_path}/{n}.db" if store == "sqlite" else server.url(host="socket", schema=f"u{n}")
        with contextlib.ExitStack() as stack:
            if store == "postgres":
                stack.callback(server.psql, f"drop schema u{n} cascade")
            gecko("load", "--from", f"tape:{data}", "--sink", url, check=0)
            then, now = everything(urls[store], jobs, at, at), everything(url, jobs, at, NOW)
        for question, answer in then.items():
            if answer == []:  # as there is nothing, or nothing yet
                assert now[question] == [] or "is loaded yet" in now[question]["error"], question
            else:
                assert answer == now[question], (at, question)


@pytest.mark.parametrize("store", SQL)
def test_no_answer_of_a_moment_knows_what_came_later(store, world, shared, tmp_path):
    check_no_look_ahead(*world, store, shared, tmp_path)


@pytest.mark.parametrize("store", SQL)
def test_no_name_of_a_moment_is_of_later(store, small_world, shared, tmp_path):
    check_no_look_ahead(*small_world, store, shared, tmp_path)


def rfc3339(us):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(us // S_US))


def confirmed(job, at, key):
    """When a poll that was whole then told what was stored last of a coin, or left it out as equal."""
    told = [next((row["fetched_at"] for row in poll.rows if row["id"] == key and key not in poll.left_out), poll.slot)
            for poll in job.known(at) if any(row["id"] == key for row in poll.rows)]
    return max(told)


@pytest.mark.parametrize("store", SQL)
@pytest.mark.parametrize("stale", [None, 10 * MINUTE])
def test_panels_know_nothing_of_later_and_forget_nobody(store, small_world, stale):
    """Every moment: the coins whose rank it was then, also those that vanished since; of no moment what was refused or not seen for long."""
    jobs, urls = small_world
    job = jobs["alone"]
    first, last, step = SLOT0 - 2 * HOUR - HOUR, job.polls[-1].finished + HOUR, 7 * MINUTE
    got = {}
    for line in gecko("export", "--from", urls[store], "--panel", "current_price,market_cap_rank", "--universe", "top400", "--every", "7m",
                      "--since", rfc3339(first), "--until", rfc3339(last), "--format", "jsonl",
                      *([] if stale is None else ["--max-stale", f"{stale // MINUTE}m"]), check=0).stdout.splitlines():
        row = json.loads(line, parse_float=decimal.Decimal)
        got.setdefault(row.pop("time"), {})[row.pop("id")] = row
    n, gone = 0, 0
    for at in range(-(-first // step) * step, last, step):
        rows, market = got.pop(rfc3339(at).replace("Z", ".000Z"), {}), past.market([job], "usd", at)
        refused = {key for poll in job.known(at) for key in poll.refused}  # a later poll has told that they are there, without a row
        want = {key for key, row in market.items() if isinstance(row["market_cap_rank"], int) and row["market_cap_rank"] <= 400
                and (stale is None or confirmed(job, at, key) >= at - stale)}
        if stale is None:
            assert set(rows) - refused == want - refused, at
        else:
            assert set(rows) == want, at
        for key, row in rows.items():
            assert same(row["current_price"], market[key]["current_price"], oracle.NUM) and row["market_cap_rank"] == market[key]["market_cap_rank"]
        n, gone = n + len(rows), gone + len(set(rows) - set(past.market([job], "usd", LATER)))
    assert not got and n > 50 and gone > 0


def test_a_panel_of_all_has_each_column_once(small_world):
    jobs, urls = small_world
    args = ["export", "--from", urls["sqlite"], "--every", "7m", "--until", rfc3339(jobs["alone"].polls[-1].finished + HOUR)]
    head, *lines = gecko(*args, "--panel", "all", check=0).stdout.splitlines()
    columns = head.split(",")
    assert columns[:2] == ["time", "id"] and len(set(columns)) == len(columns) == 39 and "current_price" in columns and lines
    assert gecko(*args, "--panel", "id,current_price", check=0).stdout.splitlines()[0] == "time,id,current_price"


@pytest.mark.parametrize(("args", "words"), [
    (["--universe", "top"], ["--universe", "top100"]),
    (["--universe", "top0"], ["--universe", "top100"]),
    (["--universe", "top5x"], ["--universe", "top100"]),
    (["--panel", "price"], ["--panel", "no column price"]),
    (["--panel", "current_price,market_cap,current_price"], ["--panel", "current_price is there twice"]),
    (["--format", "json"], ["--format", "jsonl"]),
    (["--every", "7d", "--since", "2026-11-23T14:00:00Z", "--until", "2026-11-23T14:30:00Z"], ["--since", "no moment"]),
    (["nosuchcoin"], ["nosuchcoin", "no such coin"]),
    (["--from", "memory:"], ["keeps no past", "sqlite:"]),
])
def test_a_panel_that_cannot_be_is_refused_with_the_mend(small_world, args, words):
    urls = small_world[1]
    done = gecko("export", *([] if "--from" in args else ["--from", urls["sqlite"]]), *args, check=2)
    assert not done.stdout and all(word in done.stderr for word in words), done.stderr


def test_a_coin_that_nobody_knows_is_named(small_world):
    for verb in (["query"], ["query", "rows"], ["query", "candles"], ["export"]):
        done = gecko(*verb, "no-such-coin", "--from", small_world[1]["sqlite"], check=2)
        assert "no-such-coin: the store has no such coin" in done.stderr, done.stderr
