# SPDX-License-Identifier: Apache-2.0
"""The command line: help, mistakes and their exit codes."""
import fcntl
import re
import socket

import pytest
from gecko import Running, clean_env, gecko, market_body
from server import PlainServer, pages

VERBS = ["run", "once", "query", "serve", "tape", "import", "status", "doctor", "simulate"]


def test_help_teaches():
    out = gecko("--help", check=0).stdout
    for verb in VERBS:
        assert re.search(rf"^  {verb} ", out, re.MULTILINE)
    assert "75" in out and "Data provided by CoinGecko" in out


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_examples(verb):
    out = gecko(verb, "--help", check=0).stdout
    assert f"Usage: geckotape {verb}" in out
    assert f"\n  geckotape {verb}" in out.split("Examples:")[1]
    assert max(map(len, out.splitlines())) <= 110


@pytest.mark.parametrize("verb", VERBS)
def test_the_columns_of_help_are_aligned(verb):
    options = gecko(verb, "--help", check=0).stdout.split("Options:\n")[1].split("\n\n")[0]
    for line in options.splitlines():
        assert re.fullmatch(r".{28}  \S.*|  --\S+( \S+)?", line), line


MISTAKES = [
    (["nonsense"], 2, "nonsense", "--help"),
    (["run", "--evry", "30s"], 2, "--evry", "did you mean --every?"),
    (["run", "--every"], 2, "--every", "needs a value"),
    (["run", "--every", "fast"], 2, "--every", "30s, 5m or 1h"),
    (["run", "--every", "0s"], 2, "--every", "from 1s"),
    (["run", "--top", "0"], 2, "--top", "from 1 to 20000"),
    (["run", "--top", "99999999999999999999"], 2, "--top", "from 1 to 20000"),
    (["run", "--top", "5000"], 2, "--every", "fits"),
    (["run", "--vs", "US$"], 2, "--vs", "usd"),
    (["run", "--api-url", "ftp://x"], 2, "--api-url", "https://"),
    (["run", "--api-url", "http://x/?a=b"], 2, "--api-url", "query"),
    (["run", "--api-key", "k"], 2, "--api-key", "--api-plan"),
    (["run", "--api-plan", "gold"], 2, "--api-plan", "keyless|demo|basic|analyst|lite|pro"),
    (["run", "--api-plan", "demo"], 2, "--api-plan demo", "GECKOTAPE_API_KEY"),
    (["run", "--listen", "8080"], 2, "--listen", "127.0.0.1:8080"),
    (["run", "--listen", "127.0.0.1:99999"], 2, "--listen", "65535"),
    (["run", "-x"], 2, "-x", "two dashes"),
    (["run", "word"], 2, "run", "usage"),
    (["once", "--sink", "kafka://b/t"], 78, "kafka", "sqlite"),
    (["once", "--sink", "nonsense"], 78, "nonsense", "sqlite"),
    (["once", "--sink", "sqlite:x?colour=red"], 78, "colour", "x"),
    (["once", "--simulate", "--fault", "smoke"], 78, "smoke", "429"),
    (["tape", "eat"], 2, "eat", "verify"),
    (["tape", "verify", "--first", "999"], 2, "--first", "only tape cat"),
    (["tape", "verify", "--last", "999"], 2, "--last", "only tape cat"),
    (["tape", "ls", "--headers"], 2, "--headers", "only tape cat"),
    (["tape", "cat", "--deep"], 2, "--deep", "only tape verify"),
    (["tape", "ls", "--json"], 2, "--json", "only tape drift"),
    (["tape", "verify", "--since", "2026-01-01"], 2, "--since", "only tape drift"),
    (["tape", "drift", "--since", "yesterday"], 2, "--since", "2026-11-23"),
    (["tape", "cat", "--dry-run"], 2, "--dry-run", "only tape prune"),
    (["tape", "compact", "--keep", "1d"], 2, "--keep", "only tape prune"),
    (["tape", "prune", "--level", "3"], 2, "--level", "only tape compact"),
    (["tape", "compact", "--level", "20"], 2, "--level", "19"),
    (["tape", "prune"], 2, "tape prune", "--keep 90d"),
    (["tape", "cat", "--first", "0"], 2, "--first", "count from 1"),
    (["query", "--columns", "price"], 2, "price", "--columns all"),
]


