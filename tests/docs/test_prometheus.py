# SPDX-License-Identifier: Apache-2.0
"""deploy/prometheus/, deploy/grafana/ and docs/runbooks/ against Prometheus' own tools, and against the metrics there are."""
import json
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from gecko import ROOT, Running, get, verbs, wait_for

PROMETHEUS = ROOT / "deploy/prometheus"
RULES = [rule for group in yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
CASES = yaml.safe_load((ROOT / "tests/prometheus/rules_test.yml").read_text())["tests"]
DASHBOARDS = {path.name: json.loads(path.read_text()) for path in (ROOT / "deploy/grafana").glob("*.json")}
TABLE = re.findall(r"^\| `(geckotape_\w+)` \| (\w+) \| [^|]*\| ([^|]*) \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
# what Prometheus makes of each: a histogram is three series
LABELS = {name + suffix: set(filter(None, labels.strip().split(","))) | ({"le"} if suffix == "_bucket" else set())
          for name, kind, labels in TABLE for suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}
SECTIONS = ["## Look at", "## Mend", "## Try it"]

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="no promtool")
needs_amtool = pytest.mark.skipif(not shutil.which("amtool"), reason="no amtool")


def tool(*words):
    done = subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    return done.returncode, done.stdout


def queries():
    """Of all dashboards: where, and what is asked with Grafana's variables filled in."""
    for name, dashboard in DASHBOARDS.items():
        for part in dashboard["panels"] + dashboard["annotations"]["list"]:
            asked = [target["expr"] for target in part.get("targets", [])] or ([part["expr"]] if "expr" in part else [])
            for expr in asked:
                yield f"{name}: {part.get('title', part.get('name'))}", expr.replace("$__rate_interval", "2m").replace("$instance", ".+")


def check_names(where, expr):
    """Every metric is one, and every label in braces one that it has."""
    for name, braces in re.findall(r"\b(geckotape[_:][\w:]+)(?:\{([^}]*)\})?", expr):
        assert name in RECORDED or name in LABELS, f"{where}: no metric {name}"
        has = LABELS.get(name, {"job"}) | {"instance"}
        has = {"exported_job" if label == "job" else label for label in has} | {"job"}
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", braces):
            assert label in has, f"{where}: {name} has no label {label}"


def test_every_metric_that_is_asked_for_exists():
    assert len(TABLE) > 40 and len(RECORDED) >= 5 and len(list(queries())) > 15
    for rule in RULES:
        check_names(rule.get("alert", rule.get("record")), rule["expr"])
    for where, expr in queries():
        check_names(where, expr)
    for dashboard in DASHBOARDS.values():
        for variable in dashboard["templating"]["list"]:
            check_names("variables", str(variable["query"]))
    with pytest.raises(AssertionError):
        check_names("here", "geckotape_sink_is_up == 0")
    with pytest.raises(AssertionError):
        check_names("here", 'geckotape_sink_up{colour="red"} == 0')


def test_series_of_a_running_collector_are_as_the_rules_think(tmp_path):
    with Running("run", "--simulate", "--data", tmp_path, "--every", "1s", "--listen", "127.0.0.1:0") as run:
        port = run.port()
        wait_for(lambda: b"geckotape_sink_rows_total" in get(port, "/metrics"), what="rows")
        text = get(port, "/metrics").decode()
        assert run.stop() == 0
    there = set(re.findall(r"^(geckotape_\w+)[{ ]", text, re.MULTILINE))
    asked = {name for expr in [rule["expr"] for rule in RULES] + [expr for _, expr in queries()] for name in re.findall(r"\bgeckotape_\w+", expr)}
    at_first_use = {"quarantined", "drift", "quality_flags", "missed_slots", "skipped_slots", "tape_torn", "tape_holes", "tape_errors", "budget_calls",
                    "budget_spent_calls", "budget_period_end_timestamp_seconds"}
    assert {name for name in asked - there if name[10:].removesuffix("_total") not in at_first_use} == set()


@needs_promtool
def test_rules_and_configuration_are_prometheus_own():
    code, text = tool("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    assert code == 0 and f"{len(RULES)} rules found" in text, text


@needs_promtool
def test_each_alert_fires_and_keeps_quiet(tmp_path):
    for name in ALERTS:
        fires = [case for case in CASES if case["name"] == f"{name} fires"]
        quiet = [case for case in CASES if case["name"] == f"{name} is quiet"]
        assert len(fires) == len(quiet) == 1, name
        assert len(fires[0]["alert_rule_test"][0]["exp_alerts"]) == 1 and quiet[0]["alert_rule_test"][0]["exp_alerts"] == [], name
        assert {case["alert_rule_test"][0]["alertname"] for case in fires + quiet} == {name}
    shutil.copy(PROMETHEUS / "rules.yml", tmp_path)
    shutil.copy(ROOT / "tests/prometheus/rules_test.yml", tmp_path)
    code, text = tool("promtool", "test", "rules", tmp_path / "rules_test.yml")
    assert code == 0 and "SUCCESS" in text, text


@needs_promtool
@pytest.mark.parametrize("name", ALERTS)
def test_a_rule_that_never_fires_is_found_out(tmp_path, name):
    rules = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())
    for rule in rules["groups"][0]["rules"]:
        if rule.get("alert") == name:
            rule["expr"] = "vector(0) > 1"
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    (tmp_path / "rules_test.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1m",
                                                             "tests": [case for case in CASES if case["name"] == f"{name} fires"]}))
    assert tool("promtool", "test", "rules", tmp_path / "rules_test.yml")[0] != 0


