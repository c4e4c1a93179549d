# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL that goes away and comes back, in every way there is: afterwards each poll is there once and whole.

With GECKOTAPE_CRASH=full the connection is cut at every message of a load, and the rarer faults take their time."""
import collections
import contextlib
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
import uuid

import pytest
from faults import FaultTable, losses
from gecko import Running, gecko, market_body, records, wait_for
from postgres import PASSWORD, Server, binaries
from proxy import Proxy
from stores import S_US, SLOT0, TABLES, check_equal, in_postgres, in_sqlite, kinds_in_postgres, make_tape

IS_FULL = os.environ.get("GECKOTAPE_CRASH") == "full"
EVERY = 300 * S_US
TABLE = FaultTable()


@pytest.fixture(scope="module")
def server():
    if binaries() is None:
        pytest.skip("no PostgreSQL here")
    made = Server()
    yield made
    made.remove()
    print(f"\n{TABLE}")


class Market:
    """A tape that grows, and the loader that follows it into PostgreSQL."""

    def __init__(self, server, tmp_path, port=None, database="etl", is_there=False, like=None, coins=20, **options):
        if not is_there:
            server.create(database)
        self.server, self.data, self.n, self.database = server, tmp_path / "data", 0, database
        self.path, self.coins = tmp_path / "expected.db", coins
        self.sink = server.url(database, port=port, sslmode="disable", gssencmode="disable", raw="on", **options) if port else \
            server.url(database, host="socket", raw="on", **options)
        if like:
            shutil.copytree(like.data, self.data)
            self.n = like.n
        else:
            self.grow(1)

    def grow(self, n, job="market"):
        """So many polls more; pages of two in one are not the rule, but they are some."""
        polls = []
        for i in range(self.n, self.n + n):
            pages = [market_body(self.coins, i), market_body(3, i, first=self.coins)]
            outcome = "failed" if i % 11 == 7 else "partial" if i % 13 == 5 else "ok"
            polls.append((SLOT0 + i * EVERY, outcome, {"ok": pages, "partial": [pages[0], None], "failed": []}[outcome]))
        make_tape(self.data, polls, job)
        self.n += n

    def follow(self):
        return Running("load", "--from", f"tape:{self.data}", "--sink", self.sink, "--follow")

    def n_loaded(self):
        """None: the server does not answer."""
        done = self.server.psql("select count(*) from geckotape.poll", self.database, check=False)
        return int(done) if done.isdigit() else None

    def wait(self, run=None):
        def is_done():
            if run:
                run.read()  # a loader whose pipe is full does not go on
            return self.n_loaded() == self.n or run and run.process.poll() is not None

        assert wait_for(is_done, what=f"{self.n} polls")
        assert run is None or run.process.poll() is None, run.output

    def count_losses(self, tries):
        """Every poll is there once; how often which faults were tried."""
        lost, doubled = losses(self.server, self.data, self.database)
        for fault, n in tries.items():
            TABLE.note(fault, n, lost, doubled)
        assert (lost, doubled) == (0, 0), tries

    def check(self, tries, tables=TABLES):
        """And every table is what SQLite has of the same tape."""
        self.count_losses(tries)
        gecko("load", "--from", f"tape:{self.data}", "--sink", f"sqlite:{self.path}", check=0)
        kinds = kinds_in_postgres(self.server, self.database, tables)
        check_equal(in_postgres(self.server, self.database, tables), in_sqlite(self.path, kinds))

    def check_log(self, run, n_outages=None):
        """Each outage has one line at its start, and one at its end."""

        def said():
            return re.findall(r"sink refuses for now|sink works again|sink stopped", run.read(0.1))

        wait_for(lambda: len(said()) % 2 == 0, what="the end of an outage in the log")
        n_outages = len(said()) // 2 if n_outages is None else n_outages
        assert said() == ["sink refuses for now", "sink works again"] * n_outages, run.output


@pytest.fixture
def market(server, tmp_path):
    return Market(server, tmp_path)


@pytest.fixture(scope="module")
def long_market(server, tmp_path_factory):
    made = Market(server, tmp_path_factory.mktemp("long"))
    made.grow(600 if IS_FULL else 300)
    return made


@pytest.fixture
def catching_up(server, long_market, tmp_path):
    """With much to load yet."""
    return Market(server, tmp_path, like=long_market)


def cuts(n_messages, dice):
    """In front of every message and within some; or some, and the last ones, where the commit is."""
    if IS_FULL:
        return list(range(n_messages)) + [m + 0.5 for m in range(0, n_messages, 3)]
    return sorted(dice.sample(range(n_messages - 5), 6)) + [n_messages - n for n in range(5, 0, -1)]


def measure(market, proxy, run, is_new):
    """How many messages does the load of a poll take?"""
    if is_new:
        proxy.cut()
    proxy.arm()
    market.grow(1)
    market.wait(run)
    time.sleep(0.1)
    return proxy.n_messages, proxy.n_bytes


@pytest.mark.parametrize("is_new", [False, True], ids=["that stands", "that is begun"])
def test_a_connection_cut_at_any_message_loses_and_doubles_nothing(is_new, server, tmp_path):
    dice = random.Random(seed := int(os.environ.get("GECKOTAPE_SEED", random.randrange(2**32))))
    print(f"GECKOTAPE_SEED={seed}")
    with Proxy(server.port) as proxy:
        market = Market(server, tmp_path, proxy.port, "plain", coins=4)
        with market.follow() as run:
            market.wait(run)
            n_messages, n_bytes = measure(market, proxy, run, is_new)
            where = [{"message": m} for m in cuts(n_messages, dice)]
            n_cut = collections.Counter()
            where += [{"byte": dice.randrange(n_bytes)} for _ in range(100 if IS_FULL else 3)]
            for at in where:
                if is_new:
                    proxy.cut()
                proxy.arm(**at)
                market.grow(1)
                market.wait(run)
                if proxy.cut_way:  # a poll that failed has fewer messages
                    n_cut[proxy.cut_way] += 1
            market.check_log(run)
            assert run.stop() == 0
    assert n_cut.total() > len(where) // 2 and min(n_cut["to"], n_cut["from"]) > 0
    market.check({f"connection cut within a message {way} the server": n for way, n in n_cut.items()})


# ---- the server dies ----

BACKENDS = "from pg_stat_activity where usename = 'etl' and backend_type = 'client backend'"


def kill_all(server):
    """server: kill -9 of all its processes"""
    server.stop(signal.SIGKILL)
    server.start()


def restart(server):
    """server: restart"""
    server.stop(signal.SIGINT)
    server.start()


def crash(server):
    """server: immediate stop"""
    server.stop(signal.SIGQUIT)
    server.start()


def kill_backend(server):
    """server: kill -9 of one process"""  # the postmaster ends all the others then, and recovers
    for pid in server.psql(f"select pid {BACKENDS}").split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    wait_for(lambda: server.psql("select 1", check=False) == "1", what="the server")


def terminate(server):
    """server: connection terminated"""
    server.psql(f"select pg_terminate_backend(pid) {BACKENDS}")


def cancel(server):
    """server: statement cancelled"""
    server.psql(f"select pg_cancel_backend(pid) {BACKENDS}")


def test_a_server_that_dies_while_it_is_loaded_loses_and_doubles_nothing(server, catching_up):
    dice = random.Random(seed := int(os.environ.get("GECKOTAPE_SEED", random.randrange(2**32))))
    print(f"GECKOTAPE_SEED={seed}")
    market = catching_up
    deaths = [kill_all, restart, crash, kill_backend, terminate, cancel]
    for _ in range(10 if IS_FULL else 1):
        dice.shuffle(deaths)
        server.create("etl")
        with market.follow() as run:
            died = deaths if IS_FULL else deaths[:3]
            for die in died:
                time.sleep(dice.uniform(0, 0.4))
                die(server)
            market.wait(run)
            market.check_log(run)
            assert run.stop() == 0
        market.check({die.__doc__: 1 for die in died})


def test_a_day_without_a_server_is_caught_up_with(server, tmp_path):
    """Over midnight: of a day whose partition nobody could make ahead."""
    market = Market(server, tmp_path, partition="day")
    with market.follow() as run:
        market.wait(run)
        market.server.stop(signal.SIGKILL)
        market.grow(288)
        run.expect("sink refuses for now.*does it run, and is it this host and port?")
        market.server.start()
        market.wait(run)
        market.check_log(run, 1)
        assert run.stop() == 0
    market.check({"a day without a server": 1})


# ---- the server refuses ----


@contextlib.contextmanager
def read_only(market):
    market.server.psql("alter system set default_transaction_read_only = on; select pg_reload_conf()")
    try:
        yield "is it a standby, or out of disk"
    finally:
        market.server.psql("set default_transaction_read_only = off; alter system reset default_transaction_read_only; "
                           "select pg_reload_conf()")


@contextlib.contextmanager
def standby(market):
    server = market.server
    server.stop(signal.SIGINT)
    (server.dir / "data" / "standby.signal").touch()
    server.start()
    try:
        yield "is it a standby|hot standby|read-write"
    finally:
        server.psql("select pg_promote()")


@contextlib.contextmanager
def too_many_for_the_database(market):
    market.server.psql("alter database etl connection limit 0")
    terminate(market.server)
    try:
        yield "raise its connection limit, or close some"
    finally:
        market.server.psql("alter database etl connection limit -1")


@contextlib.contextmanager
def too_many_for_the_server(market):
    """Connections that never say their password take all places."""
    words = b"user\0etl\0database\0etl\0\0"
    hello, taken = struct.pack("!II", 8 + len(words), 196608) + words, []
    terminate(market.server)
    for _ in range(60):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(market.server.dir / "sock" / f".s.PGSQL.{market.server.port}"))
        s.sendall(hello)
        s.recv(1)
        taken.append(s)
    try:
        yield "raise max_connections, or close some"
    finally:
        for s in taken:
            s.close()


@contextlib.contextmanager
def altered(market, by, back, mend):
    market.server.psql(by, "etl")
    try:
        yield mend
    finally:
        market.server.psql(back, "etl")


BY_HAND = "the schema was changed by hand"
REFUSALS = {
    "read-only": read_only,
    "standby": standby,
    "too many connections to the database": too_many_for_the_database,
    "too many connections": too_many_for_the_server,
    "no permission": lambda m: altered(m, "revoke insert on geckotape.poll from etl", "grant insert on geckotape.poll to etl", "grant it"),
    "a table is gone": lambda m: altered(m, "alter table geckotape.quality_flag rename to x", "alter table geckotape.x rename to quality_flag",
                                         BY_HAND),
    "the offset is gone": lambda m: altered(m, "alter table geckotape.sink_offset rename column hash to x",
                                            "alter table geckotape.sink_offset rename column x to hash", BY_HAND),
}


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_server_that_refuses_for_a_while_gets_all_of_it_afterwards(fault, market):
    with market.follow() as run:
        market.wait(run)
        with REFUSALS[fault](market) as mend:
            market.grow(3)
            said = run.expect("sink refuses for now.*")
            assert re.search(mend, said[0]), said[0]
        market.wait(run)
        market.grow(1)
        market.wait(run)
        market.check_log(run, 1)
        assert run.stop() == 0
    market.check({fault: 1})


def test_a_schema_that_was_dropped_is_made_anew_and_loaded_from_the_tape(market):
    with market.follow() as run:
        market.grow(20)
        market.wait(run)
        market.server.psql("drop schema geckotape cascade", "etl")
        market.grow(1)
        market.wait(run)
        market.check_log(run, 1)
        assert run.stop() == 0
    market.check({"schema dropped": 1})


def test_a_column_that_was_dropped_and_put_back_is_filled_by_a_replay(market):
    with market.follow() as run:
        market.grow(20)
        market.wait(run)
        views = "drop view public.coin_market_processed, public.coin_market_raw, geckotape.coin_market_processed, geckotape.coin_market_raw;"
        market.server.psql(f"{views} alter table geckotape.latest drop column ath", "etl")
        market.grow(1)
        assert BY_HAND in run.expect("sink refuses for now.*")[0]
        market.server.psql("alter table geckotape.latest add column ath numeric", "etl")  # it is the last one now
        market.wait(run)
        market.check_log(run, 1)
        assert run.stop() == 0
    gecko("replay", "--data", market.data, "--sink", market.sink, "--force", check=0)
    market.check({"column dropped": 1}, set(TABLES) - {"coin_market_raw", "coin_market_processed"})


@contextlib.contextmanager
def small_disk(server):
    """A database on a file system of its own; yields it and a function that fills it up."""
    place = server.dir / "small"
    place.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", place], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        subprocess.run(["chown", "postgres:", place], check=True)
        server.psql(f"create tablespace small location '{place}'; create database small owner etl tablespace small", "postgres")
        yield place
        server.psql("drop database small with (force)", "postgres")
        server.psql("drop tablespace small", "postgres")
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_waited_for(server, tmp_path):
    server.create("etl")
    with small_disk(server) as place:
        market = Market(server, tmp_path, database="small", is_there=True)
        with market.follow() as run:
            market.wait(run)
            with open(place / "full", "wb") as full, contextlib.suppress(OSError):
                while True:
                    full.write(bytes(65536))
                    full.flush()
            market.grow(60)
            assert "make room on the server's disk" in run.expect("sink refuses for now.*")[0]
            (place / "full").unlink()
            market.wait(run)
            market.check_log(run, 1)
            assert run.stop() == 0
        market.check({"disk full": 1})


def test_a_lock_is_waited_for(market):
    """For ten seconds, then by trying again."""
    with market.follow() as run:
        market.wait(run)
        hold = f"begin; lock table geckotape.latest in access exclusive mode; select 'held'; select pg_sleep({13 if IS_FULL else 1})"
        with subprocess.Popen([binaries() / "psql", "-XqAt", "-h", market.server.dir / "sock", "-p", str(market.server.port), "-U", "admin",
                               "-d", "etl", "-c", hold], stdout=subprocess.PIPE, env={**os.environ, "PGPASSWORD": PASSWORD}) as holder:
            wait_for(lambda: market.server.psql("select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted "
                                                "and relation = 'geckotape.latest'::regclass", "etl") == "1", what="the lock")
            market.grow(2)
            if IS_FULL:
                assert "somebody holds a lock" in run.expect("sink refuses for now.*")[0]
            assert holder.wait() == 0
        market.wait(run)
        market.check_log(run, int(IS_FULL))
        assert run.stop() == 0
    market.check({"lock": 1})


# ---- several at once ----


def check_whole(server):
    """Every poll has the rows it counts, and no row is without a poll."""
    assert server.psql("""
        set search_path to geckotape;
        select slot, rows_new, n from (select slot, sum(rows_new) as rows_new from poll where loaded = 'rows' group by slot) as p
            full join (select slot, count(*) as n from market group by slot) as m using (slot)
        where rows_new is distinct from coalesce(n, 0);
        select 'twice', slot from poll where loaded = 'rows' group by slot having count(*) > 1""", "etl") == ""


def test_two_collectors_of_one_job_load_one_database(server, tmp_path):
    """Of a slot that both have, the rows are there once."""
    server.create("etl")
    markets = [Market(server, tmp_path / name, is_there=True) for name in ("one", "two")]
    for market in markets:
        market.grow(150)
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(market.follow()) for market in markets]
        for _ in range(20 if IS_FULL else 4):
            for market in markets:
                market.grow(5)
        n = sum(market.n for market in markets)
        wait_for(lambda: markets[0].n_loaded() == n, what=f"{n} polls")
        for run in runs:
            assert run.stop() == 0, run.output
            assert "sink stopped" not in run.output
    check_whole(server)
    for market in markets:
        market.count_losses({"two collectors, polls": market.n})
    both = server.psql("select count(*) from geckotape.poll where loaded = 'duplicate'", "etl")
    assert int(both) == sum(i % 11 != 7 for i in range(markets[0].n)), "a slot's rows are those of one collector"


def market_of(ids):
    return json.dumps([{"id": f"coin-{i}", "symbol": "c", "name": f"Coin {i}", "image": "", "current_price": 1 + i,
                        "last_updated": "2026-11-23T14:00:00.000Z"} for i in ids]).encode()


def absences_of(polls):
    """[(slot, outcome, ids)] in the order of slots -> {(id, from, until)}: an ok poll opens what it lacks, and any row closes."""
    known, absent, found = set(), {}, set()
    for slot, outcome, ids in polls:
        found |= {(i, absent.pop(i), slot) for i in ids if i in absent}
        known |= set(ids)
        if outcome == "ok":
            absent |= {i: slot for i in known - set(ids) - set(absent)}
    return found | {(i, slot, None) for i, slot in absent.items()}


def test_of_two_collectors_of_different_tapes_absences_are_those_of_the_rows_that_won(server, tmp_path):
    """Whatever the order is in which their polls come, and which of them has a slot."""
    dice = random.Random(seed := int(os.environ.get("GECKOTAPE_SEED", random.randrange(2**32))))
    print(f"GECKOTAPE_SEED={seed}")
    server.create("etl")
    slots = [SLOT0 + i * EVERY for i in range(120 if IS_FULL else 50)]
    seen, tapes, later = {}, [], []
    for name in ("one", "two"):
        polls, ids = [], set(range(12))
        for slot in slots:
            ids ^= {dice.randrange(12) for _ in range(dice.choice([0, 0, 1, 2]))}
            outcome = dice.choice(["ok", "ok", "ok", "ok", "failed", "missed"])
            if outcome == "missed":
                continue
            polls.append((slot, outcome, [market_of(sorted(ids))] if outcome == "ok" else []))
            seen[name, slot] = sorted(ids)
        n = dice.randrange(len(polls))
        tapes.append(make_tape(tmp_path / name, polls[:n]))
        later.append(polls[n:])
    names = {uuid.UUID(records(data)[0]["stream"]).hex: name for name, data in zip(("one", "two"), tapes)}
    sink = server.url(host="socket", raw="on")
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(Running("load", "--from", f"tape:{data}", "--sink", sink, "--follow")) for data in tapes]
        while any(later):
            which = dice.choice([i for i in (0, 1) if later[i]])
            n = dice.randrange(1, 9)
            make_tape(tapes[which], later[which][:n])
            later[which] = later[which][n:]
            time.sleep(dice.choice([0, 0, 0.1]))
        n = sum(r["type"] == "end" for data in tapes for r in records(data))
        wait_for(lambda: server.psql("select count(*) from geckotape.poll", "etl", check=False) == str(n), what=f"{n} polls")
        assert [run.stop() for run in runs] == [0, 0]
    check_whole(server)
    won = [line.split("|") for line in server.psql(
        "select extract(epoch from slot)::bigint * 1000000, outcome, stream from geckotape.poll where loaded = 'rows' order by 1", "etl").splitlines()]
    assert len({stream for _, _, stream in won}) == 2
    expected = absences_of([(int(slot), outcome, [f"coin-{i}" for i in seen[names[stream.replace("-", "")], int(slot)]]) for slot, outcome, stream in won])
    found = {(i, int(first), int(end) if end else None) for i, first, end in (line.split("|") for line in server.psql(
        "select id, extract(epoch from from_slot)::bigint * 1000000, extract(epoch from until_slot)::bigint * 1000000 "
        "from geckotape.absence join geckotape.coin using (coin_id)", "etl").splitlines())}
    assert found == expected
    for data in tapes:
        lost, doubled = losses(server, data)
        TABLE.note("two collectors of different tapes, polls", n, lost, doubled)
        assert (lost, doubled) == (0, 0)


def test_of_two_loaders_of_one_tape_one_goes_on(catching_up):
    """Whoever attached last: the other is fenced off, whatever it had begun."""
    market = catching_up
    with market.follow() as first, market.follow() as second:
        market.wait()
        market.grow(3)
        stopped = wait_for(lambda: next((run for run in (first, second) if "sink stopped" in run.read()), None), what="one that stops")
        assert "was taken over by another geckotape" in stopped.output
        other = second if stopped is first else first
        market.grow(3)
        market.wait(other)
        assert other.stop() == 0 and "sink stopped" not in other.output
    market.check({"two loaders of one tape": 1})


def test_a_loader_that_slept_within_a_load_changes_nothing_when_it_wakes(catching_up):
    market = catching_up
    with market.follow() as sleeper:
        wait_for(lambda: market.server.psql(f"select count(*) {BACKENDS} and backend_xid is not null") != "0", what="a transaction")
        sleeper.process.send_signal(signal.SIGSTOP)
        terminate(market.server)  # or else its locks would last for a minute
        with market.follow() as other:
            market.wait(other)
            market.check({})
            assert other.stop() == 0
        sleeper.process.send_signal(signal.SIGCONT)
        market.grow(3)
        market.wait(sleeper)
        sleeper.stop()
    market.check({"loader that slept within a load": 1})
