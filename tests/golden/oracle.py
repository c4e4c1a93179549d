# SPDX-License-Identifier: Apache-2.0
"""What must become of raw coins/markets bodies, worked out independently of the program: Python's
json, Decimal and datetime, and the rules as they are written down.

    expected_poll(pages)        rows, refusals, unknown fields, coins seen; raises Rejected
    expected_rows(body)         just the rows of one page: dicts column -> value
    expected_quarantine(body)   just the refusals
    compare_sqlite(db, …)       fails with the differences between a store and what it should hold
    compare_json_dir(dir, …)    the same for the files of the json: sink

Values are None, Number (a Decimal with its lexeme), int (ranks; times in µs), str, and Series (the
lexemes of a sparkline).
"""
import dataclasses
import datetime
import decimal
import gzip
import json
import pathlib
import re
import sqlite3

MAX_DEPTH = 32
MAX_PAGE_ROWS = 10000
MAX_UNKNOWN = 64
MAX_ID = 256
MAX_VALUE = 200
MAX_LEXEME = 128
MAX_EXPONENT = 1000
MAX_DIGITS = 18
INT64 = range(-(2**63), 2**63)

TEXT, NUM, INT, TIME, SERIES = "text", "num", "int", "time", "series"

# column: (kind, key). A key of two parts is nested.
COLUMNS = {
    "id": (TEXT, "id"),
    "symbol": (TEXT, "symbol"),
    "name": (TEXT, "name"),
    "image": (TEXT, "image"),
    "current_price": (NUM, "current_price"),
    "market_cap": (NUM, "market_cap"),
    "market_cap_rank": (INT, "market_cap_rank"),
    "fully_diluted_valuation": (NUM, "fully_diluted_valuation"),
    "total_volume": (NUM, "total_volume"),
    "high_24h": (NUM, "high_24h"),
    "low_24h": (NUM, "low_24h"),
    "price_change_24h": (NUM, "price_change_24h"),
    "price_change_percentage_24h": (NUM, "price_change_percentage_24h"),
    "market_cap_change_24h": (NUM, "market_cap_change_24h"),
    "market_cap_change_percentage_24h": (NUM, "market_cap_change_percentage_24h"),
    "circulating_supply": (NUM, "circulating_supply"),
    "total_supply": (NUM, "total_supply"),
    "max_supply": (NUM, "max_supply"),
    "ath": (NUM, "ath"),
    "ath_change_percentage": (NUM, "ath_change_percentage"),
    "ath_date": (TIME, "ath_date"),
    "atl": (NUM, "atl"),
    "atl_change_percentage": (NUM, "atl_change_percentage"),
    "atl_date": (TIME, "atl_date"),
    "roi_times": (NUM, "roi.times"),
    "roi_currency": (TEXT, "roi.currency"),
    "roi_percentage": (NUM, "roi.percentage"),
    "last_updated": (TIME, "last_updated"),
    "market_cap_rank_with_rehypothecated": (INT, "market_cap_rank_with_rehypothecated"),
    "sparkline_in_7d": (SERIES, "sparkline_in_7d.price"),
    **{f"price_change_percentage_{span}_in_currency":
       (NUM, f"price_change_percentage_{span}_in_currency")
       for span in ("1h", "24h", "7d", "14d", "30d", "200d", "1y")},
}
COLUMN_OF = {key: (column, kind) for column, (kind, key) in COLUMNS.items()}
OBJECTS = {key.split(".")[0] for key in COLUMN_OF if "." in key}
NEEDED = ("id", "symbol", "name")
PROCESSED = ("id", "symbol", "name", "current_price", "market_cap", "total_volume", "last_updated")


class Rejected(ValueError):
    """The poll as a whole is refused."""


class Refused(ValueError):
    """A value is refused: it becomes None, or its row goes with it."""


class Number(decimal.Decimal):
    lexeme: str


class Lexeme(str):
    """A JSON number as it is written."""


class Object(list):
    """A JSON object as its (key, value) pairs, in order."""


class Series(list):
    """The lexemes of a JSON array of numbers and nulls (None)."""


def is_text(s):
    return not any(0xD800 <= ord(c) <= 0xDFFF or c == "\0" for c in s)


def check_depth(value):
    level, depth = [value], 0
    while level:
        level = [v for v in level if isinstance(v, list)]
        depth += bool(level)
        level = [x for v in level for x in ([p[1] for p in v] if isinstance(v, Object) else v)]
    if depth > MAX_DEPTH:
        raise Rejected("too deep")


