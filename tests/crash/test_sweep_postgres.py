# SPDX-License-Identifier: Apache-2.0
"""Every call by which a load or a replay talks with PostgreSQL, killed or made to fail, one at a time, by strace.

After each fault one undisturbed run must leave each poll in the database once and whole.

By default a spread sample of the calls; GECKOTAPE_CRASH=full takes every single one.
"""
import collections
import os
import re
import shutil
import subprocess

import pytest
from faults import FaultTable, losses
from gecko import BINARY, clean_env, gecko, market_body
from postgres import Server, binaries
from stores import S_US, SLOT0, TABLES, check_equal, in_postgres, in_sqlite, kinds_in_postgres, make_tape

IS_FULL = os.environ.get("GECKOTAPE_CRASH") == "full"
SAMPLE = 2  # calls of a kind that are tried by default
FAULTS = {
    "socket": ["signal=KILL", "error=EMFILE"],
    "connect": ["signal=KILL", "error=ECONNREFUSED", "error=EIO"],
    "sendto": ["signal=KILL"],  # one that fails while the connection stands is a server that hangs: waited for, for a minute
    "recvfrom": ["signal=KILL", "error=ECONNRESET", "error=EIO", "error=ENOSPC"],
    "poll": ["signal=KILL", "error=EIO", "error=ENOMEM"],
}
# others by which bytes could come or go, but do not
OTHERS = ["send", "recv", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg", "writev", "readv", "ppoll", "select", "pselect6", "epoll_wait"]
# what is begun: on tables that are not there yet, on those that are, and of polls that are there already
STARTS = ["first", "later", "replay"]
TABLE = FaultTable()


@pytest.fixture(scope="module")
def server():
    if binaries() is None:
        pytest.skip("no PostgreSQL here")
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    made = Server()
    yield made
    made.remove()
    print(f"\n{TABLE}")


class Subject:
    def __init__(self, server, tmp_path):
        self.server, self.data, self.path, self.n = server, tmp_path / "data", tmp_path / "expected.db", 0
        self.sink = server.url(host="socket", raw="on")
        server.create("etl")

    def grow(self):
        make_tape(self.data, [(SLOT0 + self.n * 300 * S_US, "ok", [market_body(4, self.n), market_body(3, self.n, first=4)])])
        self.n += 1

    def prepare(self, start):
        if start == "first":
            self.server.psql("drop schema if exists geckotape cascade", "etl")
        if start != "replay" or self.n == 0:
            self.grow()
        if start == "replay":
            self.run("load")

    def run(self, verb, *prefix):
        words = ["load", "--from", f"tape:{self.data}"] if verb != "replay" else ["replay", "--data", str(self.data), "--force"]
        return subprocess.run([*prefix, BINARY, *words, "--sink", self.sink], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=clean_env(**({"ASAN_OPTIONS": "detect_leaks=0"} if prefix else {})), timeout=120, check=False)

    def check(self):
        gecko("load", "--from", f"tape:{self.data}", "--sink", f"sqlite:{self.path}", check=0)
        check_equal(in_postgres(self.server), in_sqlite(self.path, kinds_in_postgres(self.server, tables=TABLES)))


@pytest.fixture
def subject(server, tmp_path):
    return Subject(server, tmp_path)


@pytest.fixture(scope="module")
def counts(server, tmp_path_factory):
    """How often each start makes each call."""
    found = {}
    for start in STARTS:
        subject = Subject(server, tmp_path_factory.mktemp(start))
        subject.prepare("later")
        if start != "first":
            assert subject.run("load").returncode == 0
        subject.prepare(start)
        log = subject.data.parent / "log"
        done = subject.run(start, "strace", "-f", "-o", str(log), "-e", "trace=" + ",".join([*FAULTS, *OTHERS]))
        assert done.returncode == 0, done.stdout
        found[start] = collections.Counter(re.findall(r"^\d+\s+(\w+)\(", log.read_text(), re.MULTILINE))
        assert not set(found[start]) - set(FAULTS), "a call that no fault is tried at"
        assert all(found[start][call] for call in FAULTS), found
    return found


def spread(n):
    if IS_FULL or n <= SAMPLE:
        return range(1, n + 1)
    return sorted({1 + round(i * (n - 1) / (SAMPLE - 1)) for i in range(SAMPLE)} | {n // 2})


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("call, fault", [(call, fault) for call, faults in FAULTS.items() for fault in faults])
def test_a_fault_at_any_call_loses_and_doubles_nothing(call, fault, start, server, counts, subject, tmp_path):
    log, n_hit = tmp_path / "log", 0
    if start != "first":
        subject.prepare("later")
        assert subject.run("load").returncode == 0
    for n in spread(counts[start][call]):
        subject.prepare(start)
        hit = subject.run(start, "strace", "-f", "-o", str(log), "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={n}")
        assert "Sanitizer" not in hit.stdout, hit.stdout
        n_hit += "INJECTED" in log.read_text() or "killed by SIGKILL" in log.read_text()
        after = subject.run("load")
        assert after.returncode == 0, f"{call} #{n} {fault}: the next run fails\n{hit.stdout}\n{after.stdout}"
        lost, doubled = losses(server, subject.data)
        TABLE.note(f"{call}: {fault}", 1, lost, doubled)
        assert (lost, doubled) == (0, 0), f"{call} #{n} {fault}: {hit.stdout}"
    assert n_hit > 0
    if start == "replay":
        assert subject.run("replay").returncode == 0
    subject.check()
