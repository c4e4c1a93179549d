# SPDX-License-Identifier: Apache-2.0
"""What must become of bodies of coins/list, global and simple/supported_vs_currencies, worked out independently of the program.

    expected(endpoint, body)    (rows, refusals); raises oracle.Rejected
    stored(db, endpoint, job)   the same rows as SQLite has them, by slot

Rows are tuples: (id, symbol, name); (id, figure, part, lexeme); (id,). Refusals are (index, id, field, reason), field None where the
key is no text.
"""
import decimal
import re
import sqlite3

from oracle import MAX_ID, MAX_UNKNOWN, Lexeme, Object, Refused, Rejected, cut, is_text, read_json, read_number

LISTED = ("id", "symbol", "name")
NUMERAL = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


class Reader:
    """Rows of one body: the first of each id counts, what is refused is told by its place."""

    def __init__(self, twice):
        self.rows, self.refusals, self.unknown, self.ids, self.index, self.twice = [], [], [], set(), 0, twice

    def end_row(self, row, cause, dropped=()):
        """cause: (field, reason) that costs the row; dropped: those that cost a value."""
        key = row[0]
        cause = cause or (("id", "missing") if not key else None) or (("", self.twice) if key in self.ids else None)
        self.refusals += [(self.index, key or "", *c) for c in ([cause] if cause else dropped)]
        if not cause:
            self.ids.add(key)
            self.rows.append(row)
        self.index += 1

    def is_new(self, field):
        """Is it among the unknown fields that are looked at twice?"""
        if field not in self.unknown and len(self.unknown) < MAX_UNKNOWN:
            self.unknown.append(field)
        return field in self.unknown


def checked_id(text):
    """(id, cause)"""
    return (None, ("out of range",)) if len(text.encode("utf-8", "surrogatepass")) > MAX_ID else (text or None, None)


def listing(value):
    reader = Reader("duplicate coin")
    if type(value) is not list:
        raise Rejected("not an array")
    for element in value:
        row, causes, dropped, seen = dict.fromkeys(LISTED), [], [], set()
        if type(element) is not Object:
            reader.end_row((None,), ("", "wrong type"))
            continue
        for key, given in element:
            if not is_text(key):
                dropped.append((None, "bad text"))
                continue
            is_known = key in LISTED or key == "platforms"
            if not is_known and not reader.is_new(key):
                continue
            if key in seen:
                causes.append((cut(key), "duplicate key"))
            elif key in LISTED and given is not None:
                reason = "wrong type" if type(given) is not str else "bad text" if not is_text(given) else None
                text = given
                if key == "id" and reason is None:
                    text, why = checked_id(given)
                    reason = why and why[0]
                if reason:
                    causes.append((key, reason))
                else:
                    row[key] = text
            seen.add(key)
        causes += [(key, "missing") for key in LISTED if row[key] is None]
        reader.end_row(tuple(row[key] for key in LISTED), causes[0] if causes else None, dropped)
    return reader


def figures(reader, pairs, figure):
    for key, value in pairs:
        if value is None or type(value) is Lexeme or (type(value) is str and NUMERAL.fullmatch(value)):
            whole = key if figure is None else f"{figure}.{key}"
            field = f"{figure}.{key}" if figure else key
            if not is_text(key):
                reader.end_row((None,), (None, "bad text"))
                continue
            name, why = checked_id(whole)
            dropped, lexeme = [], value
            try:
                if value is not None:
                    read_number(Lexeme(value))
            except Refused as e:
                dropped, lexeme = [(field if len(field) < 200 else None, str(e))], None
            cause = (field if len(field) < 200 else None, why[0]) if why else None
            row = (name, figure, key, lexeme) if figure is not None else (name, key, None, lexeme)
            reader.end_row(row, cause, dropped)
        elif type(value) is Object and figure is None and is_text(key) and len(key.encode()) <= MAX_ID:
            figures(reader, value, key)


def globe(value):
    reader = Reader("duplicate key")
    data = [v for k, v in value if k == "data"] if type(value) is Object else []
    if len(data) != 1 or type(data[0]) is not Object:
        raise Rejected("no data")
    figures(reader, data[0], None)
    return reader


def currencies(value):
    reader = Reader("duplicate key")
    if type(value) is not list:
        raise Rejected("not an array")
    for element in value:
        if type(element) is not str or not is_text(element):
            reader.end_row((None,), ("", "bad text" if type(element) is str else "wrong type"))
            continue
        key, why = checked_id(element)
        reader.end_row((key,), why and ("", why[0]))
    return reader


ENDPOINTS = {"coins/list": listing, "global": globe, "simple/supported_vs_currencies": currencies}


def expected(endpoint, body):
    reader = ENDPOINTS[endpoint](read_json(body))
    return reader.rows, reader.refusals


def same_number(got, lexeme):
    """got: as SQLite gives it."""
    if got is None or lexeme is None:
        return got is lexeme
    return decimal.Decimal(repr(got) if isinstance(got, float) else got) == decimal.Decimal(lexeme)


STORED = {
    "coins/list": "SELECT slot, coin.id, coin.symbol, coin.name FROM listing JOIN coin USING (coin_id)",
    "global": "SELECT slot, id, figure, part, value FROM global",
    "simple/supported_vs_currencies": "SELECT slot, id FROM vs_currency",
}


def stored(db_path, endpoint, job):
    """{slot: {id: the rest of the row}}"""
    out = {}
    with sqlite3.connect(f"file:{db_path}?mode=ro", uri=True) as db:
        for slot, key, *rest in db.execute(f"{STORED[endpoint]} JOIN job USING (job_id) WHERE job.name = ?", (job,)):
            out.setdefault(slot, {})[key] = rest
    db.close()
    return out