def read_json(body):
    """Lists, Objects, Lexemes, str, bool, None; ill-formed bytes as lone surrogates."""

    def no_constant(name):
        raise Rejected(name)

    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    try:
        value = json.loads(text, parse_int=Lexeme, parse_float=Lexeme, parse_constant=no_constant,
                           object_pairs_hook=Object)
    except RecursionError:
        raise Rejected("too deep") from None
    except json.JSONDecodeError as e:
        raise Rejected(str(e)) from None
    check_depth(value)
    return value


NUMBER_TEXT = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?", re.ASCII)


def split_number(lexeme):
    """(significant digits without zeros at either end, their exponent)."""
    _, whole, fraction, exponent = NUMBER.fullmatch(lexeme).groups()
    digits = (whole + (fraction or "")).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return "", 0
    return significant, int(exponent or "0") - len(fraction or "") + len(digits) - len(significant)


def kept_digits(lexeme):
    """The same for the digits that a struct dec has room for."""
    digits, exponent = split_number(lexeme)
    kept = digits[:MAX_DIGITS].rstrip("0")
    return kept, exponent + len(digits) - len(kept)


def read_number(lexeme):
    digits, exponent = kept_digits(lexeme)
    if len(lexeme) > MAX_LEXEME or abs(exponent) > MAX_EXPONENT:
        raise Refused("out of range")
    number = Number(lexeme if digits else "0")
    number.lexeme = str(lexeme)
    return number


def read_int(lexeme):
    if re.fullmatch(r"-?\d+", lexeme, re.ASCII) and len(lexeme) <= 20 and int(lexeme) in INT64:
        return int(lexeme)
    number = read_number(lexeme)
    digits, exponent = kept_digits(lexeme)
    if exponent < 0:
        raise Refused("wrong type")
    if digits != split_number(lexeme)[0] or exponent > MAX_DIGITS or int(number) not in INT64:
        raise Refused("out of range")
    return int(number)


TIME_TEXT = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?"
                       r"(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)
EPOCH = datetime.date(1970, 1, 1).toordinal()


def read_time(text):
    match = TIME_TEXT.fullmatch(text)
    if not match:
        raise Refused("wrong type")
    year, month, day, hour, minute, second = (int(x) for x in match.groups()[:6])
    fraction, sign, off_hour, off_minute = match.groups()[6:]
    try:
        days = datetime.date(year, month, day).toordinal() - EPOCH
    except ValueError:
        raise Refused("wrong type") from None
    if hour > 23 or minute > 59 or second > 60:
        raise Refused("wrong type")
    us = ((days * 24 + hour) * 60 + minute) * 60_000_000 + second * 1_000_000
    us += int((fraction or "").ljust(6, "0")[:6])
    if sign:
        if int(off_hour) > 23 or int(off_minute) > 59:
            raise Refused("wrong type")
        us -= (1 if sign == "+" else -1) * (int(off_hour) * 60 + int(off_minute)) * 60_000_000
    if not -62135596800_000000 <= us < 253402300800_000000:
        raise Refused("wrong type")
    return us


def read_series(value):
    if type(value) is not list or any(x is not None and type(x) is not Lexeme for x in value):
        raise Refused("wrong type")
    return Series(None if x is None else str(x) for x in value)


def read_value(value, kind):
    if value is None:
        return None
    if kind == SERIES:
        return read_series(value)
    if kind in (NUM, INT) and type(value) is str and NUMBER_TEXT.fullmatch(value):
        value = Lexeme(value)
    if type(value) is not (str if kind in (TEXT, TIME) else Lexeme):
        raise Refused("wrong type")
    if kind == NUM:
        return read_number(value)
    if kind == INT:
        return read_int(value)
    if not is_text(value):
        raise Refused("bad text")
    return read_time(value) if kind == TIME else value


def cut(text):
    return text.encode("utf-8", "surrogatepass")[:MAX_VALUE].decode("utf-8", "ignore")


@dataclasses.dataclass
class Poll:
    rows: list = dataclasses.field(default_factory=list)
    refusals: list = dataclasses.field(default_factory=list)  # page (from 1) index coin field reason
    unknown: list = dataclasses.field(default_factory=list)
    kept: list = dataclasses.field(default_factory=list)  # of each element: did it become a row?
    rows_in: int = 0

    @property
    def coins(self):
        """Ids seen: of rows, then of refused rows."""
        return list(dict.fromkeys([r["id"] for r in self.rows] +
                                  [r["coin"] for r in self.refusals if r["coin"]]))


