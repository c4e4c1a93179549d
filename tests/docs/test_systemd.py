# SPDX-License-Identifier: Apache-2.0
"""deploy/systemd/ and docs/systemd.md against systemd's own tools, and against what the program does."""
import configparser
import os
import re
import shutil
import subprocess

import pytest
from gecko import BINARY, IS_SANITIZED, ROOT, Running, clean_env, gecko, get, wait_for

UNITS = ROOT / "deploy/systemd"
TEXT = (ROOT / "docs/systemd.md").read_text()
SERVICES = ["geckotape.service", "geckotape-once.service"]
# what a unit says of its own; all else in [Service] is hardening, or where things are
OWN = re.compile(r"^(Type|NotifyAccess|Exec\w+|Restart\w*|Timeout\w+|WatchdogSec)=")

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze")


def shell(command, **kwargs):
    return subprocess.run(command, shell=isinstance(command, str), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False, cwd=ROOT,
                          **kwargs)


def settings(name):
    section = (UNITS / name).read_text().split("[Service]\n")[1].split("\n[")[0]
    return [line for line in section.split("\n") if line and line[0] != "#"]


@needs_systemd
def test_systemd_reads_the_units_without_a_word(tmp_path):
    for path in UNITS.glob("geckotape*"):
        (tmp_path / path.name).write_text(path.read_text().replace("/usr/bin/geckotape", BINARY))
    files = sorted(map(str, tmp_path.iterdir()))
    assert len(files) == 3
    done = shell(["systemd-analyze", "verify", "--man=no", *files])
    assert (done.returncode, done.stdout) == (0, "")


@needs_systemd
def test_a_wrong_setting_would_be_told(tmp_path):
    """The test above is worth something."""
    (tmp_path / "geckotape.service").write_text((UNITS / "geckotape.service").read_text().replace("/usr/bin/geckotape", BINARY)
                                                .replace("WatchdogSec=2min", "WatchdogSec=soon"))
    assert "Failed to parse" in shell(["systemd-analyze", "verify", "--man=no", str(tmp_path / "geckotape.service")]).stdout


@needs_systemd
def test_the_page_shows_what_its_commands_print():
    block = TEXT.split("<!-- run -->\n```console\n")[1].split("```")[0]
    pairs = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    assert len(pairs) == 2
    for command, shown in pairs:
        assert shell(command).stdout == shown, command


def test_both_services_are_closed_alike():
    first, second = ([line for line in settings(name) if not OWN.match(line)] for name in SERVICES)
    assert first == second and len(first) > 30


def test_restarts_are_for_what_they_mend():
    assert "RestartPreventExitStatus=2 78" in settings("geckotape.service")
    assert gecko("run", "--top", "many").returncode == 2
    assert gecko("check", "--config", "/nonexistent").returncode in (2, 78)


def test_the_variables_of_the_drop_in_are_the_programs():
    drop_in = (UNITS / "credentials.conf").read_text()
    known = (ROOT / "docs/options.md").read_text() + (ROOT / "docs/postgres.md").read_text().replace("`_", "`POSTGRES_")
    names = re.findall(r"\b((?:GECKOTAPE|POSTGRES)_[A-Z_]+)=", drop_in)
    assert len(names) == 5
    for name in names:
        assert f"`{name}`" in known, name
    ids = set(re.findall(r"LoadCredential=([a-z-]+):", drop_in))
    assert ids == set(re.findall(r"%d/([a-z-]+)", drop_in)) and len(ids) == 2


def test_units_are_as_configparser_reads_them():
    """No line that systemd would skip: an assignment, a comment or a section."""
    for path in UNITS.iterdir():
        parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters="=", comment_prefixes="#")
        parser.read_string(path.read_text())
        assert parser.sections(), path


def allowed_calls():
    """By SystemCallFilter=, in the order of its lines, as systemd.exec(5) has it."""
    allowed = set()
    for line in settings("geckotape.service"):
        if not line.startswith("SystemCallFilter="):
            continue
        words = line.split("=")[1]
        names = set()
        for word in words.lstrip("~").split():
            names |= members(word)
        allowed = allowed - names if words[0] == "~" else allowed | names
    return allowed | members("@default")


def members(word):
    if word[0] != "@":
        return {word}
    listed = shell(["systemd-analyze", "--no-pager", "syscall-filter", word]).stdout
    names = re.findall(r"^\s+(@?[a-z0-9_-]+)$", listed, re.MULTILINE)
    assert names, word
    return set().union(*(members(name) for name in names if name != word))


@needs_systemd
@pytest.mark.skipif(IS_SANITIZED, reason="sanitizers call what the program does not")
def test_the_program_needs_nothing_that_the_units_forbid(tmp_path):
    if not shutil.which("strace"):
        pytest.skip("no strace")
    trace = tmp_path / "trace"
    data = tmp_path / "data"
    strace = ["strace", "-D", "-f", "-qq", "-o", str(trace)]
    with Running("run", "--simulate", "--data", data, "--every", "1s", "--listen", "127.0.0.1:0", under=strace, env=clean_env()) as run:
        port = run.port()
        wait_for(lambda: b'outcome="ok"} 2' in get(port, "/metrics"), what="two polls")
        get(port, "/api/status")
        assert gecko("tape", "compact", "--data", data).returncode == 0  # the housekeeper's child
        assert run.stop() == 0
    text = trace.read_text()
    called = set(re.findall(r"^\d+ +(?:<\.\.\. )?([a-z0-9_]+)[( ]", text, re.MULTILINE)) - {"resumed"}
    assert {"fdatasync", "epoll_wait", "sendto"} & called and len(called) > 40
    allowed = allowed_calls()
    assert "ptrace" not in allowed and "mount" not in allowed and "chown" not in allowed
    by_root = {"fchown"} if os.geteuid() == 0 else set()  # SQLite gives its files to whom the database is; it asks for root first
    refused = called - allowed - by_root
    assert not refused, f"SystemCallFilter= would refuse {refused}"
    families = set(re.findall(r"\bsocket\((AF_[A-Z0-9]+)", text))
    permitted = next(line for line in settings("geckotape.service") if line.startswith("RestrictAddressFamilies=")).split("=")[1].split()
    assert families <= {*permitted, "AF_NETLINK"}, "AF_NETLINK: glibc does without it when it sorts addresses"
    assert not re.search(r"mmap\([^)]*PROT_WRITE\|PROT_EXEC", text) and not re.search(r"mprotect\([^)]*PROT_EXEC", text), "MemoryDenyWriteExecute="
