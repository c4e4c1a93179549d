# SPDX-License-Identifier: Apache-2.0
"""Every I/O call of a poll, killed or made to fail, one at a time, by strace; nothing in the product knows of it.

After each fault one undisturbed run must bring the tape, SQLite and the JSON files to the same state as if
nothing had happened: each poll on the tape once and whole everywhere.

By default a spread sample of the calls; GECKOTAPE_CRASH=full takes every single one.
"""
import collections
import os
import re
import shutil
import subprocess

import pytest
from gecko import BINARY, check_exactly_once, clean_env, gecko, market_body
from server import Answer, PlainServer

IS_FULL = os.environ.get("GECKOTAPE_CRASH") == "full"
# every call by which bytes or names reach the disk
CALLS = ["write", "pwrite64", "fdatasync", "fsync", "rename", "ftruncate", "unlink", "openat", "mkdir"]
# and those by which they could, but do not
OTHERS = ["writev", "pwritev", "pwritev2", "renameat", "renameat2", "unlinkat", "link", "linkat", "symlink", "mkdirat",
          "fallocate", "copy_file_range", "sendfile", "truncate", "sync_file_range", "msync"]
FAULTS = ["signal=KILL", "error=ENOSPC", "error=EIO"]
SAMPLE = 7  # calls of a kind that are tried by default


def pages(step):
    def script(request):
        first, last = market_body(4, step), market_body(3, step, first=4)
        return Answer(body={1: first, 2: last}.get(request.page, b"[]"))

    return script


def once(api, data, *prefix):
    return subprocess.run(
        [*prefix, BINARY, "once", "--api-url", api.url, "--data", str(data), "--top", "300", "--api-rate", "100000",
         "--sink", f"sqlite:{data}/market.db", "--sink", f"json:{data}", "--log-level", "error"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean_env(), timeout=120, check=False)


def prepare(data, start):
    """Where the poll under test begins: in an empty directory, or after a good poll (then it appends and updates)."""
    if start == "later":
        with PlainServer(pages(0)) as api:
            assert once(api, data).returncode == 0


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """How often a first and a later poll make each call."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    found = {}
    for start in ("first", "later"):
        data = tmp_path_factory.mktemp("count") / "data"
        log = data.parent / "strace.log"
        prepare(data, start)
        with PlainServer(pages(1)) as api:
            done = once(api, data, "strace", "-f", "-o", str(log), "-e", "trace=" + ",".join(CALLS + OTHERS))
        assert done.returncode == 0, done.stdout
        found[start] = collections.Counter(re.findall(r"^\d+\s+(\w+)\(", log.read_text(), re.MULTILINE))
        assert not set(found[start]) - set(CALLS), "a call that no fault is tried at"
        assert found[start]["fdatasync"] >= 3
    assert all(sum(found[start][call] for start in found) > 0 for call in CALLS), found
    return found


def spread(n):
    if IS_FULL or n <= SAMPLE:
        return range(1, n + 1)
    return sorted({1 + round(i * (n - 1) / (SAMPLE - 1)) for i in range(SAMPLE)})


@pytest.mark.parametrize("start", ["first", "later"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_fault_at_any_call_loses_and_doubles_nothing(counts, tmp_path, call, fault, start):
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
            ends = check_exactly_once(data, json_dir=data)
            assert [e["outcome"] for e in ends].count("ok") >= (2 if start == "later" else 1), f"{call} #{n} {fault}"


def test_a_disk_that_stays_full_is_told_and_work_goes_on_when_there_is_room(tmp_path):
    """A real small file system, filled to the brim."""
    mount = tmp_path / "small"
    mount.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", mount], check=False,
                                           stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("cannot mount a small file system here")
    try:
        data = mount / "data"
        with PlainServer(pages(0)) as api:
            assert once(api, data).returncode == 0
            with open(mount / "filler", "wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(b"x" * 4096)
                except OSError:
                    pass
            full = once(api, data)
            assert full.returncode != 0
            assert "No space left" in full.stdout
            gecko("tape", "verify", "--deep", "--data", data, check=0)
            os.unlink(mount / "filler")
            assert once(api, data).returncode == 0
        ends = check_exactly_once(data, json_dir=data)
        assert [e["outcome"] for e in ends].count("ok") >= 2
    finally:
        subprocess.run(["umount", "-l", mount], check=True)
