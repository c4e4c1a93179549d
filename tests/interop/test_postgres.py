# SPDX-License-Identifier: Apache-2.0
"""The sink postgres: on other versions of the server than Debian's: the suite of all sinks on each, and on the oldest that is
supported and the newest what uses the server's own syntax most: partitions, jsonb, rows that are refused."""
import os
import pathlib
import subprocess
import sys

import pytest
from gecko import ROOT
from postgres import Server, binaries

FOLDER = pathlib.Path(os.environ["GECKOTAPE_NODE_MODULES"])
VERSIONS = [13, 14, 16, 17, 18]
BUILD = pathlib.Path(os.environ["GECKOTAPE"]).resolve().parent


def server_of(version):
    place = FOLDER / f"postgres-{version}" / "native" / "bin"
    if not (place / "postgres").exists():
        pytest.skip(f"no PostgreSQL {version} for this machine")
    if binaries() is None:
        pytest.skip("no psql here")
    return place


def env(version):
    return {**os.environ, "GECKOTAPE_POSTGRES": str(server_of(version)), "GECKOTAPE": str(BUILD / "geckotape"),
            "GECKOTAPE_MADE_TAPE": str(BUILD / "tests" / "made_tape")}


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_that_version(version, monkeypatch):
    monkeypatch.setenv("GECKOTAPE_POSTGRES", str(server_of(version)))
    server = Server()
    try:
        assert int(server.psql("show server_version_num", "postgres")) // 10000 == version
    finally:
        server.remove()


@pytest.mark.parametrize("options", [[], ["--with=partition=coin-hash", "--with=raw=on"]], ids=["by month", "by coin, raw"])
@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_a_store_like_all_others(version, options):
    done = subprocess.run([sys.executable, ROOT / "tests/postgres.py", *options, BUILD / "tests/conformance/conformance_postgres"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env(version), timeout=900, check=False)
    assert done.returncode == 0 and "not ok" not in done.stdout and done.stdout.count("\nok ") > 20, done.stdout


@pytest.mark.parametrize("file", ["partitions", "raw", "refused"])
@pytest.mark.parametrize("version", [VERSIONS[0], VERSIONS[-1]])
def test_what_debians_version_does_it_does(version, file):
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/flow/test_postgres_{file}.py"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env(version), cwd=ROOT, timeout=1800, check=False)
    assert done.returncode == 0 and " passed" in done.stdout and "skipped" not in done.stdout, done.stdout
