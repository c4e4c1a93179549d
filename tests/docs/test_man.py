# SPDX-License-Identifier: Apache-2.0
"""The man pages: made by scdoc, sound for mandoc, complete."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from gecko import ROOT, gecko, verbs

BUILT = pathlib.Path(os.environ["BUILT_DOCS"])
PAGES = ["geckotape.1", "geckotape.yaml.5", "geckotape-tape.5"]
# what scdoc writes by itself around each section, and about lines that only its input has
SCDOC = re.compile(r"skipping paragraph macro|lower case character in document title|longer than 80 bytes")


def built(page):
    if not (BUILT / page).exists():
        pytest.skip("built without scdoc; apt-get install scdoc, then meson setup --reconfigure")
    return BUILT / page


def rendered(page):
    path = built(page)
    if not shutil.which("mandoc"):
        pytest.skip("no mandoc; apt-get install mandoc")
    out = subprocess.run(["mandoc", "-T", "utf8", "-O", "width=200", path], stdout=subprocess.PIPE, check=True).stdout.decode()
    return re.sub(r"(?<=\w)-\n {7}", "-", re.sub(".\b", "", out))  # neither overstrikes nor words in two


@pytest.mark.parametrize("page", PAGES)
def test_mandoc_finds_nothing_to_mend(page):
    path = built(page)
    if not shutil.which("mandoc"):
        pytest.skip("no mandoc; apt-get install mandoc")
    done = subprocess.run(["mandoc", "-T", "lint", path], stdout=subprocess.PIPE, text=True, check=False)
    found = [line for line in done.stdout.splitlines() if not SCDOC.search(line)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("page", PAGES)
def test_no_mark_is_left_unfilled(page):
    assert "docgen" not in rendered(page)


def test_the_page_has_every_verb_with_its_options_and_examples():
    text = rendered("geckotape.1")
    for verb in verbs():
        chapter = re.search(rf"^   {verb}\n(.*?)(?=^ {{0,3}}\S)", text, re.MULTILINE | re.DOTALL)[1]
        help_text = gecko(verb, "--help", check=0).stdout
        for name in re.findall(r"^  (--[a-z0-9-]+)", help_text, re.MULTILINE):
            assert re.search(rf"{name}\b", chapter), f"{name} of {verb}"
            assert re.search(rf"^       {name}\b.*, GECKOTAPE_", text, re.MULTILINE), name
        assert f"geckotape {verb}" in chapter


def test_the_page_has_every_exit_code():
    text = rendered("geckotape.1").split("\nEXIT STATUS\n")[1]
    for code in re.findall(r"EXIT_[A-Z]+ = (\d+)", (ROOT / "src/cmd/cmd.h").read_text()):
        assert re.search(rf"^       {code}$", text, re.MULTILINE), code


def test_the_layout_of_the_tape_is_that_of_the_header():
    text = rendered("geckotape-tape.5")
    comment = (ROOT / "src/tape/format.h").read_text().split("*/")[0]
    for line in comment.splitlines():
        assert line[3:].strip() in text, line


def test_the_example_of_the_configuration_is_accepted(tmp_path):
    text = (ROOT / "docs/man/geckotape.yaml.5.scd").read_text()
    example = text.split("# EXAMPLE")[1].split("```")[1].lstrip()
    (tmp_path / "key").write_text("k\n")
    (tmp_path / "geckotape.yaml").write_text(example.replace("/etc/geckotape/key", str(tmp_path / "key")))
    out = gecko("check", cwd=tmp_path, check=0).stdout
    assert "office-hours" in out and "***" in out
    assert not (tmp_path / "data").exists()


def test_the_page_has_every_key_of_the_example_file():
    page = rendered("geckotape.yaml.5")
    keys = re.findall(r"^ *#? ?([a-z_]+):", (ROOT / "geckotape.yaml.example").read_text(), re.MULTILINE)
    sections = set(re.findall(r"^([a-z]+):$", (ROOT / "geckotape.yaml.example").read_text(), re.MULTILINE))
    assert {"every", "timeout", "level"} <= set(keys)
    for key in set(keys) - sections - {"everything", "names", "gone", "daily", "quiet"}:
        assert re.search(rf"^       {key.removesuffix('_file')}: ", page, re.MULTILINE), key
