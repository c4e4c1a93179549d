# SPDX-License-Identifier: Apache-2.0
"""Every I/O call of `tape compact` and `tape prune`, killed or made to fail: the tape keeps what it held."""
import collections
import json
import os
import re
import shutil
import subprocess

import pytest
from gecko import BINARY, an_hour_ago, clean_env, gecko, records

IS_FULL = os.environ.get("GECKOTAPE_CRASH") == "full"
CALLS = ["write", "pwrite64", "pread64", "fsync", "fdatasync", "rename", "unlink", "unlinkat", "openat", "ftruncate", "fchmod", "lseek"]
FAULTS = ["signal=KILL", "error=ENOSPC", "error=EIO"]
SAMPLE = 9
VERBS = {"compact": ["compact"], "prune": ["prune", "--keep", "1d", "--job", "import-old"]}


@pytest.fixture(scope="module", name="origin")
def make_origin(tmp_path_factory):
    """A tape of several closed segments, from a year ago."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    root = tmp_path_factory.mktemp("seal")
    folder, data = root / "history", root / "data"
    folder.mkdir()
    for hour in range(6):
        row = [{"id": f"coin-{i}", "symbol": "c", "name": "Coin", "current_price": i + hour} for i in range(200)]
        (folder / f"market_2025-01-01T0{hour}-30-00Z.json").write_text(json.dumps(row))
        if hour % 2:
            gecko("import", folder, "--data", data, "--name", "old", check=0)
            an_hour_ago(sorted(data.glob("tape/*/*.zst"))[-1])
    assert len(list(data.glob("tape/*/*.zst"))) == 3
    return data


def zstdcat(data):
    return subprocess.run(["zstdcat", *sorted(data.glob("tape/*/*.zst"))], stdout=subprocess.PIPE, check=True).stdout


def upkeep(data, verb, *prefix):
    return subprocess.run([*prefix, BINARY, "tape", *VERBS[verb], "--data", str(data)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, env=clean_env(), timeout=120, check=False)


@pytest.fixture(scope="module", name="counts")
def count_calls(origin, tmp_path_factory):
    found = {}
    for verb in VERBS:
        data = tmp_path_factory.mktemp("count") / "data"
        shutil.copytree(origin, data)
        log = data.parent / "strace.log"
        done = upkeep(data, verb, "strace", "-f", "-o", str(log), "-e", "trace=" + ",".join(CALLS))
        assert done.returncode == 0, done.stdout
        found[verb] = collections.Counter(re.findall(r"^\d+\s+(\w+)\(", log.read_text(), re.MULTILINE))
    assert found["compact"]["rename"] > 1 and found["prune"]["unlink"] > 1
    return found


def spread(n):
    if IS_FULL or n <= SAMPLE:
        return range(1, n + 1)
    return sorted({1 + round(i * (n - 1) / (SAMPLE - 1)) for i in range(SAMPLE)})


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_a_fault_at_any_call_of_upkeep_loses_nothing(origin, counts, tmp_path, call, fault, verb):
    heads, bodies = records(origin), zstdcat(origin)
    if counts[verb][call] == 0:
        pytest.skip("it makes no such call")
    for n in spread(counts[verb][call]):
        data = tmp_path / "data"
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(origin, data)
        hit = upkeep(data, verb, "strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={n}")
        where = f"{verb}: {call} #{n} {fault}: {hit.stdout}"
        assert "Sanitizer" not in hit.stdout, where
        gecko("tape", "verify", "--deep", "--data", data, check=0)
        left = records(data)
        assert left == heads[len(heads) - len(left):], where
        if verb == "compact":
            assert left == heads and zstdcat(data) == bodies, where
        after = upkeep(data, verb)
        assert after.returncode == 0, where + after.stdout
        assert not list(data.glob("tape/*/*.sealing")), where
        if verb == "compact":
            assert records(data) == heads and zstdcat(data) == bodies, where
