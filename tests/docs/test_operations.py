# SPDX-License-Identifier: Apache-2.0
"""docs/operations.md against what it speaks of."""
import re

from gecko import ROOT, gecko

TEXT = (ROOT / "docs/operations.md").read_text()


def test_the_rule_of_readiness_is_that_of_the_header():
    comment = (ROOT / "src/status/ready.h").read_text().split("*/")[0]
    table = comment.split("not ready when")[1].split("\n *\n")[0]
    rows = re.findall(r"^ \*   (\S.*?)  +(\S.*)$", table, re.MULTILINE)
    assert len(rows) >= 8
    documented = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", TEXT.split("| not ready when |")[1].split("\n\n")[0], re.MULTILINE)
    assert [row for row in documented if set(row[0]) != {"-"}] == rows


def test_metrics_in_the_text_exist():
    names = re.findall(r'X\([A-Z_]+, "([a-z_]+)"', (ROOT / "src/base/metric.h").read_text())
    used = re.findall(r"geckotape_([a-z_]+)", TEXT)
    assert used
    assert set(used) <= set(names)


def test_options_in_the_text_exist():
    options = set(re.findall(r"^### (--[a-z0-9-]+)$", (ROOT / "docs/options.md").read_text(), re.MULTILINE))
    used = set(re.findall(r"`[^`\n]*?(--[a-z0-9-]+)", TEXT))
    assert used
    assert used <= options, used - options


def test_times_of_what_is_kept_are_taken_as_they_stand():
    told = re.findall(r"`(--(?:tape-keep|retain-[a-z0-9]+) [^`]+)`", TEXT)
    assert len(told) == 3
    for option in told:
        gecko("check", *option.split(), check=0)
