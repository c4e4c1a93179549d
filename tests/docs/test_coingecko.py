# SPDX-License-Identifier: Apache-2.0
"""docs/coingecko.md: each test that it names is one, and it leaves out no rule of the classifier and no fault of the simulator."""
import collections
import re

from gecko import ROOT, gecko

TEXT = (ROOT / "docs/coingecko.md").read_text()


def known_tests():
    """The names of all cases: functions of pytest, and those of C that a TAP_MAIN() lists."""
    names = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        names |= set(re.findall(r"^def (test_\w+)\(", path.read_text(), re.MULTILINE))
    for path in (ROOT / "tests").rglob("*.c"):
        words = collections.Counter(re.findall(r"\w+", path.read_text()))
        names |= {name for name in re.findall(r"^static void (\w+)\(void\)$", path.read_text(), re.MULTILINE) if words[name] > 1}
    return names


def rows():
    """The cells of each row of a table whose last column names tests."""
    for table in re.split(r"\n\n", TEXT):
        lines = table.splitlines()
        if lines and re.match(r"\| .* \| tests \|$", lines[0]):
            yield from ([c.strip() for c in line.strip("|").split(" | ")] for line in lines[2:])


def test_each_row_names_tests_and_each_of_them_is_one():
    known, found = known_tests(), list(rows())
    assert len(found) > 40
    for row in found:
        assert len(row) == 3 and all(row), row
        named = re.findall(r"`(\w+)`", row[2])
        assert named, f"no test: {row[0]}"
        assert not set(named) - known, f"no such test: {set(named) - known}"
    elsewhere = re.findall(r"`(\w+_\w+_\w+)`", TEXT)
    assert not set(elsewhere) - known - {"geckotape"}, set(elsewhere) - known


def test_every_rule_of_the_classifier_stands_there_with_its_class():
    text = (ROOT / "src/extract/classify.c").read_text().split("rules[] = {")[1].split("\n};")[0]
    rules = re.findall(r'^    \{"([a-z0-9-]+)",.*?ANSWER_(\w+),\s+(true|false),', text, re.MULTILINE | re.DOTALL)
    assert len(rules) > 30
    for name, kind, can_retry in rules:
        line = f"| `{name}` | {kind.lower().replace('_', ' ')} | {'yes' if can_retry == 'true' else 'no'} |"
        assert line in TEXT, f"missing: {line}"


def test_every_fault_of_the_simulator_stands_there():
    listed = gecko("simulate", "--help", check=0).stdout.split("Faults, for --fault NAME:\n")[1].split("\n\n")[0]
    names = [line.split()[0] for line in listed.splitlines()]
    assert len(names) > 40
    assert not [name for name in names if f"`{name}`" not in TEXT]
