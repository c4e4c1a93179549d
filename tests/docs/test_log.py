# SPDX-License-Identifier: Apache-2.0
"""docs/formats/log.md against the sources, and against what a troubled process writes."""
import json
import re

from gecko import ROOT, Running, wait_for

TEXT = (ROOT / "docs/formats/log.md").read_text()
TYPES = {"string": str, "integer": int, "boolean": bool}
FIELDS = {name: TYPES[kind] for name, kind in re.findall(r"^\| `([a-z_]+)` \| (string|integer|boolean) \|", TEXT, re.MULTILINE)}
BASE = ["ts", "level", "area", "msg"]
AREAS = set(re.findall(r"^\| `([a-z]+)` \| [^|]*\|$", TEXT.split("## Areas")[1].split("## Rotation")[0], re.MULTILINE))
SCHEMA = json.loads(TEXT.split("## As a JSON schema")[1].split("```json")[1].split("```")[0])


def check_line(line):
    """What the rules, the tables and the schema say of one line."""
    assert len(line.encode()) <= 4096
    pairs = json.loads(line, object_pairs_hook=list)
    names = [name for name, _ in pairs]
    event = dict(pairs)
    assert len(names) == len(set(names)), f"a field twice: {line}"
    assert names[:4] == BASE, line
    assert set(names) <= set(FIELDS), f"not in docs/formats/log.md: {set(names) - set(FIELDS)}"
    for name, value in event.items():
        assert type(value) is FIELDS[name], f"{name} is no {FIELDS[name].__name__}: {line}"
        rule = SCHEMA["properties"].get(name)
        if rule is None:
            assert isinstance(value, (str, int)) and not isinstance(value, bool)
            continue
        assert "enum" not in rule or value in rule["enum"]
        assert "pattern" not in rule or re.search(rule["pattern"], value)
        assert "const" not in rule or value is rule["const"]
        assert len(value) >= rule["minLength"] if "minLength" in rule else True
    assert event["area"] in AREAS, line
    return event


def sources():
    for path in sorted((ROOT / "src").rglob("*.c")):
        yield path.relative_to(ROOT), path.read_text()


def test_the_rules_refuse_what_they_should():
    good = '{"ts":"2026-11-23T14:30:00.123Z","level":"warn","area":"tape","msg":"x","job":"a"}'
    check_line(good)
    for old, new in [('"warn"', '"loud"'), ('"tape"', '"nowhere"'), ('"job":"a"', '"job":1'), ('"job"', '"colour"'), (".123", ""),
                     ('"job":"a"', '"msg":"a"'), ('"level":"warn",', ""), ('"a"', "null")]:
        try:
            check_line(good.replace(old, new))
        except AssertionError:
            continue
        raise AssertionError(f"{new} was taken")


def test_every_field_and_area_of_the_sources_is_documented_with_its_type():
    fields, areas = {}, {"log"}
    for path, text in sources():
        for kind, name in re.findall(r'\bLOG_([ISZ])\("([A-Za-z_]+)"', text):
            assert name not in (*BASE, "simulated"), f"{path}: a line would have {name} twice; call it otherwise"
            assert name in FIELDS, f"{path}: {name} is not in docs/formats/log.md"
            assert FIELDS[name] is (int if kind == "I" else str), f"{path}: {name} has another type in docs/formats/log.md"
            fields.setdefault(name, path)
        areas |= set(re.findall(r'\blog_(?:error|warn|info|debug)\(\s*"([a-z]+)"', text))
        areas |= set(re.findall(r'\blog_event\([^;"]*?,\s*"([a-z]+)"', text))
    assert areas <= AREAS, f"not in docs/formats/log.md: {areas - AREAS}"
    assert len(fields) > 20 and len(areas) > 5


def test_every_line_of_a_troubled_run_keeps_the_rules(tmp_path):
    file = tmp_path / "etl.log"
    with Running("run", "--simulate", "--data", tmp_path / "d", "--every", "1s", "--listen", "none", "--log-format", "json",
                 "--log-level", "debug", "--log-file", file, "--fault", "500:from=2,until=14") as run:
        wait_for(lambda: file.exists() and "polls are ok again" in file.read_text(), what="end of the outage")
        assert run.stop() == 0
    events = [check_line(line) for line in file.read_text().splitlines()]
    assert [check_line(line) for line in run.output.splitlines()] == events
    assert all(event["simulated"] is True for event in events)
    assert [e["msg"] for e in events if e["area"] == "run"] == ["started", "stopping", "stopped"]

    # an outage of several polls: one line when it began, one when it was over, each attempt at debug only
    trouble = [e for e in events if e["area"] == "extract" and e["level"] != "debug"]
    assert [e["level"] for e in trouble] == ["warn", "info"], trouble
    assert trouble[0]["cause"] == trouble[1]["after"] == "transient"
    assert trouble[1]["polls"] > 1
    assert len([e for e in events if e.get("status") == 500]) == 12
