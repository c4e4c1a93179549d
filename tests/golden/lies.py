# SPDX-License-Identifier: Apache-2.0
"""What must be said of answers that changed their shape, and of values that are hardly true, worked
out independently of the program, as oracle.py does for the rows.

    Answers(pages, poll)                          what there is to look at
    expected_drift(answers, before, ok_before, …) {(kind, field, from, to)}
    expected_flags(answers, before, …)            [(coin, rule)], in the program's order
"""
import collections
import datetime
import math

import oracle
from oracle import INT, NUM, SERIES, TEXT, TIME

DAY_US = 86400_000000
HOUR_US = 3600_000000
OPTIONAL = list(oracle.COLUMNS)[list(oracle.COLUMNS).index("last_updated") + 1:]
# JSON key of the row -> the columns that its value fills
KEYS = collections.defaultdict(list)
for _column, (_kind, _key) in oracle.COLUMNS.items():
    KEYS[_key.split(".")[0]].append(_column)
TYPES = {NUM: "number", INT: "whole number", TEXT: "text", TIME: "time"}
PERCENT = [c for c in oracle.COLUMNS if "percentage" in c]
TIMES = [c for c, (kind, _) in oracle.COLUMNS.items() if kind == TIME]


def type_of_key(key):
    return "object" if key in oracle.OBJECTS else TYPES[oracle.COLUMN_OF[key][1]]


