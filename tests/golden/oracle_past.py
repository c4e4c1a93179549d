# SPDX-License-Identifier: Apache-2.0
"""What a store must answer of any moment, worked out from the polls on the tape: Python alone, and every row of every poll kept.

    market(jobs, vs, at)                      {id: row}
    coins / inactive / newest / currencies / figures / labels(jobs, …)
    series(jobs, vs, coin, at, after, to, step, now)   ohlc(jobs, vs, coin, at, after, to, step)

A job is a Job of Polls, which know at what moment they were whole; nothing of a poll is known before.
"""
import dataclasses

import oracle
import oracle_endpoints

S_US = 1_000_000
HOUR = 3600 * S_US


@dataclasses.dataclass
class Poll:
    slot: int
    outcome: str
    finished: int
    rows: list  # dicts of oracle.COLUMNS and fetched_at; of other endpoints tuples
    seen: set   # ids, of refused rows too
    refused: set  # ids of which something was refused
    left_out: set = dataclasses.field(default_factory=set)  # ids of rows that equal those before


class Job:
    def __init__(self, polls, endpoint="coins/markets", vs="usd", selection="all"):
        """polls: (slot, outcome, bodies, the µs of a page)."""
        self.endpoint, self.vs, self.selection, self.given = endpoint, vs, selection, polls
        self.polls, before = [], None
        for slot, outcome, pages, *pace in polls:
            pace = pace[0] if pace else S_US
            if outcome not in ("ok", "partial"):
                continue
            try:
                read = self.read(pages, [slot + (n + 1) * pace for n in range(len(pages))])
            except oracle.Rejected:  # its rows are nowhere
                before = None
                continue
            poll = Poll(slot, outcome, slot + len(pages) * pace, *read)
            if endpoint == "coins/markets" and before and before.outcome == outcome == "ok" and before.slot // HOUR == slot // HOUR:
                poll.left_out = {row["id"] for row in poll.rows} - {row["id"] for row in oracle.changed_rows(poll.rows, before.rows, poll.refused)}
            self.polls.append(poll)
            before = poll

    def read(self, pages, times):
        if self.endpoint != "coins/markets":
            (body,) = pages
            rows, refusals = oracle_endpoints.expected(self.endpoint, body)
            return [(*row, times[0]) for row in rows], {row[0] for row in rows} | {key for _, key, *_ in refusals if key}, set()
        there = [(body, time) for body, time in zip(pages, times) if body is not None]
        poll = oracle.expected_poll([body for body, _ in there], [time for _, time in there])
        return poll.rows, set(poll.coins), {r["coin"] for r in poll.refusals}

    def known(self, at):
        return [poll for poll in self.polls if poll.finished <= at]


def state(job, at):
    """{id: (its last row, when that was stored)} of the coins that are thought present."""
    rows, absent = {}, set()
    for poll in job.known(at):
        for row in poll.rows:
            key = row["id"] if isinstance(row, dict) else row[0]
            if key not in poll.left_out:
                rows[key] = row
            absent.discard(key)
        if poll.outcome == "ok":
            absent |= set(rows) - poll.seen
    return {key: row for key, row in rows.items() if key not in absent}


def of(jobs, endpoint, vs=None, selection=None):
    return [job for job in jobs if job.endpoint == endpoint and vs in (None, job.vs) and selection in (None, job.selection)]


def market(jobs, vs, at):
    """Of the job that saw the coin last; one that is present was in the last ok poll."""
    found = {}
    for job in of(jobs, "coins/markets", vs):
        told = max((poll.slot for poll in job.known(at) if poll.outcome == "ok"), default=0)
        for key, row in state(job, at).items():
            seen = max(row["fetched_at"], told)
            if key not in found or found[key][0] <= seen:
                found[key] = seen, row
    return {key: row for key, (_, row) in found.items()}


