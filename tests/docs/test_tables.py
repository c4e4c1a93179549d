# SPDX-License-Identifier: Apache-2.0
"""What is tracked and made from the tables is as the tables are."""
import os
import re
import subprocess

import pytest
from gecko import ROOT, gecko, verbs

DOCGEN = os.environ["DOCGEN"]


def docgen(*args, check=0):
    done = subprocess.run([DOCGEN, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == check, done.stderr
    return done


@pytest.mark.parametrize("part", ["options", "metrics", "quality", "simulator"])
def test_tracked_docs_are_those_of_the_tables(part):
    tracked = (ROOT / "docs" / f"{part}.md").read_text()
    assert tracked == docgen(part).stdout, f"docs/{part}.md is not what the tables say; run make docs"


def test_every_route_of_the_api_is_in_its_table_and_no_other():
    routes = re.findall(r'^    \{"(/[^"]+)"', (ROOT / "src" / "serve" / "api_v3" / "routes.c").read_text(), re.MULTILINE)
    rows = re.findall(r"^\| (`/.*?) \|", (ROOT / "docs" / "api.md").read_text(), re.MULTILINE)
    assert len(routes) > 10
    assert sorted(routes) == sorted(path for row in rows for path in re.findall(r"`([^`]+)`", row))


@pytest.mark.parametrize("source,defined,told", [
    ("web/src/data/market.ts", r"const FIRST = (\d+);", r"asks for the first (\d+), then for all"),
    ("src/serve/market.c", r"define MAX_IDS +(\d+)", r"those alone, at most (\d+); `&limit"),
    ("src/serve/market.c", r"define MAX_LIMIT +(\d+)", r"the first of them, at most (\d+)"),
    ("src/serve/sparks.c", r"define MAX_IDS +(\d+)", r"where at most (\d+) coins have been"),
    ("src/serve/events.c", r"define MAX_EVENTS +(\d+)", r"(\d+) events or 8 MB are kept"),
    ("src/serve/http.h", r"define HTTP_MAX_STREAMS +(\d+)", r"([\d,]+) clients at most"),
    ("src/serve/series.c", r"define POINTS_MAX +(\d+)", r"\(([\d,]+) at most; it begins on 2013"),
    ("src/cmd/news.c", r"define MAX_TOLD +(\d+)", r"has more than (\d+) polls at once"),
    ("src/extract/fetch.h", r"define FETCH_MAX_WAITING +(\d+)", r"(\d+) different ones wait at most"),
])
def test_a_number_of_the_api_is_that_of_the_source(source, defined, told):
    number, = re.findall(defined, (ROOT / source).read_text())
    text = re.sub(r"\s+", " ", (ROOT / "docs" / "api.md").read_text())
    assert [found.replace(",", "") for found in re.findall(told, text)] == [number]


def test_every_option_of_help_is_in_the_options_with_its_variable():
    text = (ROOT / "docs" / "options.md").read_text()
    assert "run" in verbs()
    for verb in verbs():
        for name in re.findall(r"^  --([a-z0-9-]+)", gecko(verb, "--help", check=0).stdout, re.MULTILINE):
            section = re.search(rf"^### --{name}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
            assert section, f"--{name} of {verb}"
            assert "`GECKOTAPE_" in section[1]
            assert f"`{verb}`" in section[1] or "every verb" in section[1], f"--{name} of {verb}"


def test_a_secret_says_so_and_names_the_variable_of_its_file():
    section = (ROOT / "docs" / "options.md").read_text().split("### --api-key\n")[1].split("\n### ")[0]
    assert "`***`" in section and "`GECKOTAPE_API_KEY_FILE`" in section


def test_an_unknown_part_and_a_missing_file_are_named(tmp_path):
    assert "no such part" in docgen("colours", check=1).stderr
    assert "absent" in docgen("fill", tmp_path / "absent", check=1).stderr
    (tmp_path / "page").write_text("before\n; docgen colours\nafter\n")
    assert "no such part" in docgen("fill", tmp_path / "page", check=1).stderr


def test_each_metric_of_the_sources_is_in_the_metrics():
    names = re.findall(r'X\([A-Z_]+, "([a-z_]+)"', (ROOT / "src/base/metric.h").read_text())
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert len(names) > 20
    for name in names:
        assert f"| `geckotape_{name}` |" in text


def test_the_example_files_are_accepted(tmp_path):
    gecko("check", "--config", ROOT / "geckotape.yaml.example", cwd=tmp_path, check=0)
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    gecko("check", cwd=tmp_path, check=0)


def test_the_example_of_the_file_has_every_key():
    example = (ROOT / "geckotape.yaml.example").read_text()
    keys = re.findall(r"in the file `([a-z_]+)`", (ROOT / "docs/options.md").read_text())
    assert len(keys) > 15
    for key in keys:
        assert re.search(rf"^ *#? *{key}(_file)?:", example, re.MULTILINE), f"{key} is not in geckotape.yaml.example"