@pytest.mark.parametrize("args,code,place,mend", MISTAKES, ids=[" ".join(m[0]) for m in MISTAKES])
def test_a_mistake_is_named_with_its_mend(tmp_path, args, code, place, mend):
    done = gecko(*args, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert place in done.stderr and mend in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_a_tape_that_another_process_writes_is_tried_again_later(tmp_path):
    with open(tmp_path / "lock", "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        done = gecko("once", "--simulate", "--data", tmp_path)
    assert done.returncode == 75, done.stderr
    assert "another process is writing this tape" in done.stderr


def test_all_mistakes_are_named_at_once(tmp_path):
    done = gecko("run", "--top", "0", "--every", "x", "--api-plan", "gold", cwd=tmp_path)
    assert done.returncode == 2
    for place in ["--top", "--every", "--api-plan"]:
        assert place in done.stderr
    assert len(done.stderr.splitlines()) == 3


def test_environment_mistakes_name_the_variable(tmp_path):
    done = gecko("run", env=clean_env(GECKOTAPE_EVREY="30s", GECKOTAPE_TOP="many"), cwd=tmp_path)
    assert done.returncode == 78
    assert "GECKOTAPE_EVREY" in done.stderr and "did you mean GECKOTAPE_EVERY?" in done.stderr
    assert "GECKOTAPE_TOP" in done.stderr


def test_a_flag_wins_over_the_environment(tmp_path):
    with PlainServer(pages([market_body(3)])) as api:
        gecko("once", "--api-url", api.url, "--data", tmp_path, "--top", 3, env=clean_env(GECKOTAPE_TOP="7"), check=0)
        assert api.requests[0].query["per_page"] == "3"


def test_a_secret_comes_from_a_file_and_is_shown_nowhere(tmp_path):
    secret = tmp_path / "key"
    secret.write_text("CG-verysecretkey\n")
    with PlainServer(pages([market_body(3)])) as api:
        done = gecko("once", "--api-url", api.url, "--data", tmp_path / "d", "--api-plan", "demo", "--log-level", "debug",
                     env=clean_env(GECKOTAPE_API_KEY_FILE=str(secret)), check=0)
        assert api.requests[0].headers["x-cg-demo-api-key"] == "CG-verysecretkey"
    assert "verysecret" not in done.stdout + done.stderr
    for file in (tmp_path / "d").rglob("*"):
        assert not file.is_file() or b"verysecret" not in file.read_bytes()


def test_a_second_writer_is_refused_with_the_pid(tmp_path):
    with PlainServer(pages([market_body(3)])) as api:
        with Running("run", "--api-url", api.url, "--data", tmp_path, "--listen", "none") as first:
            first.expect("started")
            done = gecko("once", "--api-url", api.url, "--data", tmp_path)
            assert done.returncode != 0
            assert str(first.process.pid) in done.stderr
            assert first.stop() == 0


def test_a_busy_port_is_named_with_the_mend(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = gecko("run", "--simulate", "--data", tmp_path, "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 1
    assert str(port) in done.stderr and "--listen" in done.stderr


def test_without_a_network_once_says_so_and_exits_75(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    done = gecko("once", "--api-url", f"http://127.0.0.1:{port}/api/v3", "--data", tmp_path, "--api-rate", 100000, timeout=240)
    assert done.returncode == 75
    assert "127.0.0.1" in done.stderr


def test_simulated_and_real_data_do_not_mix(tmp_path):
    with PlainServer(pages([market_body(3)])) as api:
        gecko("once", "--api-url", api.url, "--data", tmp_path / "real", check=0)
        done = gecko("once", "--simulate", "--data", tmp_path / "real")
        assert done.returncode == 78 and "real data" in done.stderr
        gecko("once", "--simulate", "--data", tmp_path / "sim", check=0)
        done = gecko("once", "--api-url", api.url, "--data", tmp_path / "sim")
        assert done.returncode == 78 and "simulated" in done.stderr
