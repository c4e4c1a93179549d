# SPDX-License-Identifier: Apache-2.0
"""What must become of bodies of market_chart and ohlc, worked out independently of the program.

    expected(endpoint, target, fetched, body)    (rows, refusals); raises oracle.Rejected

fetched in µs. Rows are tuples: (ms, coin, step, then the values' lexemes). Refusals are (index, coin, field, reason).
"""
import decimal
import urllib.parse

from oracle import MAX_UNKNOWN, NUMBER_TEXT, Lexeme, Object, Refused, Rejected, cut, is_text, read_json, read_number

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
LAST = 253402300799999
SETTLE = 35 * MINUTE
LINES = ("prices", "market_caps", "total_volumes")
VALUES = ("open", "high", "low", "close")


class Asked:
    def __init__(self, target, fetched_us):
        url = urllib.parse.urlsplit(target)
        self.coin = urllib.parse.unquote(url.path.rpartition("/coins/")[2].split("/")[0])
        query = dict(urllib.parse.parse_qsl(url.query))
        self.made = fetched_us / 1000
        self.is_to_now = "days" in query
        if self.is_to_now:
            self.span = None if query["days"] == "max" else int(query["days"]) * DAY
            self.since, self.until = None if self.span is None else self.made - self.span, self.made
        else:
            self.since, self.until = int(query["from"]) * 1000, int(query["to"]) * 1000
            self.span = self.until - self.since
            self.is_to_now = self.until > self.made - SETTLE
        self.step = {"daily": DAY, "hourly": HOUR, "5m": 5 * MINUTE, None: None}[query.get("interval")]

    def spans(self, days):
        return self.span is not None and self.span <= days * DAY


def read_ms(value):
    if type(value) is not Lexeme:
        raise Refused("wrong type")
    try:
        number = decimal.Decimal(value)
    except decimal.InvalidOperation:
        raise Refused("out of range") from None
    if len(value) > 128 or number != number.to_integral_value() or not 0 <= number <= LAST:
        raise Refused("out of range")
    return int(number)


def read_value(value):
    """None, or its lexeme."""
    if value is None:
        return None
    if type(value) not in (Lexeme, str) or not NUMBER_TEXT.fullmatch(value):
        raise Refused("wrong type")
    read_number(value)
    return str(value)


def middle_step(times):
    steps = sorted(b - a for a, b in zip(times, times[1:]) if b > a)
    return steps[(len(steps) - 1) // 2] if steps else None


def finish(asked, made, names, refusals):
    """made: (index, ms, step, values)"""
    rows, seen = [], set()
    for index, ms, step, values in made:
        dropped, cells = [], []
        for name, value in zip(names, values):
            try:
                cells.append(read_value(value))
            except Refused as e:
                cells.append(None)
                dropped.append((index, asked.coin, name, str(e)))
        if ms in seen:
            refusals.append((index, asked.coin, "", "duplicate key"))
            continue
        seen.add(ms)
        refusals += dropped
        rows.append((ms, asked.coin, step, *cells))
    return rows, refusals


def collect(asked, pairs):
    """(points, refusals); a point is [index, ms, {line: value}]"""
    points, refusals, first, seen, unknown = [], [], {}, set(), []
    for key, value in pairs:
        if not is_text(key):
            refusals.append((0, "", None, "bad text"))
            continue
        if key not in LINES:
            if key not in unknown and len(unknown) < MAX_UNKNOWN:
                unknown.append(key)
            elif key not in unknown:
                continue
            elif key in seen:
                raise Rejected("twice")
            seen.add(key)
            continue
        if key in seen:
            raise Rejected("twice")
        seen.add(key)
        if value is None:
            continue
        if type(value) is not list:
            refusals.append((0, "", key, "wrong type"))
            continue
        for i, pair in enumerate(value):
            try:
                if type(pair) is not list or len(pair) != 2:
                    raise Refused("wrong type")
                ms = read_ms(pair[0])
            except Refused as e:
                refusals.append((i, asked.coin, key, str(e)))
                continue
            here = [p for p in [points[i] if i < len(points) else None] if p and p[1] == ms and key not in p[2]]
            if not here and ms in first and key not in first[ms][2]:
                here = [first[ms]]
            if not here:
                here = [[i, ms, {}]]
                points += here
                first.setdefault(ms, here[0])
            here[0][2][key] = pair[1]
    if "prices" not in seen:
        raise Rejected("no prices")
    return points, refusals


def points_of(asked, value):
    if type(value) is not Object:
        raise Rejected("no object")
    points, refusals = collect(asked, value)
    step = middle_step([p[1] for p in points]) or asked.step or (5 * MINUTE if asked.spans(1) else HOUR if asked.spans(90) else DAY)
    step = 5 * MINUTE if step < 20 * MINUTE else HOUR if step < 12 * HOUR else DAY
    last = [max((p[1] for p in points), default=None)]
    kept = points
    if points:
        if asked.is_to_now and last[0] > asked.made - DAY:
            kept = [p for p in kept if p[1] < last[0] - MINUTE]
        if step == DAY:
            kept = [p for p in kept if p[1] < asked.made - SETTLE]
    return finish(asked, [(i, ms, step // 1000, [v.get(line) for line in LINES]) for i, ms, v in kept], LINES, refusals)


def candles_of(asked, value):
    if type(value) is not list:
        raise Rejected("no array")
    candles, refusals = [], []
    for i, candle in enumerate(value):
        try:
            if type(candle) is not list or len(candle) != 5:
                raise Refused("wrong type")
            candles.append((i, read_ms(candle[0]), candle[1:]))
        except Refused as e:
            refusals.append((i, asked.coin, "", str(e)))
    step = middle_step([c[1] for c in candles]) or asked.step or (30 * MINUTE if asked.spans(2) else 4 * HOUR if asked.spans(30) else 4 * DAY)
    last = max((c[1] for c in candles), default=None)
    kept = [c for c in candles if (asked.since is None or c[1] - step >= asked.since) and c[1] <= asked.until
            and c[1] <= asked.made - (SETTLE if c[1] == last else 0)]
    return finish(asked, [(i, ms, step // 1000, values) for i, ms, values in kept], VALUES, refusals)


ENDPOINTS = {"coins/market_chart": points_of, "coins/ohlc": candles_of}
COLUMNS = {"coins/market_chart": ("at", "coin", "step", "price", "market_cap", "total_volume"),
           "coins/ohlc": ("at", "coin", "step", *VALUES)}


def expected(endpoint, target, fetched_us, body):
    return ENDPOINTS[endpoint](Asked(target, fetched_us), read_json(body))
