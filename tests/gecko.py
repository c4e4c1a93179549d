# SPDX-License-Identifier: Apache-2.0
"""What process tests share: the binary, markets to serve, and what must hold afterwards."""
import collections
import contextlib
import datetime
import glob
import json
import os
import pathlib
import random
import re
import select
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "golden"))
BINARY = os.environ.get("GECKOTAPE", str(ROOT / "build" / "geckotape"))
CAPTURES = ROOT.parent / "shared" / "captures"

# sanitizers want to be loaded before anything else, faketime too
IS_SANITIZED = any(mark in pathlib.Path(BINARY).read_bytes() for mark in (b"__asan_init", b"__tsan_init"))

FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")

# sanitizers slow everything down; deadlines are for hangs, not for speed
PATIENCE = 60.0


def clean_env(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("GECKOTAPE_") and "proxy" not in k.lower()}
    env.update(more)
    return env


def fake_clock(**more):
    """The environment of a wall clock that is wrong; the monotonic one is left alone."""
    return clean_env(LD_PRELOAD=FAKETIME[0], FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1", DONT_FAKE_MONOTONIC="1", **more)


def under_env(under):
    """No leaks can be looked for by what runs under strace."""
    return clean_env(**({"ASAN_OPTIONS": "detect_leaks=0"} if under else {}))


def gecko(*args, timeout=PATIENCE, env=None, cwd=None, check=None, under=()):
    """Run to the end; check: the exit code that must come."""
    done = subprocess.run([*under, BINARY, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout, env=env or under_env(under), cwd=cwd, check=False)
    if check is not None:
        assert done.returncode == check, f"exit {done.returncode}, want {check}\n{done.stdout}\n{done.stderr}"
    return done


def verbs():
    """All of them, as --help lists them."""
    listed = gecko("--help", check=0).stdout.split("Verbs:")[1].split("Start here")[0]
    return re.findall(r"^  ([a-z-]+) ", listed, re.MULTILINE)


class Running:
    """A geckotape that keeps running; its stdout is read as it comes."""

    def __init__(self, *args, env=None, cwd=None, under=()):
        self.process = subprocess.Popen([*under, BINARY, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        env=env or under_env(under), cwd=cwd)
        self.output = ""
        os.set_blocking(self.process.stdout.fileno(), False)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def read(self, wait=0.0):
        ready, _, _ = select.select([self.process.stdout], [], [], wait)
        if ready:
            chunk = self.process.stdout.read()
            if chunk:
                self.output += chunk.decode(errors="replace")
        return self.output

    def expect(self, pattern, timeout=PATIENCE):
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            found = re.search(pattern, self.read(0.05))
            if found:
                return found
            if self.process.poll() is not None:
                self.read(0.2)
                found = re.search(pattern, self.output)
                assert found, f"ended with {self.process.returncode} before {pattern!r}:\n{self.output}"
                return found
        raise AssertionError(f"no {pattern!r} within {timeout} s:\n{self.output}")

    def port(self):
        return int(self.expect(r"port=(\d+)")[1])

    def stop(self, sig=signal.SIGTERM, timeout=PATIENCE):
        self.process.send_signal(sig)
        code = self.process.wait(timeout)
        self.read(0.2)
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()


def get(port, path, headers=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers or {})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.read()


def get_stored(port, path):
    """What the store answers: it is asked again while it is busy, as on a slow machine that takes longer than the 2 s a question may take."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return get(port, path)
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > until:
                raise
            error.close()
        time.sleep(0.1)


def wait_for(condition, timeout=PATIENCE, what="condition"):
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"no {what} within {timeout} s")


def market_body(n, step=0, first=0, seed=1):
    """A page of n coins as CoinGecko writes them; about half the rows differ from step to step."""
    rows = []
    for i in range(first, first + n):
        dice = random.Random(f"{seed}-{i}-{step if (i + step) % 2 else step - 1}")
        price = dice.choice(["9.68e-06", "77074", "0.1234567890123", str(dice.randint(1, 10**6) / 100), "2.1e+15"])
        rows.append(
            f'{{"id":"coin-{i}","symbol":"c{i % 7}","name":"Coin \\"{i}\\" \u00e9","image":"https://example.invalid/{i}.png?{step}",'
            f'"current_price":{price},"market_cap":{dice.randint(1, 10**12)},"market_cap_rank":{i + 1},'
            f'"fully_diluted_valuation":{dice.choice(["null", "123456789"])},"total_volume":{dice.randint(0, 10**9)}.5,'
            f'"high_24h":{price},"low_24h":null,"price_change_24h":-2002.5500261049601,'
            f'"price_change_percentage_24h":{dice.randint(-999, 999) / 100},"market_cap_change_24h":-9.5e-07,'
            f'"market_cap_change_percentage_24h":0,"circulating_supply":20021696.0,"total_supply":420000000000000000.0,'
            f'"max_supply":{dice.choice(["null", "21000000.0"])},"ath":126080,"ath_change_percentage":-38.86918,'
            f'"ath_date":"2025-10-06T18:57:42.558Z","atl":67.81,"atl_change_percentage":1.9026007997779706e+37,'
            f'"atl_date":"2013-07-06T00:00:00.000Z",'
            f'"roi":{dice.choice(["null", chr(123) + chr(34) + "times" + chr(34) + ":1.5," + chr(34) + "currency" + chr(34) + ":" + chr(34) + "btc" + chr(34) + "," + chr(34) + "percentage" + chr(34) + ":150.25" + chr(125)])},'
            f'"last_updated":"2026-11-23T14:{step % 60:02d}:00.000Z"}}')
    return ("[" + ",".join(rows) + "]").encode()


def an_hour_ago(segment):
    """Make the newest segment one that was begun an hour ago, so that the next poll begins another."""
    first, start = segment.name.split(".")[0].split("-")
    begun = datetime.datetime.strptime(start, "%Y%m%dT%H%M%SZ") - datetime.timedelta(hours=1)
    segment.rename(segment.with_name(f"{first}-{begun:%Y%m%dT%H%M%SZ}.jsonl.zst"))


def old_polls(data, job, *days):
    """Polls of as many days ago, one in a segment; "failed:N": a failed one."""
    subprocess.run([os.environ["GECKOTAPE_OLD_TAPE"], data, job, *map(str, days)], check=True)


def records(data):
    """Every record header on the tape, as `tape cat --headers` prints them."""
    out = gecko("tape", "cat", "--headers", "--data", data, check=0).stdout
    return [json.loads(line) for line in out.splitlines()]


def database(data, name="market.db"):
    connection = sqlite3.connect(f"file:{data}/{name}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    return contextlib.closing(connection)


def check_stream(of_job, all_polls, stored, offset):
    """The records of one stream against the polls, the rows by slot and the offset that a sink has; returns the ends."""
    assert [r["offset"] for r in of_job] == list(range(of_job[0]["offset"], of_job[-1]["offset"] + 1))
    ends = [r for r in of_job if r["type"] == "end"]
    assert of_job[-1]["type"] == "end", "the tape ends within a poll"
    polls = {row["last_offset"]: row for row in all_polls}
    assert sorted(polls) == [e["offset"] for e in ends], "polls in the database and on the tape differ"
    for end in ends:
        poll = polls[end["offset"]]
        assert poll["outcome"] == end["outcome"]
        if end["outcome"] in ("ok", "partial"):
            assert poll["rows_in"] > 0
            assert stored.pop(end["slot_us"], 0) == poll["rows_new"], "rows of a poll are not whole"
            # a value that was refused costs its row, or its cell alone
            assert poll["rows_in"] - poll["rows_quarantined"] <= poll["rows_new"] + poll["rows_unchanged"] <= poll["rows_in"]
    assert not stored, f"rows without a poll: {stored}"
    assert offset == of_job[-1]["offset"]
    return ends


def check_database(data, all_records, name="market.db"):
    """Each stream of the tape is once and whole in SQLite; returns the ends."""
    by_job = collections.defaultdict(list)
    for record in all_records:
        by_job[record["job"]].append(record)
    ends = []
    with database(data, name) as db:
        job_ids = {row["name"]: row["job_id"] for row in db.execute("select * from job")}
        assert sorted(job_ids) == sorted(by_job), "jobs in the database and on the tape differ"
        for job, of_job in by_job.items():
            tables = ("market", "listing", "global", "vs_currency")
            rows = " union all ".join(f"select slot from {table} where job_id = ?1" for table in tables)
            stored = collections.Counter(row[0] for row in db.execute(rows, (job_ids[job],)))
            polls = list(db.execute("select * from poll where job_id = ?", (job_ids[job],)))
            (offset,), = db.execute("select offset from sink_offset where job_id = ?", (job_ids[job],))
            ends += check_stream(of_job, polls, stored, offset)
    return ends


def check_json(json_dir, all_records):
    """Each page of a poll with rows is a file, and no other."""
    by_offset = {(r["job"], r["offset"]): r for r in all_records}
    names = {p.name for p in pathlib.Path(json_dir, "raw").iterdir()}
    want = set()
    for end in (r for r in all_records if r["type"] == "end" and r["outcome"] in ("ok", "partial")):
        for number, page in enumerate(p for p in end["pages"] if p):
            suffix = f"_p{number + 1}" if number else ""
            want.add((end["job"], by_offset[end["job"], page]["offset"], end["slot_us"], suffix))
    assert len(names) == len(want), f"{sorted(names)} against {sorted(want)}"
    assert not glob.glob(f"{json_dir}/**/*.tmp", recursive=True)
    assert {p.name for p in pathlib.Path(json_dir, "processed").iterdir()} >= {n for n in names if "_p" not in n}
    for name in names:
        json.loads(pathlib.Path(json_dir, "raw", name).read_bytes())


def check_exactly_once(data, json_dir=None):
    """Each poll on the tape is once and whole in SQLite, and in the JSON files; returns the ends of all jobs."""
    gecko("tape", "verify", "--deep", "--data", data, check=0)
    all_records = records(data)
    ends = check_database(data, all_records)
    if json_dir:
        check_json(json_dir, all_records)
    return ends