@needs_promtool
def test_prometheus_parses_each_query_of_the_dashboards(tmp_path):
    rules = [{"record": f"query:{i}", "expr": expr} for i, (_, expr) in enumerate(queries())]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]}))
    code, text = tool("promtool", "check", "rules", path)
    assert code == 0 and f"{len(rules)} rules found" in text, text
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": [{"record": "query:x", "expr": "sum by (job (up)"}]}]}))
    assert tool("promtool", "check", "rules", path)[0] != 0


def test_the_dashboard_is_what_its_source_makes(tmp_path):
    subprocess.run([sys.executable, ROOT / "tools/grafana.py", tmp_path / "made.json"], check=True)
    assert json.loads((tmp_path / "made.json").read_text()) == DASHBOARDS["geckotape.json"], "run tools/grafana.py deploy/grafana/geckotape.json"
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in DASHBOARDS["geckotape.json"]["panels"]]
    assert len(places) == len(set(places))


@needs_amtool
@pytest.mark.parametrize("severity, receiver", [("critical", "slack-and-mail"), ("warning", "mail"), ("info", "mail")])
def test_alerts_are_routed_by_their_severity(severity, receiver):
    assert severity in {alert["labels"]["severity"] for alert in ALERTS.values()}
    code, text = tool("amtool", "check-config", PROMETHEUS / "alertmanager.yml")
    assert code == 0, text
    code, text = tool("amtool", "config", "routes", "test", f"--config.file={PROMETHEUS}/alertmanager.yml", "alertname=GeckotapeDown", f"severity={severity}")
    assert (code, text.strip().split("\n")[-1]) == (0, receiver)


def test_each_alert_has_its_page():
    options = set(re.findall(r"^### (--[a-z0-9-]+)$", (ROOT / "docs/options.md").read_text(), re.MULTILINE))
    faults = (ROOT / "docs/simulator.md").read_text()
    pages = {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")} - {"README"}
    assert pages == set(ALERTS)
    index = (ROOT / "docs/runbooks/README.md").read_text()
    for name, alert in ALERTS.items():
        assert alert["annotations"]["runbook"] == f"docs/runbooks/{name}.md"
        assert f"| [{name}]({name}.md) | {alert['labels']['severity']} |" in index
        text = (ROOT / f"docs/runbooks/{name}.md").read_text()
        assert text.startswith(f"# {name}\n") and [line for line in text.split("\n") if line.startswith("## ")] == SECTIONS, name
        for metric in re.findall(r"`(geckotape_\w+)`", text):
            assert metric in {known for known, _, _ in TABLE}, f"{name}: no metric {metric}"
        for command in re.findall(r"`geckotape ([^`]*)`", text):
            verb, *words = command.split()
            assert verb in verbs(), f"{name}: {command}"
            assert {word for word in words if word.startswith("--")} <= options | {"--deep"}, f"{name}: {command}"
        for fault in re.findall(r"--fault ([a-z0-9_-]+)", text):
            assert re.search(rf"`{fault}`", faults), f"{name}: no fault {fault}"