class RowReader:
    """Reads one element: what is wrong about its values, and the first cause that costs the row."""

    def __init__(self, poll):
        self.poll = poll
        self.row = dict.fromkeys(COLUMNS)
        self.cause = None
        self.dropped = []

    def refuse(self, field, reason):
        self.cause = self.cause or (field, reason)

    def drop(self, field, reason):
        self.dropped.append((field, reason))

    @property
    def causes(self):
        return [self.cause] if self.cause else self.dropped

    def read(self, element):
        if type(element) is not Object:
            self.refuse("", "wrong type")
            return
        self.read_object(element, "")
        for column in NEEDED:
            if self.row[column] is None:
                self.refuse(column, "missing")

    def read_object(self, pairs, parent):
        seen = set()
        for key, value in pairs:
            field = parent + key
            known = "." not in key and (field in OBJECTS or field in COLUMN_OF)
            if not is_text(key):
                self.drop(None, "bad text")
            elif not known and not self.note_unknown(field):
                pass
            elif field in seen:
                self.refuse(cut(field), "duplicate key")
            elif known:
                self.read_member(field, value)
            seen.add(field)

    def note_unknown(self, field):
        """False for those beyond the limit, which are not even looked at twice."""
        if field not in self.poll.unknown:
            if len(self.poll.unknown) == MAX_UNKNOWN:
                return False
            self.poll.unknown.append(field)
        return True

    def read_member(self, field, value):
        if field in OBJECTS:
            if type(value) is Object:
                self.read_object(value, field + ".")
            elif value is not None:
                self.drop(field, "wrong type")
            return
        column, kind = COLUMN_OF[field]
        try:
            got = read_value(value, kind)
            if column == "id" and got is not None and len(got.encode()) > MAX_ID:
                raise Refused("out of range")
            self.row[column] = got if column != "id" or got else None
        except Refused as e:
            (self.refuse if column in NEEDED else self.drop)(field, str(e))


def expected_poll(pages, fetched_at=None):
    """pages: bodies; fetched_at: µs of each, added to the rows when given."""
    poll, ids = Poll(), set()
    for n, body in enumerate(pages, 1):
        elements = read_json(body)
        if type(elements) is not list:
            raise Rejected("not an array")
        if len(elements) > MAX_PAGE_ROWS:
            raise Rejected("too many rows")
        poll.rows_in += len(elements)
        for index, element in enumerate(elements):
            reader = RowReader(poll)
            reader.read(element)
            coin = reader.row["id"]
            if reader.cause is None and coin in ids:
                reader.refuse("", "duplicate coin")
            poll.refusals += [{"page": n, "index": index, "coin": coin or "", "field": field,
                               "reason": reason} for field, reason in reader.causes]
            poll.kept.append(reader.cause is None)
            if reader.cause:
                continue
            ids.add(coin)
            if fetched_at:
                reader.row["fetched_at"] = fetched_at[n - 1]
            poll.rows.append(reader.row)
    poll.unknown = [cut(field) for field in poll.unknown]
    return poll


def expected_rows(body):
    return expected_poll([body]).rows


def expected_quarantine(body):
    return expected_poll([body]).refusals


def is_unchanged(row, before):
    """Equal in all but the time of fetching; of the image's URL only what precedes the query.
    Numbers of more digits than a struct dec holds must be written the same."""

    def comparable(r):
        r = {c: v.lexeme if isinstance(v, Number) and len(split_number(v.lexeme)[0]) > MAX_DIGITS
             else v for c, v in r.items()}
        return {**r, "image": r["image"] and r["image"].split("?")[0], "fetched_at": None}

    return comparable(row) == comparable(before)


def changed_rows(rows, before, refused):
    """The rows that a store keeps after a poll `before` of the same hour; refused: coins of which something was refused in this one."""
    old = {r["id"]: r for r in before}
    return [r for r in rows if r["id"] not in old or r["id"] in refused or not is_unchanged(r, old[r["id"]])]


def same_value(got, want, kind):
    """got: as SQLite gives it."""
    if want is None or got is None:
        return got is want
    if kind == NUM:
        number = decimal.Decimal(repr(got) if isinstance(got, float) else got)
        return number == want and (not isinstance(got, str) or len(split_number(want.lexeme)[0]) > 15
                                   or abs(want.adjusted()) > 300)
    if kind == SERIES:
        return json.loads(got, parse_int=str, parse_float=str) == want
    return type(got) is type(want) and got == want


