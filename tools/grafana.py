#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write deploy/grafana/geckotape.json of the panels below: grafana.py OUT

A dashboard by hand is two thousand lines in which nobody sees a wrong query.
"""
import json
import sys

BY_JOB, BY_SINK = "{{exported_job}}", "{{sink}}"
S = 'job="geckotape", instance=~"$instance"'
ROWS = [
    ("Data", [
        ("Age of the newest row", "s", [("geckotape:newest_row_age:seconds{instance=~\"$instance\"}", BY_JOB)]),
        ("Polls by outcome", "short", [(f"sum by (exported_job, outcome) (increase(geckotape_polls_total{{{S}}}[$__rate_interval]))", BY_JOB + " {{outcome}}")]),
        ("Slots missed, and left out on purpose, an hour", "short", [
            (f"sum by (exported_job) (increase(geckotape_missed_slots_total{{{S}}}[1h]))", "missed " + BY_JOB),
            (f"sum by (exported_job) (increase(geckotape_skipped_slots_total{{{S}}}[1h]))", "left out " + BY_JOB)]),
    ]),
    ("API", [
        ("Answers by class", "reqps", [(f"sum by (class) (rate(geckotape_requests_total{{{S}}}[$__rate_interval]))", "{{class}}")]),
        ("Time of a request, 95 %", "s", [("geckotape:request_seconds:p95_30m{instance=~\"$instance\"}", BY_JOB)]),
        ("Calls of the billing period", "short", [
            (f"geckotape_budget_spent_calls{{{S}}}", "{{spender}}"),
            (f"geckotape_budget_calls{{{S}}} > 0", "bound")]),
    ]),
    ("Sinks", [
        ("Records behind the tape", "short", [(f"geckotape_sink_lag_records{{{S}}}", BY_SINK + " " + BY_JOB)]),
        ("Works (1) or not (0)", "short", [(f"geckotape_sink_up{{{S}}}", BY_SINK)]),
        ("Rows stored", "rowsps", [("geckotape:sink_rows:rate5m{instance=~\"$instance\"}", BY_SINK)]),
        ("Time of a load, 95 %", "s", [
            (f"histogram_quantile(0.95, sum by (sink, le) (rate(geckotape_sink_commit_seconds_bucket{{{S}}}[$__rate_interval])))", BY_SINK)]),
    ]),
    ("Quality", [
        ("Refused values", "short", [(f"geckotape_quarantined_total{{{S}}}", BY_SINK)]),
        ("Changes of the API", "short", [(f"geckotape_drift_total{{{S}}}", BY_JOB + " {{kind}}")]),
        ("Rows that are hardly true, an hour", "short", [(f"sum by (rule) (increase(geckotape_quality_flags_total{{{S}}}[1h]))", "{{rule}}")]),
    ]),
    ("Machine", [
        ("Free on the disk of the tape", "bytes", [(f"geckotape_disk_free_bytes{{{S}}}", "{{instance}}")]),
        ("Tape on disk", "bytes", [(f"geckotape_tape_disk_bytes{{{S}}}", BY_JOB)]),
        ("Memory", "bytes", [(f"geckotape_process_resident_memory_bytes{{{S}}}", "{{instance}}")]),
        ("CPU", "percentunit", [(f"rate(geckotape_process_cpu_seconds_total{{{S}}}[$__rate_interval])", "{{instance}}")]),
    ]),
]
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


def panel(number, title, unit, queries, place):
    return {
        "id": number, "type": "timeseries", "title": title, "datasource": DATASOURCE, "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit, "custom": {"fillOpacity": 5, "showPoints": "never"}}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [{"refId": chr(ord("A") + i), "datasource": DATASOURCE, "expr": expr, "legendFormat": legend}
                    for i, (expr, legend) in enumerate(queries)],
    }


def panels():
    made, y = [], 0
    for title, row in ROWS:
        made.append({"id": len(made) + 1, "type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"h": 1, "w": 24, "x": 0, "y": y}})
        width = 24 // len(row)
        for i, (name, unit, queries) in enumerate(row):
            made.append(panel(len(made) + 1, name, unit, queries, {"h": 8, "w": width, "x": i * width, "y": y + 1}))
        y += 9
    return made


DASHBOARD = {
    "uid": "geckotape", "title": "geckotape", "tags": ["geckotape"], "schemaVersion": 38, "version": 1, "editable": True,
    "timezone": "utc", "refresh": "30s", "time": {"from": "now-6h", "to": "now"},
    "templating": {"list": [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
        {"name": "instance", "type": "query", "datasource": DATASOURCE, "query": "label_values(geckotape_build_info, instance)",
         "includeAll": True, "multi": True, "refresh": 2, "label": "Collector"},
    ]},
    "annotations": {"list": [
        {"name": "Starts", "datasource": DATASOURCE, "enable": True, "iconColor": "blue", "titleFormat": "started",
         "expr": f"changes(geckotape_process_start_time_seconds{{{S}}}[2m]) > 0"}]},
    "panels": panels(),
}

with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump(DASHBOARD, file, indent=1)
    file.write("\n")
