# SPDX-License-Identifier: Apache-2.0
"""README's tour (tests/tour.py), and what else it promises."""
import os
import pathlib
import pty
import re
import select
import subprocess
import time

import pytest
import tour
from gecko import BINARY, PATIENCE, ROOT, clean_env, verbs

TEXT = (ROOT / "README.md").read_text()
BLOCKS = tour.blocks(TEXT)
BUILD = pathlib.Path(BINARY).parent


class Walk:
    def __init__(self, directory, binary):
        self.directory = directory
        self.port = "8080"
        self.left_running = []
        self.env = clean_env(PATH=f"{binary.parent}:{os.environ['PATH']}", HOME=str(directory), NO_COLOR="1",
                             GIT_CONFIG_GLOBAL="/dev/null", GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@example.invalid",
                             GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@example.invalid")

    def run(self, command, expected):
        command = command.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")
        done = subprocess.run(["bash", "-c", command], cwd=self.directory, env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False)
        assert tour.is_as_written(done.stdout, expected), f"$ {command}{done.stdout}\nREADME has\n{expected}"
        if command.startswith("kill "):
            self.left_running[-1][0].wait(PATIENCE)  # who types is slower

    def start(self, command, expected):
        """At a terminal, on a free port; back when all the expected lines have come."""
        ours, theirs = pty.openpty()
        env = dict(self.env, GECKOTAPE_LISTEN="127.0.0.1:0")
        process = subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=self.directory, env=env, stdin=theirs, stdout=theirs,
                                   stderr=theirs)
        os.close(theirs)
        self.left_running.append((process, ours))
        text, until = "", time.monotonic() + PATIENCE
        while not tour.has_come(text, expected):
            assert time.monotonic() < until and process.poll() is None, f"$ {command}{text}\nREADME has\n{expected}"
            if select.select([ours], [], [], 0.1)[0]:
                text += os.read(ours, 65536).decode()
        self.port = re.search(r"page +http://127\.0\.0\.1:(\d+)/", text)[1]

    def stop(self):
        for process, terminal in self.left_running:
            process.terminate()
            process.wait(PATIENCE)
            os.close(terminal)


@pytest.fixture(name="installed")
def fixture_installed(tmp_path):
    """The program as `make install` puts it."""
    if not (BUILD / "meson-private").exists():
        return pathlib.Path(BINARY)
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", tmp_path / "root"], check=True,
                   stdout=subprocess.DEVNULL)
    return next((tmp_path / "root").rglob("bin/geckotape"))


def test_the_tour_is_as_it_is_written(tmp_path, installed):
    assert len(BLOCKS) > 3
    (tmp_path / "home").mkdir()
    walk = Walk(tmp_path / "home", installed)
    try:
        for keeps_running, block in BLOCKS:
            for command, expected in tour.commands(block):
                (walk.start if keeps_running else walk.run)(command, expected)
    finally:
        walk.stop()


def test_what_is_installed_is_whole(installed):
    if not (BUILD / "meson-private").exists():
        pytest.skip("not in a build directory")
    root = installed.parent.parent
    names = {str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()}
    assert {"bin/geckotape", "share/bash-completion/completions/geckotape", "share/zsh/site-functions/_geckotape",
            "share/fish/vendor_completions.d/geckotape.fish", "share/doc/geckotape/examples/geckotape.yaml.example"} <= names
    if (BUILD / "tools" / "geckotape.1").exists():
        assert {"share/man/man1/geckotape.1", "share/man/man5/geckotape.yaml.5", "share/man/man5/geckotape-tape.5"} <= names


def test_every_verb_is_in_the_table():
    table = TEXT.split("## Verbs")[1].split("\n## ")[0]
    for verb in verbs():
        assert re.search(rf"`{verb}[ `|]", table), f"{verb} is not in README's table of verbs"
    named = re.findall(r"^\| (.*?) \| ", table, re.MULTILINE)[1:]
    assert set(re.findall(r"`([a-z-]+)", " ".join(named))) == set(verbs())


def test_links_lead_somewhere():
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/operations.md", "docs/containers.md", "docs/formats/tape.md", "docs/formats/log.md"]:
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / name).read_text()):
            assert ((ROOT / name).parent / link).exists(), f"{name}: {link}"
