# SPDX-License-Identifier: Apache-2.0
"""The completions for bash, zsh and fish, as these shells take them."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from gecko import gecko, verbs

BUILT = pathlib.Path(os.environ["BUILT_DOCS"])
VERBS = verbs()


def options_of(verb):
    return set(re.findall(r"^  (--[a-z0-9-]+)", gecko(verb, "--help", check=0).stdout, re.MULTILINE))


def shell(name, *args, cwd=None):
    program = shutil.which(name)
    if not program:
        pytest.skip(f"no {name}; apt-get install {name}")
    # nothing outside the shell may be needed
    done = subprocess.run([program, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, check=False,
                          env={"PATH": "/nonexistent", "HOME": str(cwd or "/nonexistent")})
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.splitlines()


def bash(*words, cwd=None):
    """What bash offers for the last of these words."""
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _geckotape; printf "%s\\n" "${COMPREPLY[@]}"'
    return {w for w in shell("bash", "--norc", "-c", script, "-", str(BUILT / "geckotape"), "geckotape", *words, cwd=cwd) if w}


def test_bash_offers_the_verbs():
    assert bash("") == {*VERBS, "--help", "--version"}
    assert bash("que") == {"query"}


@pytest.mark.parametrize("verb", VERBS)
def test_bash_offers_the_options_of_the_verb(verb):
    assert bash(verb, "--") == options_of(verb) | {"--help"}


def test_bash_offers_choices_words_directories_and_files(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file with blanks").touch()
    assert bash("run", "--log-level", "") == {"error", "warn", "info", "debug"}
    assert bash("run", "--log-level", "=", "w") == {"warn"}
    assert bash("run", "--log-level", "=") == {"error", "warn", "info", "debug"}
    assert {"ls", "cat", "verify"} <= bash("tape", "")
    assert bash("run", "--data", "f", cwd=tmp_path) == {"folder"}
    assert bash("run", "--log-file", "f", cwd=tmp_path) == {"folder", "file with blanks"}
    assert bash("run", "--top", "") == set()
    assert bash("import", "f", cwd=tmp_path) == {"folder", "file with blanks"}


def test_bash_offers_nothing_for_a_verb_that_is_none():
    assert bash("nonsense", "--") == set()


def zsh(*words, cwd=None):
    """The arguments that the function hands to zsh's own helpers."""
    script = ('_arguments() { print -rl -- "$@" }; _describe() { print -rl -- "${(@P)2}" }; file=$1; shift; '
              'words=("$@"); CURRENT=$#; source $file')
    return shell("zsh", "-f", "-c", script, "-", str(BUILT / "_geckotape"), "geckotape", *words, cwd=cwd)


def test_zsh_describes_the_verbs():
    assert [line.split(":")[0] for line in zsh("")] == VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_zsh_describes_the_options_of_the_verb(verb):
    lines = zsh(verb, "")
    assert {re.match(r"\*?(--[a-z0-9-]+)", line)[1] for line in lines if re.match(r"\*?--", line)} == options_of(verb) | {"--help"}


def test_zsh_knows_choices_words_directories_and_files():
    lines = zsh("run", "")
    assert any(line.startswith("--log-level=[") and line.endswith(":(error warn info debug)") for line in lines)
    assert any(line.startswith("--data=[") and line.endswith(":DIR:_directories") for line in lines)
    assert any(line.startswith("*--sink=[") for line in lines)
    assert any(line.startswith("1:what:(ls cat verify") for line in zsh("tape", ""))


def fish(line, cwd):
    script = f'source {BUILT / "geckotape.fish"}; complete -C "geckotape {line}"'
    return {found.split("\t")[0] for found in shell("fish", "--no-config", "-c", script, cwd=cwd)}


def test_fish_offers_the_verbs(tmp_path):
    assert fish("", tmp_path) == set(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_fish_offers_the_options_of_the_verb(verb, tmp_path):
    assert {word.rstrip("=") for word in fish(f"{verb} --", tmp_path)} == options_of(verb) | {"--help"}


def test_fish_offers_choices_words_directories_and_files(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    assert fish("run --log-level ", tmp_path) == {"error", "warn", "info", "debug"}
    assert {"ls", "cat", "verify"} <= fish("tape ", tmp_path)
    assert fish("run --data ", tmp_path) == {"folder/"}
    assert {"folder/", "file"} <= fish("run --log-file ", tmp_path)
    assert {"folder/", "file"} <= fish("import ", tmp_path)
