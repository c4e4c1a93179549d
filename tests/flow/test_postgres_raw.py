# SPDX-License-Identifier: Apache-2.0
"""?raw=on: the answers themselves in PostgreSQL, for SQL over what no column has."""
import decimal
import json
import re

import pytest
from gecko import ROOT, gecko, market_body, records
from stores import S_US, SLOT0, make_tape

EVERY = 300 * S_US


def load(data, sink):
    return gecko("load", "--from", f"tape:{data}", "--sink", sink, check=0)


def replay(data, sink, *options):
    return gecko("replay", "--data", data, "--sink", sink, *options, check=0)


def ask(server, sql):
    return server.psql(f"set search_path to geckotape; {sql}", "etl")


def held(server):
    """{(slot, page): what it was}"""
    lines = ask(server, "select extract(epoch from slot)::bigint * 1000000, page, encode(convert_to(coalesce(body::text, body_text), 'UTF8'), 'hex') "
                        "from raw").splitlines()
    return {(int(slot), int(page)): bytes.fromhex(body) for slot, page, body in (line.split("|") for line in lines)}


def equal(got, want):
    """To the last digit."""
    def read(body):
        return json.loads(body, parse_int=decimal.Decimal, parse_float=decimal.Decimal)

    return {at: read(body) for at, body in got.items()} == {at: read(body) for at, body in want.items()}


POLLS = [(SLOT0, "ok", [market_body(5), market_body(2, first=5)]), (SLOT0 + EVERY, "partial", [market_body(5, 1), None]),
         (SLOT0 + 2 * EVERY, "failed", []), (SLOT0 + 3 * EVERY, "ok", [market_body(5), market_body(2, first=5)])]
BODIES = {(slot, page): body for slot, _, pages in POLLS for page, body in enumerate(pages, 1) if body}


def test_each_answer_of_a_poll_with_rows_is_there_beside_them(server, tmp_path):
    data = make_tape(tmp_path / "data", POLLS)
    load(data, server.url(raw="on"))
    assert equal(held(server), BODIES)
    assert ask(server, "select distinct http_status, (fetched_at - slot) / page, body_text is null, job.name from raw join job using (job_id)") == \
        "200|00:00:01|t|market"
    on_tape = {(r["slot_us"], r["page"]): r["offset"] for r in records(data) if r["type"] == "page"}
    assert {(int(slot), int(page)): int(offset) for slot, page, offset in (line.split("|") for line in ask(
        server, 'select extract(epoch from slot)::bigint * 1000000, page, "offset" from raw').splitlines())} == on_tape
    assert ask(server, "select count(*) from raw_default") == "0"


def test_without_it_there_are_none_and_a_replay_fills_them_in(server, tmp_path):
    data = make_tape(tmp_path / "data", POLLS)
    load(data, server.url())
    assert held(server) == {}
    assert "0 polls" in replay(data, server.url(raw="on")).stdout  # today's transform has made them
    replay(data, server.url(raw="on"), "--force")
    assert equal(held(server), BODIES)
    replay(data, server.url(raw="on"), "--force")
    replay(data, server.url(), "--force")  # leaves them alone
    assert equal(held(server), BODIES)


@pytest.mark.parametrize("raw", ["on", "off"])
def test_the_answers_are_those_of_the_poll_that_has_the_slot(raw, server, tmp_path):
    """An ok poll of another collector takes the place of a partial one, and of an ok one it does not."""
    first = make_tape(tmp_path / "first", POLLS)
    second = make_tape(tmp_path / "second", [(slot, "ok", [market_body(3, 9)]) for slot, _, _ in POLLS])
    load(first, server.url(raw="on"))
    load(second, server.url(raw=raw))
    mine = {(slot, 1): market_body(3, 9) for slot, outcome, _ in POLLS if outcome != "ok"} if raw == "on" else {}
    assert equal(held(server), {at: body for at, body in BODIES.items() if at[0] != POLLS[1][0]} | mine)


# accepted by the transform, none of them by jsonb
BAD = {
    "U+0000": rb'"a\u0000b"',
    "a number beyond numeric": b"1e200000",
    "a lone half of a pair": rb'"\ud800"',
}


@pytest.mark.parametrize("what", BAD)
def test_a_body_that_jsonb_cannot_hold_is_kept_as_text_and_costs_nothing(what, server, tmp_path):
    bad = market_body(5, 1).replace(b'"id":"coin-3"', b'"surprise":' + BAD[what] + b',"id":"coin-3"')
    data = make_tape(tmp_path / "data", [(SLOT0, "ok", [market_body(5)]), (SLOT0 + EVERY, "ok", [market_body(5, 1, first=5), bad])])
    load(data, server.url(raw="on"))
    assert held(server)[SLOT0 + EVERY, 2] == bad
    assert ask(server, "select page, body is null, body_text is null from raw order by slot, page") == "1|f|t\n1|f|t\n2|t|f"
    assert ask(server, "select rows_new, rows_quarantined from poll order by slot") == "5|0\n10|0"
    with pytest.raises(AssertionError, match="ERROR"):
        ask(server, "select body_text::jsonb from raw where body is null")
    replay(data, server.url(raw="on"), "--force")
    assert held(server)[SLOT0 + EVERY, 2] == bad


def test_a_body_that_is_too_much_for_jsonb_is_kept_as_text(server, tmp_path):
    """More than 256 MB of elements in one array."""
    bad = market_body(5).replace(b'"id":"coin-3"', b'"surprise":[' + b"0," * 22_400_000 + b'0],"id":"coin-3"')
    data = make_tape(tmp_path / "data", [(SLOT0, "ok", [bad])])
    load(data, server.url(raw="on"))
    assert ask(server, "select body is null, octet_length(body_text) from raw") == f"t|{len(bad)}"
    assert ask(server, "select rows_new, rows_quarantined from poll") == "5|0"


def examples():
    """What docs/postgres.md shows of raw: blocks of four blanks below that title."""
    section = (ROOT / "docs/postgres.md").read_text().split("\n## The answers themselves\n")[1].split("\n## ")[0]
    return [block.strip() for block in re.findall(r"(?:^    .*\n)+", section, re.MULTILINE) if re.match(r"\s*(SELECT|ALTER|INSERT)", block)]


def test_the_examples_of_the_docs_do_what_they_say(server, tmp_path):
    body = market_body(5).replace(b'"id":"coin-3"', rb'"fresh_field":{"a":[1,2]},"image":"\u0000","id":"coin-3"')
    data = make_tape(tmp_path / "data", [*POLLS, (SLOT0 + 4 * EVERY, "ok", [market_body(5).replace(b'"id":"coin-3"', b'"fresh_field":7,"id":"coin-3"')]),
                                         (SLOT0 + 5 * EVERY, "ok", [body])], "markets-usd")
    load(data, server.url(raw="on"))
    shown = examples()
    answers = {sql.split("\n")[0]: ask(server, sql) for sql in shown}
    new, over_time, newest, mended = answers.values()
    assert new == "fresh_field|1|2026-11-23 14:20:00+00"
    assert over_time == "2026-11-23 14:20:00+00|coin-3|7"
    assert json.loads(newest)["id"] == "coin-4"
    assert mended == "2026-11-23 14:25:00+00|1|5"
