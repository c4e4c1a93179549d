# SPDX-License-Identifier: Apache-2.0
"""The transform against the oracle: on every real capture at hand, and on made-up hostile bodies.

GECKOTAPE_TRANSFORM_DUMP names the program; GECKOTAPE_CAPTURES the captures (default: ../shared).
Made-up bodies have their seed in the case's name: see seeds.py (`make differential` makes a thousand others of each kind)."""
import collections
import json
import os
import pathlib
import random
import subprocess

import pytest

import lies
import oracle
from seeds import seeds

DUMP = os.environ.get("GECKOTAPE_TRANSFORM_DUMP", "build/tests/golden/transform_dump")
CAPTURES = pathlib.Path(os.environ.get(
    "GECKOTAPE_CAPTURES", pathlib.Path(__file__).parents[3] / "shared" / "captures"))
SLOT0, EVERY = 1795442400_000000, 300_000000
HOUR = 3600_000000


def dump(polls, directory):
    """Run the transform over polls (is_ok, bodies); returns per poll what it printed."""
    args = []
    for i, (is_ok, pages) in enumerate(polls):
        names = []
        for n, body in enumerate(pages, 1):
            path = directory / f"{i}_{n}"
            path.write_bytes(body)
            names.append(str(path))
        args.append(("" if is_ok else "partial:") + ",".join(names))
    run = subprocess.run([DUMP, *args], capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    out = []
    for line in run.stdout.decode().splitlines():
        (kind, value), *more = json.loads(line, parse_int=oracle.Lexeme,
                                          parse_float=oracle.Lexeme).items()
        if kind == "poll":
            out.append({"poll": value, "row": [], "refusal": [], "drift": [], "flag": [],
                        "absent": [], "unchanged": []})
        else:
            out[-1][kind].append(value)
            out[-1]["unchanged"] += [v for _, v in more]
    return out


def check_cell(got, want, kind, where):
    if want is None or got is None:
        assert got is want, where
    elif kind == oracle.NUM:
        assert type(got) is oracle.Lexeme and got == want.lexeme, where
    elif kind == oracle.INT:
        assert type(got) is oracle.Lexeme and oracle.read_int(got) == want, where
    elif kind == oracle.TIME:
        assert oracle.read_time(got) == want, where
    elif kind == oracle.SERIES:
        assert json.loads(got, parse_int=str, parse_float=str) == want, where
    else:
        assert got == want, where


def check_rows(got, want, where):
    assert [r["id"] for r in got] == [r["id"] for r in want], where
    for g, w in zip(got, want):
        assert set(g) == set(oracle.COLUMNS) | {"fetched_at"}
        for column, (kind, _) in oracle.COLUMNS.items():
            check_cell(g[column], w[column], kind, f"{where} {w['id']} {column}")
        assert oracle.read_time(g["fetched_at"]) == w["fetched_at"]


def check_polls(polls, directory):
    """Everything the transform says of a sequence of polls, against the oracle."""
    offset, prev_rows, prev_ok, answers, answers_ok = 0, None, None, None, None
    series = {}  # of the poll before, as written: it counts byte for byte, and the oracle has only what it says
    for i, ((is_ok, pages), got) in enumerate(zip(polls, dump(polls, directory), strict=True)):
        slot, first = SLOT0 + i * EVERY, offset + 1
        offset += len(pages) + 1
        where = f"poll {i}"
        try:
            want = oracle.expected_poll(pages, [slot + n * 1_000_000
                                                for n in range(1, len(pages) + 1)])
        except oracle.Rejected as why:
            assert "error" in got["poll"], f"{where}: should be refused: {why}"
            continue
        assert "error" not in got["poll"], f"{where}: {got['poll']}"
        assert int(got["poll"]["rows_in"]) == want.rows_in, where
        check_rows(got["row"], want.rows, where)
        check_refusals(got["refusal"], want.refusals, first, where)
        before = {}
        if prev_rows and slot // HOUR == prev_rows[0] // HOUR:
            before = {r["id"]: r for r in prev_rows[1].rows}
        written = {r["id"]: r["sparkline_in_7d"] for r in got["row"]}
        refused = {r["coin"] for r in want.refusals}
        unchanged = [r["id"] in before and oracle.is_unchanged(r, before[r["id"]]) and written[r["id"]] == series[r["id"]]
                     and r["id"] not in refused for r in want.rows]
        assert got["unchanged"] == unchanged, where
        assert int(got["poll"]["since"]) == (prev_rows[2] if any(unchanged) else 0), where
        seen = set(want.coins)
        absent = [c for c in prev_ok.coins if c not in seen] if is_ok and prev_ok else []
        assert sorted(got["absent"]) == sorted(absent), where
        now = lies.Answers(pages, want, slot)
        check_drift(got["drift"], lies.expected_drift(now, answers, answers_ok, absent), where)
        check_flags(got["flag"], lies.expected_flags(now, answers), now, answers, where)
        answers, answers_ok = now, now if is_ok else answers_ok
        prev_rows, series = (slot, want, offset), written
        prev_ok = want if is_ok else prev_ok


def check_drift(got, want, where):
    def comparable(kind, field, before, after):
        if kind == "new" and field not in lies.KEYS:
            after = "?"
        return kind, field, before, after.split(":")[0] if kind == "membership" else after

    assert {comparable(*d) for d in got} == want, where


def check_flags(got, want, now, before, where):
    """Each flag, and that its detail shows the values."""

    def check_shown(text, row, column):
        kind = oracle.COLUMNS[column][0]
        got = None if text == "null" else text if kind == oracle.TIME else oracle.Lexeme(text)
        check_cell(got, row[column], kind, f"{where} {column}")

    assert [(coin, rule) for coin, rule, _ in got] == want, where
    for coin, rule, detail in got:
        assert detail and (" -> " in detail) == rule.endswith("_jump"), where
        for column, _, values in (part.partition(" ") for part in detail.split(", ")):
            old, _, new = values.rpartition(" -> ")
            check_shown(new, now.rows[coin], column)
            if old:
                check_shown(old, before.rows[coin], column)


def check_refusals(got, want, first, where):
    assert len(got) == len(want), where
    for g, w in zip(got, want):
        assert (int(g["offset"]), int(g["index"])) == (first + w["page"] - 1, w["index"]), where
        assert (g["reason"], g["coin"]) == (w["reason"], w["coin"]), f"{where}: {g} {w}"
        assert w["field"] is None or g["field"] == w["field"], f"{where}: {g} {w}"
        assert len(g["value"].encode()) <= oracle.MAX_VALUE


def captures():
    return sorted((CAPTURES / "markets").glob("*")) if CAPTURES.is_dir() else []


def test_every_capture_comes_out_as_it_went_in(tmp_path):
    files = captures()
    if not files:
        pytest.skip(f"no captures in {CAPTURES}")
    bodies = [f.read_bytes() for f in files]
    # each twice, so that its rows are unchanged; and as the second page of another
    polls = [(True, [b]) for body in bodies for b in (body, body)]
    polls += [(False, [a, b]) for a, b in zip(bodies, bodies[1:])]
    check_polls(polls, tmp_path)
    for body in bodies:
        assert oracle.expected_rows(body) and not oracle.expected_quarantine(body)


def test_every_capture_as_the_back_end_of_july_2026(tmp_path):
    files = [f for f in captures() if f.name.startswith("madjin")]
    if not files:
        pytest.skip(f"no captures in {CAPTURES}")
    polls = []
    for f in files:
        body = f.read_bytes()
        other = json.dumps(lies.as_back_end_b(json.loads(body))).encode()
        polls += [(True, [page]) for page in (body, other, body)]
    check_polls(polls, tmp_path)
    for a, b, again in zip(*[iter(dump(polls, tmp_path))] * 3):
        kinds = [{(kind, field) for kind, field, *_ in poll["drift"]} for poll in (a, b, again)]
        assert not kinds[0] & {("times", "last_updated"), ("digits", "price_change_percentage_24h")}
        assert kinds[1] >= {("times", "last_updated"), ("times", "ath_date"), ("shifted", "ath_date"),
                            ("digits", "price_change_percentage_24h")}
        assert kinds[2] == {("shifted", "ath_date"), ("shifted", "atl_date")}


def test_few_rows_of_the_captures_are_flagged(tmp_path):
    """The limits of the rules were measured on them: less than 1 % each."""
    files = captures()
    if not files:
        pytest.skip(f"no captures in {CAPTURES}")
    rules, n = collections.Counter(), 0
    for f in files:
        poll = oracle.expected_poll([f.read_bytes()])
        now = max(r["last_updated"] for r in poll.rows)
        ranked = lies.ranked_caps(lies.Answers([f.read_bytes()], poll, now))
        n += len(poll.rows)
        for row in poll.rows:
            rules.update(lies.states({**row, "fetched_at": now}, ranked))
    assert n > 1500 and all(count < 0.01 * n for count in rules.values()), rules


def test_error_bodies_are_no_polls(tmp_path):
    files = sorted((CAPTURES / "errors").glob("*")) if CAPTURES.is_dir() else []
    if not files:
        pytest.skip(f"no captures in {CAPTURES}")
    for got in dump([(True, [f.read_bytes()]) for f in files], tmp_path):
        assert "array" in got["poll"]["error"]


class Maker:
    """Makes bodies: mostly sound rows, sprinkled with what nobody should send."""

    NUMBERS = ["0", "-0", "0.0", "1e5", "1E+2", "2.1e+15", "9.68e-06", "-12.50", "21000000.0",
               "420000000000000000", "1.9026007997779706e+37", "0.1234567890123456789",
               "123456789012345678901234567890", "9223372036854775807", "9223372036854775808",
               "-9223372036854775808", "1e-1000", "1e1000", "1e1001", "1e-1001", "0e99999999",
               "1e99999999999", "1" + "0" * 127, "1" + "0" * 128, "0." + "0" * 126, "7.0", "7.5",
               "1e18", "1e19", "12345678901234567890e-2", "0.00001e5", "100e-2"]
    TIMES = ["2026-11-23T14:30:00.123Z", "2021-11-10 14:24:11+01:00", "2024-02-29T23:59:60Z",
             "2023-02-29T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z",
             "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "2026-11-23", "",
             "2026-11-23t14:30:00z", "2026-11-23T14:30:00", "2026-13-01T00:00:00Z",
             "2026-11-23T24:00:00Z", "2026-11-23T14:30:00.1234567890Z", "2026-11-23T14:30:00.Z",
             "1900-02-29T00:00:00Z", "2000-02-29T00:00:00.5+23:59", "2026-11-23T14:30:00+2:00"]
    STRINGS = [b"btc", b"", b"\\u20bf", b"\\ud83d\\ude00", b"\\ud83d", b"\\ude00", b"\\ud83d\\u0041",
               b"\\ud83d\\ud83d", b"\\u0000", b"a\\u0000b", b"\\u200b\\u200bStable",
               "币安人生".encode(), b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
               b"\xe2\x82", b"a\\\"b\\\\c\\/\\b\\f\\n\\r\\t", b"\x7f", b"x" * 300, "é".encode() * 150,
               b"\\u00e9\\n" * 60, b"\\\\\\\"" * 3, b"\xf0\x9f\x98\x80", b"\\uD83D\\uDE00\\u0001",
               b"\\udbff\\udfff", b"\\ud800\\ud800\\udc00", b"\\\\ud800", b"\xef\xbb\xbf"]
    IDS = [b"bitcoin", b"ethereum", b"1move token", b"boringdao-[old]", b"-x", b"\\u0062itcoin",
           b"hive_dollar", b"a" * 256, b"a" * 257, "é".encode() * 128]
    JUNK = [b"null", b"true", b"false", b"0", b'""', b'"x"', b"[]", b"{}", b"[1,[2,{}]]",
            b'{"a":{"b":[null,"\\ud800"]}}', b'["\xff"]', b'{"\\u0000":1}']
    # what makes the whole page no JSON
    POISON = [b"tru", b"01", b"1.", b".5", b"+1", b"-", b"1e", b"NaN", b"Infinity", b'"\\x"', b"'a'",
              b'"a\nb"', b'"a', b"[1,]", b'{"a":1,}', b'{"a" 1}', b'{"a"}', b"{1:2}", b"[1 2]", b"",
              b"\xff", b"//", b'"\\u12"', b'"\\u12g4"', b"]", b"}", b"nulll", b"-01", b"1_0", b"\x00",
              b"0x10", b'{"a":1 "b":2}', b"[" * 40 + b"]" * 40, b'"\t"', b'{"a"::1}', b"[,1]",
              b"1.e5", b"--1", b"\x0c", b"\xc2\xa0", b'{,}', b'"\\ud83d\\x"', b'"\\u"']

    def __init__(self, seed):
        self.random = random.Random(seed)

    def chance(self, one_in):
        return self.random.randrange(one_in) == 0

    def space(self):
        return self.random.choice([b"", b"", b"", b" ", b"\n  ", b"\r\n", b"\t"])

    def string(self):
        parts = self.random.choices(self.STRINGS, k=self.random.choice([1, 1, 2]))
        return b'"' + b"".join(parts) + b'"'

    def number(self):
        if self.chance(3):
            return self.random.choice(self.NUMBERS).encode()
        digits = "".join(self.random.choices("0123456789", k=self.random.randint(1, 20)))
        text = self.random.choice(["", "-"]) + str(int(digits))
        if self.chance(2):
            text += "." + "".join(self.random.choices("0123456789", k=self.random.randint(1, 17)))
        if self.chance(4):
            text += self.random.choice("eE") + self.random.choice(["", "+", "-"])
            text += str(self.random.randint(0, 40))
        return text.encode()

    def sound(self, kind):
        if kind == oracle.NUM:
            return str(round(self.random.uniform(-1e6, 1e6), self.random.randint(0, 9))).encode()
        if kind == oracle.INT:
            return str(self.random.randint(1, 5000)).encode()
        if kind == oracle.TIME:
            return b'"' + self.TIMES[self.random.randrange(2)].encode() + b'"'
        if kind == oracle.SERIES:
            return b"[1.5, 2e-7 ,null,3]" if self.chance(2) else b"[]"
        return self.random.choice([b'"usd"', b'"Bitcoin \\u20bf"', '"é币"'.encode()])

    def odd(self, kind):
        if self.chance(4):
            return self.random.choice(self.JUNK)
        if kind in (oracle.NUM, oracle.INT):
            return self.number()
        if kind == oracle.TIME:
            return b'"' + self.random.choice(self.TIMES).encode() + b'"'
        if kind == oracle.SERIES:
            return self.random.choice([b'[1,"2"]', b"[[]]", b"[true]", b"[{}]", b"[1e9999,-0]", b"7"])
        return self.string()

    def value(self, kind, oddity):
        if self.chance(12):
            return b"null"
        return self.odd(kind) if self.chance(oddity) else self.sound(kind)

    def members(self, members, oddity):
        if self.chance(2):
            self.random.shuffle(members)
        if self.chance(oddity):
            members.append(self.random.choice(members or [(b'"x"', b"1")]))
        if self.chance(oddity):
            keys = [b'"new_field"', b'"\\u006eew_field"', b'"roi.times"', b'""', b'"id "', b'"\\ud800"',
                    b'"\xff"', b'"\\u0000"', b'"nested"', b'"fetched_at"', b'"roi_times"']
            members.insert(self.random.randint(0, len(members)),
                           (self.random.choice(keys), self.random.choice(self.JUNK)))
        space = self.space
        return b"{" + b",".join(space() + k + space() + b":" + space() + v + space()
                                for k, v in members) + b"}"

    def object(self, name, oddity):
        if self.chance(3):
            return b"null"
        if self.chance(oddity):
            return self.random.choice(self.JUNK)
        return self.members([(b'"' + key.split(".")[1].encode() + b'"', self.value(kind, oddity))
                             for key, (_, kind) in oracle.COLUMN_OF.items()
                             if key.startswith(name + ".")], oddity)

    def row(self, n, oddity):
        members, done = [], set()
        for key, (_, kind) in oracle.COLUMN_OF.items():
            name = key.split(".")[0]
            if name in done or self.chance(60):
                continue
            done.add(name)
            if key == "id":
                value = b'"coin-%d"' % n
                if self.chance(oddity):
                    value = b'"' + self.random.choice(self.IDS) + b'"'
                elif self.chance(oddity):
                    value = self.odd(kind)
            elif name in oracle.OBJECTS:
                value = self.object(name, oddity)
            elif key in oracle.NEEDED and not self.chance(oddity):
                value = self.sound(kind)
            else:
                value = self.value(kind, oddity)
            spelled = name.encode() if not self.chance(40) else name.encode().replace(b"i", b"\\u0069")
            members.append((b'"' + spelled + b'"', value))
        return self.members(members, oddity)

    def page(self, first, rows, oddity, poison=False):
        elements = [self.random.choice(self.JUNK) if self.chance(30 * oddity)
                    else self.row(first + n, oddity) for n in range(rows)]
        if poison:
            bad = self.random.choice(self.POISON)
            if self.chance(2):
                bad = b'{"id":"x","symbol":"x","name":"x","extra":' + bad + b"}"
            elements.insert(self.random.randint(0, len(elements)), bad)
        body = b"[" + b",".join(self.space() + e + self.space() for e in elements) + b"]"
        return self.space() + body + self.space()


SEEDS = seeds(40)


@pytest.mark.parametrize("seed", SEEDS)
def test_made_up_polls_come_out_as_the_oracle_says(seed, tmp_path):
    maker = Maker(seed)
    polls = []
    for _ in range(10):
        oddity = maker.random.choice([3, 30, 300])
        page = maker.page(maker.random.randint(0, 3), maker.random.randint(0, 12), oddity)
        polls.append((not maker.chance(4), [page]))
        if maker.chance(2):  # nearly the same again: some rows are unchanged
            polls.append((not maker.chance(4), [page, maker.page(6, 8, 100)]))
        if maker.chance(3):
            polls.append((True, [page.replace(b"bitcoin.png?1", b"bitcoin.png?2")
                                 .replace(b".5,", b".50,")]))
    check_polls(polls, tmp_path)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_no_json_is_refused_as_a_whole(seed, tmp_path):
    maker = Maker(seed)
    polls = [(True, [maker.page(0, maker.random.randint(0, 4), 300, poison=True)])
             for _ in range(20)]
    polls += [(True, [tail]) for tail in (
        b"", b" ", b"[", b"[]]", b"[] x", b"[],", b"{}", b"null", b'"x"', b"1", b"\xef\xbb\xbf",
        b"[]\x00", b"[\x00]", b"\xef\xbb\xbf\xef\xbb\xbf[]", b"\xfe\xff[]", b"[][]", b"[{}", b"[\"",
        b"[" * 33 + b"]" * 33, b"[{" , b'[{"id"', b'[{"id":', b'[{"id":"x"', b'[{"id":"x",')]
    check_polls(polls, tmp_path)


def test_cut_anywhere_a_page_is_refused(tmp_path):
    page = Maker(7).page(0, 2, 300).strip()
    check_polls([(True, [page[:n]]) for n in range(0, len(page), 3)], tmp_path)


@pytest.mark.parametrize("seed", SEEDS[::8])
def test_a_byte_flipped_anywhere_does_what_the_oracle_says(seed, tmp_path):
    maker = Maker(seed)
    page, polls = maker.page(0, 3, 300), []
    for _ in range(100):
        at = maker.random.randrange(len(page))
        polls.append((True, [page[:at] + bytes([maker.random.randrange(256)]) + page[at + 1:]]))
    check_polls(polls, tmp_path)