def labels(jobs, at):
    """{id: [(since, symbol, name)]}, of markets alone."""
    told = []
    for job in of(jobs, "coins/markets"):
        for poll in job.known(at):
            told += [(row["fetched_at"], row["id"], row["symbol"], row["name"]) for row in poll.rows]
    found = {}
    for since, key, symbol, name in sorted(told):
        names = found.setdefault(key, [])
        if not names or names[-1][1:] != (symbol, name):
            names.append((since, symbol, name))
    return found


def first_seen(jobs, at):
    found = {}
    for job in jobs:
        for poll in job.known(at):
            for row in poll.rows if job.endpoint in ("coins/markets", "coins/list") else []:
                key, time = (row["id"], row["fetched_at"]) if isinstance(row, dict) else (row[0], row[-1])
                found[key] = min(found.get(key, time), time)
    return found


def lists(jobs, selection, at):
    return [job for job in of(jobs, "coins/list", selection=selection) if job.known(at)]


def coins(jobs, at):
    """Ids."""
    of_lists = lists(jobs, "all", at)
    return sorted(set().union(*(state(job, at) for job in of_lists)) if of_lists else first_seen(jobs, at))


def inactive(jobs, at):
    of_lists = lists(jobs, "inactive", at)
    return sorted(set().union(*(state(job, at) for job in of_lists))) if of_lists else None


def newest(jobs, at):
    """[(id, since)]"""
    of_lists = lists(jobs, "all", at)
    if not of_lists:
        return None
    begin = min(job.polls[0].finished for job in of_lists)
    return sorted(((key, since) for key, since in first_seen(jobs, at).items() if since > begin), key=lambda x: (-x[1], x[0]))[:200]


def currencies(jobs, at):
    return sorted({job.vs for job in of(jobs, "coins/markets") if any(poll.rows for poll in job.known(at))})


def figures(jobs, at):
    """[(figure, part, lexeme)]"""
    known = [job.known(at)[-1] for job in of(jobs, "global") if job.known(at)]
    if not known:
        return None
    newest_poll = max(known, key=lambda poll: poll.slot)
    return [(figure, part or "", value) for _, figure, part, value, _ in sorted(newest_poll.rows)]


def points(jobs, vs, coin, at):
    """(when, price, cap, volume) of every poll that had the coin, in order."""
    found = []
    for job in of(jobs, "coins/markets", vs):
        for poll in job.known(at):
            for row in poll.rows:
                if row["id"] == coin and row["current_price"] is not None:
                    when = poll.finished if coin in poll.left_out else row["fetched_at"]
                    found.append((when, row["current_price"], row["market_cap"], row["total_volume"]))
    return sorted(found, key=lambda point: point[0])


def series(jobs, vs, coin, at, after, to, step, is_of_now):
    """The first point of each step that comes after `after`, and of a chart of now the last of all."""
    drawn, first, last = [], {}, None
    for point in points(jobs, vs, coin, at):
        if after // step * step <= point[0] <= to:
            first.setdefault(point[0] // step, point)
            last = point
    drawn = [point for point in first.values() if point[0] > after]
    if is_of_now and last and last[0] > after and last[0] != first[last[0] // step][0]:
        drawn.append(last)
    return drawn


def sparks(jobs, vs, coins, at, begin, end, step):
    """(coin, slot, price) by the first poll of each job in each step of slots."""
    found = []
    for job in of(jobs, "coins/markets", vs):
        first = {}
        for poll in job.known(at):
            if begin <= poll.slot < end:
                first.setdefault((poll.slot - begin) // step, poll)
        found += [(row["id"], poll.slot, row["current_price"]) for poll in first.values() for row in poll.rows
                  if row["id"] in coins and row["current_price"] is not None]
    return sorted(found)


def ohlc(jobs, vs, coin, at, after, to, step):
    """(when it closes, open, high, low, close)"""
    steps = {}
    for when, price, *_ in points(jobs, vs, coin, at):
        if after < when <= to:
            steps.setdefault(when // step, []).append(price)
    return [((n + 1) * step, prices[0], max(prices), min(prices), prices[-1]) for n, prices in steps.items()]