def type_of_value(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return {oracle.Lexeme: "number", str: "text", oracle.Object: "object", list: "array"}[type(value)]


class Answers:
    """The elements of a poll's pages beside the rows that came of them."""

    def __init__(self, pages, poll, slot):
        self.poll, self.slot = poll, slot
        self.rows = {r["id"]: r for r in poll.rows}
        self.has_bom = any(p.startswith(b"\xef\xbb\xbf") for p in pages)
        self.n_rows, self.keys = 0, collections.Counter()
        self.wrong, self.quoted = collections.defaultdict(list), set()
        self.samples = collections.defaultdict(list)  # top-level unknown key -> (row or None, value)
        n_kept = 0
        for element, is_kept in zip((e for p in pages for e in oracle.read_json(p)), poll.kept,
                                    strict=True):
            if type(element) is oracle.Object:
                self.read(element, n_kept)
            n_kept += is_kept

    def read(self, element, row):
        self.n_rows += 1
        seen = set()
        for key, value in element:
            if not oracle.is_text(key) or key in seen:
                continue
            seen.add(key)
            if key not in KEYS:
                sample = self.samples[key]
                if type(value) in (str, oracle.Lexeme) and len(sample) < 8:
                    sample.append((row, value))
                continue
            self.keys[key] += 1
            if key in oracle.OBJECTS and type(value) is oracle.Object:
                members = set()
                for name, inner in value:
                    if oracle.is_text(name) and name not in members and "." not in name:
                        self.look(f"{key}.{name}", key, inner)
                    members.add(name)
            elif key in oracle.OBJECTS:
                if value is not None:
                    self.wrong[key].append("text" if type(value) is str else type_of_value(value))
            else:
                self.look(key, key, value)

    def look(self, field, key, value):
        if field not in oracle.COLUMN_OF:
            return
        column, kind = oracle.COLUMN_OF[field]
        try:
            got = oracle.read_value(value, kind)
        except oracle.Refused as why:
            if str(why) == "wrong type":
                is_bad_series = kind == SERIES and type(value) is list
                self.wrong[key].append("text" if is_bad_series else type_of_value(value))
            return
        if got is not None and kind in (NUM, INT) and type(value) is str:
            self.quoted.add(column)

    def values(self, column):
        return [r[column] for r in self.poll.rows if r[column] is not None]

    def pairs(self, column, before):
        return [(r[column], before.rows[r["id"]][column]) for r in self.poll.rows
                if r["id"] in before.rows and r[column] is not None
                and before.rows[r["id"]][column] is not None]


# ---- drift ----

def is_near(a, b, kind):
    if kind == TIME:
        return abs(a - b) <= 7 * DAY_US
    if kind not in (NUM, INT):
        return a == b
    x, y = float(a), float(b)
    return x <= 2 * y and y <= 2 * x or x >= 2 * y and y >= 2 * x


def has_values_of(column, sample, now, before):
    kind, near = oracle.COLUMNS[column][0], []
    for row, value in sample:
        if row >= len(now.poll.rows):
            continue
        old = before.rows.get(now.poll.rows[row]["id"], {}).get(column)
        if old is None:
            continue
        try:
            near.append(is_near(oracle.read_value(value, kind), old, kind))
        except oracle.Refused:
            near.append(False)
    return 2 * sum(near) > len(near)


def fields(now, before):
    out, taken = set(), set()
    for key in KEYS:
        columns = KEYS[key]
        if columns[0] in OPTIONAL:
            if before and now.n_rows and bool(now.keys[key]) != bool(before.keys[key]):
                out.add(("new", key, "", type_of_key(key)) if now.keys[key] else
                        ("missing", key, type_of_key(key), ""))
            continue
        if not now.n_rows or 2 * now.keys[key] > now.n_rows:
            continue
        renamed = None
        if before and key not in oracle.OBJECTS:
            renamed = next((u for u in now.poll.unknown if u not in taken and
                            has_values_of(columns[0], now.samples.get(u, []), now, before)), None)
        if renamed is None:
            out.add(("missing", key, type_of_key(key), ""))
        else:
            taken.add(renamed)
            out.add(("renamed", key, "", renamed))
    return out | {("new", u, "", "?") for u in now.poll.unknown if u not in taken}


def types(now):
    out = {("text_number", column, "number", "number in quotes") for column in now.quoted}
    for key, wrong in now.wrong.items():
        if len(wrong) >= len(now.values(KEYS[key][0])):
            out.add(("retyped", key, type_of_key(key), wrong[-1]))
    return out


def times(now, before):
    out = set()
    for column in TIMES:
        values = now.values(column)
        if len(values) >= 10:
            nine_tenths = math.ceil(len(values) * 9 / 10)
            says = []
            if sum(v % 10_000_000 == 0 for v in values) >= nine_tenths:
                says.append("whole 10 s")
            elif sum(v % 1_000_000 == 0 for v in values) >= nine_tenths:
                says.append("whole seconds")
            if collections.Counter(values).most_common(1)[0][1] >= nine_tenths:
                says.append("nearly all the same")
            if says:
                out.add(("times", column, "", ", ".join(says)))
        if before and column != "last_updated":
            moves = [a // 1_000_000 - b // 1_000_000 for a, b in now.pairs(column, before)]
            by, n = collections.Counter(moves).most_common(1)[0] if moves else (0, 0)
            if len(moves) >= 10 and 2 * n > len(moves) and by and by % 3600 == 0:
                out.add(("shifted", column, "", f"{by // 3600:+d} h"))
    return out


def digits(now):
    out = set()
    for column in PERCENT:
        values = [v for v in now.values(column) if v]
        rounded = [v for v in values if len(oracle.split_number(v.lexeme)[0]) <= oracle.MAX_DIGITS
                   and oracle.split_number(v.lexeme)[1] >= -1]
        if len(values) >= 20 and 10 * len(rounded) >= 9 * len(values):
            out.add(("digits", column, "", "1 decimal"))
    return out


def membership(now, ok_before, absent):
    if not ok_before:
        return set()
    n, left = len(ok_before.poll.coins), len(absent)
    days = max(0, now.slot - ok_before.slot) / DAY_US
    if left < 3 or left <= n * (0.02 + 0.02 * math.sqrt(days)):
        return set()
    return {("membership", "coins", "", f"{left} of {n} left")}


def expected_drift(now, before, ok_before, absent):
    """before, ok_before: Answers or None; absent: coins. `to` of new fields is "?", as their values
    are of no concern here; of a membership the names are not said."""
    out = fields(now, before) | types(now) | times(now, before) | digits(now)
    out |= membership(now, ok_before, absent)
    return out | ({("bom", "answer", "", "")} if now.has_bom else set())


# ---- flags ----

STATES = ["cap_mismatch", "cap_implausible", "negative", "high_below_low", "price_off_day",
          "price_off_record", "supply_order", "stale"]
NOT_NEGATIVE = ["current_price", "market_cap", "fully_diluted_valuation", "total_volume", "high_24h",
                "low_24h", "circulating_supply", "total_supply", "max_supply", "ath", "atl"]


def number(row, column):
    return math.nan if row[column] is None else float(row[column])


def states(row, ranked):
    """The rules that a row breaks by itself. ranked: (rank, cap) of the rows that have a rank, from 1, and a cap."""
    price, cap, high, low, ath, atl, circulating, total, most = (number(row, c) for c in (
        "current_price", "market_cap", "high_24h", "low_24h", "ath", "atl", "circulating_supply",
        "total_supply", "max_supply"))
    worth = price * circulating
    best = min(ranked, key=lambda r: r[0])[1] if ranked else math.nan
    highest = max(c for _, c in ranked) if 1 in (r for r, _ in ranked) else math.nan
    updated = row["last_updated"]
    broken = {
        "cap_mismatch": cap > 0 and worth > 0 and (cap >= 1.25 * worth or worth >= 1.25 * cap),
        "cap_implausible": cap > highest if row["market_cap_rank"] is None else cap > 2 * best,
        "negative": any(number(row, c) < 0 for c in NOT_NEGATIVE),
        "high_below_low": high < low,
        "price_off_day": high > 0 and price > 1.1 * high or low > 0 and price < 0.9 * low,
        "price_off_record": ath > 0 and price > 1.02 * ath or atl > 0 and price < 0.98 * atl,
        "supply_order": any(b > 0 and a > 1.05 * b for a, b in (
            (circulating, total), (total, most), (circulating, most))),
        "stale": updated is not None and row["fetched_at"] - updated > DAY_US,
    }
    return {rule for rule, is_broken in broken.items() if is_broken}


def changes(row, before):
    def jumped(column, by):
        now, was = number(row, column), number(before, column)
        return now > 0 and was > 0 and max(now / was, was / now) > by

    ranks = row["market_cap_rank"], before["market_cap_rank"]
    moved = None not in ranks and min(ranks) > 0 and abs(ranks[0] - ranks[1])
    out = ["price_jump"] if jumped("current_price", 2) else []
    out += ["rank_jump"] if moved and moved > 50 and moved > min(ranks) // 2 else []
    return out + (["supply_jump"] if jumped("circulating_supply", 1.25) or
                  jumped("total_supply", 1.25) else [])


def ranked_caps(answers):
    return [(r["market_cap_rank"], float(r["market_cap"])) for r in answers.poll.rows
            if r["market_cap_rank"] is not None and r["market_cap_rank"] >= 1 and number(r, "market_cap") > 0]


def expected_flags(now, before):
    out = []
    ranked, ranked_before = ranked_caps(now), ranked_caps(before) if before else []
    for row in now.poll.rows:
        old = before.rows.get(row["id"]) if before else None
        broken = states(row, ranked)
        if old and now.slot // HOUR_US == before.slot // HOUR_US:
            broken -= states(old, ranked_before)
        if old and now.slot - before.slot <= DAY_US:
            out += [(row["id"], rule) for rule in changes(row, old)]
        out += [(row["id"], rule) for rule in STATES if rule in broken]
    return out


# ---- making it happen ----

def as_back_end_b(rows):
    """Rows (as json.loads gives them) as the back end of July 2026 made them, see COINGECKO facts:
    times cut and shifted by -8 h, one last_updated, percentages at one decimal."""

    def shifted(text):
        at = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (at - datetime.timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    newest = max(r["last_updated"] for r in rows)[:18] + "0.000Z"
    return [{**r, "last_updated": newest, "ath_date": shifted(r["ath_date"]),
             "atl_date": shifted(r["atl_date"]),
             "price_change_percentage_24h":
                 None if r["price_change_percentage_24h"] is None
                 else round(r["price_change_percentage_24h"], 1)} for r in rows]
