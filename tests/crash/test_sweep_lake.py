# SPDX-License-Identifier: Apache-2.0
"""As test_sweep.py, for a lake: every call by which bytes or names reach the disk, killed or made to fail, one at a time. After each
fault one undisturbed run must leave each poll of the tape once and whole in all tables of the lake, and what SQLite has."""
import collections
import re
import shutil
import subprocess

import pytest
from gecko import BINARY, clean_env, gecko, records
from lake_table import check_exactly_once, check_like_sqlite
from server import PlainServer
from test_sweep import FAULTS, OTHERS, pages, spread

CALLS = ["write", "fdatasync", "fsync", "rename", "ftruncate", "unlink", "openat", "mkdir", "mkdirat", "linkat", "unlinkat"]


def once(api, data, *prefix):
    return subprocess.run(
        [*prefix, BINARY, "once", "--api-url", api.url, "--data", str(data), "--top", "300", "--api-rate", "100000",
         "--sink", f"lake:{data}/lake", "--log-level", "error"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean_env(), timeout=120, check=False)


def prepare(data, start):
    if start == "later":
        with PlainServer(pages(0)) as api:
            assert once(api, data).returncode == 0


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    found = {}
    for start in ("first", "later"):
        data = tmp_path_factory.mktemp("count") / "data"
        log = data.parent / "strace.log"
        prepare(data, start)
        with PlainServer(pages(1)) as api:
            done = once(api, data, "strace", "-f", "-o", str(log), "-e", "trace=" + ",".join({*CALLS, *OTHERS}))
        assert done.returncode == 0, done.stdout
        found[start] = collections.Counter(re.findall(r"^\d+\s+(\w+)\(", log.read_text(), re.MULTILINE))
        assert not set(found[start]) - set(CALLS), f"a call that no fault is tried at: {found}"
    return found


@pytest.mark.parametrize("start", ["first", "later"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_fault_at_any_call_loses_and_doubles_nothing_in_a_lake(counts, tmp_path, call, fault, start):
    if counts[start][call] == 0:
        pytest.skip(f"{call} is not called")
    origin = tmp_path / "origin"
    prepare(origin, start)
    with PlainServer(pages(1)) as api:
        for n in spread(counts[start][call]):
            data = tmp_path / "data"
            shutil.rmtree(data, ignore_errors=True)
            if start == "later":
                shutil.copytree(origin, data)
            hit = once(api, data, "strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={n}")
            assert "Sanitizer" not in hit.stdout, hit.stdout
            after = once(api, data)
            assert after.returncode == 0, f"{call} #{n} {fault}: the next run fails\n{hit.stdout}\n{after.stdout}"
            ends = check_exactly_once(data / "lake", records(data))
            assert [e["outcome"] for e in ends].count("ok") >= (2 if start == "later" else 1), f"{call} #{n} {fault}"
    gecko("load", "--from", f"tape:{data}", "--sink", f"sqlite:{data}/market.db", check=0)
    check_like_sqlite(data / "lake", data / "market.db", ["market", "poll"])
