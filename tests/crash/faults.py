# SPDX-License-Identifier: Apache-2.0
"""What became of the polls of a tape in PostgreSQL after faults, and a table of it: fault, tries, lost, doubled."""
import uuid

from gecko import records


def losses(server, data, database="etl"):
    """(lost, doubled): polls of this tape that are not there whole, and those that are there more than once, or of which rows are."""
    found = records(data)
    ends = {(r["slot_us"], r["offset"]) for r in found if r["type"] == "end"}
    stream = uuid.UUID(found[0]["stream"])
    stored = [line.split("|") for line in server.psql(f"""
        set search_path to geckotape;
        select extract(epoch from slot)::bigint * 1000000, last_offset, loaded, rows_new,
            (select count(*) from market where (slot, job_id) = (poll.slot, poll.job_id)),
            (select count(*) from (select distinct coin_id from market where (slot, job_id) = (poll.slot, poll.job_id)) as coins),
            (select count(*) from raw where (slot, job_id) = (poll.slot, poll.job_id)), pages - pages_missing
        from poll where stream = '{stream}'""", database).splitlines()]
    has_raw = any(int(line[6]) for line in stored)
    lost = doubled = 0
    for slot, offset, loaded, *counts in stored:
        rows_new, n_rows, n_coins, n_raw, n_pages = map(int, counts)
        of_poll = loaded == "rows"
        lost += of_poll and (n_rows < rows_new or has_raw and n_raw < n_pages)
        doubled += of_poll and (n_rows > rows_new or n_coins < n_rows or has_raw and n_raw > n_pages)
    there = [(int(line[0]), int(line[1])) for line in stored]
    owners = [line[0] for line in stored if line[2] == "rows"]
    return lost + len(ends - set(there)), doubled + len(there) - len(set(there)) + len(owners) - len(set(owners))


class FaultTable:
    def __init__(self):
        self.lines = {}

    def note(self, fault, tries, lost=0, doubled=0):
        """As it was found: whoever notes it asserts on it, too."""
        self.lines[fault] = [sum(pair) for pair in zip(self.lines.get(fault, (0, 0, 0)), (tries, lost, doubled))]

    def __str__(self):
        lines = [("fault", "tries", "lost", "doubled"), *((fault, *counts) for fault, counts in sorted(self.lines.items()))]
        return "\n".join(f"{fault:<48} {tries:>6} {lost:>6} {doubled:>8}" for fault, tries, lost, doubled in lines)