def report(differences):
    assert not differences, "\n".join([f"{len(differences)} differences:", *differences[:20]])


def compare_sqlite(db_path, expected, job=None):
    """expected: {slot in µs: rows that market must hold for it}, or the rows of the only poll;
    job: its name, where the store has several."""
    db = sqlite3.connect(f"file:{db_path}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    found, out = {}, []
    for row in db.execute("SELECT coin.id, coin.symbol, coin.name, coin.image, market.* FROM market "
                          "JOIN coin USING (coin_id) JOIN job USING (job_id) "
                          "WHERE ?1 IS NULL OR job.name = ?1", (job,)):
        found[row["slot"], row["id"]] = row
    db.close()
    if not isinstance(expected, dict):
        slots = {slot for slot, _ in found}
        assert len(slots) <= 1, f"rows of {len(slots)} polls, of one expected"
        expected = {slots.pop() if slots else 0: expected}
    newest = {row["id"]: slot for slot in sorted(expected) for row in expected[slot]}
    for slot, rows in expected.items():
        for want in rows:
            got = found.pop((slot, want["id"]), None)
            if got is None:
                out.append(f"{slot} {want['id']}: not there")
                continue
            for column, (kind, _) in COLUMNS.items():
                if column in ("symbol", "name", "image") and newest[want["id"]] != slot:
                    continue  # coin has the newest ones only
                if not same_value(got[column], want[column], kind):
                    out.append(f"{slot} {want['id']} {column}: {got[column]!r}, "
                               f"want {want[column]!r}")
            if "fetched_at" in want and got["fetched_at"] != want["fetched_at"]:
                out.append(f"{slot} {want['id']} fetched_at: {got['fetched_at']}")
    report(out + [f"{slot} {coin}: should not be there" for slot, coin in found])


def file_time(slot_us):
    seconds, us = divmod(slot_us, 1_000_000)
    text = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    fraction = "" if us == 0 else f".{us // 1000:03}" if us % 1000 == 0 else f".{us:06}"
    return text.strftime("%Y-%m-%dT%H-%M-%S") + fraction + "Z"


def read_file(stem):
    """The file's bytes, whichever way it is compressed; None when there is none."""
    for suffix, undo in (("", bytes), (".gz", gzip.decompress)):
        path = pathlib.Path(str(stem) + suffix)
        if path.exists():
            return undo(path.read_bytes())
    return None


def processed_row(row):
    """The row's object in a processed file, its last_updated as µs."""
    return {c: Lexeme(row[c].lexeme) if isinstance(row[c], Number) else row[c] for c in PROCESSED}


def compare_json_dir(directory, expected, stem="market"):
    """expected: {slot in µs: [bodies]}, or the bodies of the only poll; stem: "market", or the
    job's name. The processed files are compared lexeme by lexeme."""
    directory, out = pathlib.Path(directory), []
    if not isinstance(expected, dict):
        times = {re.sub(r"(_p\d+)?\.json(\.gz)?$", "", path.name.removeprefix(stem + "_"))
                 for path in (directory / "raw").glob(f"{stem}_*.json*")}
        assert len(times) == 1, f"raw files of {len(times)} polls, of one expected: {times}"
        expected = {times.pop(): expected}
    for slot, pages in expected.items():
        begin = f"{stem}_{slot if isinstance(slot, str) else file_time(slot)}"
        names = [f"{begin}{'' if n == 1 else f'_p{n}'}.json" for n in range(1, len(pages) + 1)]
        got = []
        for name, body in zip(names, pages):
            if read_file(directory / "raw" / name) != body:
                out.append(f"raw/{name}: not there, or not the bytes sent")
            processed = read_file(directory / "processed" / name)
            if processed is not None:
                got += [dict(x) for x in read_json(processed)]
        for row in got:
            if row.get("last_updated") is not None:
                row["last_updated"] = read_time(row["last_updated"])
        want = [processed_row(row) for row in expected_poll(pages).rows]
        out += [f"processed/{begin}: {len(got)} rows, want {len(want)}"] if len(got) != len(want) else []
        out += [f"processed/{begin}: {g!r}, want {w!r}" for g, w in zip(got, want)
                if g != w or [type(v) for v in g.values()] != [type(v) for v in w.values()]]
    report(out)
