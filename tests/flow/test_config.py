# SPDX-License-Identifier: Apache-2.0
"""Configuration as a user meets it: the file, .env, the seed's names, check."""
import contextlib
import json
import re
import shutil

import postgres
import pytest
from gecko import ROOT, Running, clean_env, database, gecko, market_body, records
from server import PlainServer, pages


def postgres_server():
    if postgres.binaries() is None:
        pytest.skip("no PostgreSQL here")
    server = postgres.Server()
    server.create("etl")
    server.close = server.remove
    return server


def check_json(cwd, *args, **env):
    return json.loads(gecko("check", "--format", "json", *args, cwd=cwd, env=clean_env(**env), check=0).stdout)


def test_check_without_anything_shows_the_defaults(tmp_path):
    out = gecko("check", cwd=tmp_path, check=0).stdout
    assert "markets-usd" in out and "every 30s" in out and "2880 a day, 86400 a month" in out
    assert "sqlite:./data/market.db" in out and "json:./data?keep=1d" in out
    found = check_json(tmp_path)
    assert [job["name"] for job in found["jobs"]] == ["markets-usd"]
    assert {s["origin"] for s in found["settings"]} == {"default"}
    assert not (tmp_path / "data").exists(), "check leaves no trace"


def test_check_shows_where_each_setting_comes_from(tmp_path):
    (tmp_path / "geckotape.yaml").write_text("data: ./d\napi:\n  plan: demo\n  rate: 30\nlog: {level: warn}\n")
    (tmp_path / ".env").write_text("# ours\nGECKOTAPE_API_KEY=CG-geheim\nGECKOTAPE_LOG_FORMAT=json\n")
    (tmp_path / ".env").chmod(0o600)
    found = check_json(tmp_path, "--listen", "none", GECKOTAPE_API_RATE="12")
    origin = {s["name"]: (s["value"], s["origin"]) for s in found["settings"]}
    assert origin["data"] == ("./d", "geckotape.yaml:1")
    assert origin["api.plan"] == ("demo", "geckotape.yaml:3")
    assert origin["api.rate"] == ("12", "GECKOTAPE_API_RATE")
    assert origin["api.key"] == ("***", ".env:2: GECKOTAPE_API_KEY")
    assert origin["log.format"] == ("json", ".env:3: GECKOTAPE_LOG_FORMAT")
    assert origin["http.listen"] == ("none", "--listen")
    assert origin["stop_timeout"] == ("10s", "default")
    assert found["api"]["url"] == "https://api.coingecko.com/api/v3" and found["file"] == "geckotape.yaml"


def test_check_shows_no_secret(tmp_path):
    secret = "geheim0123456789abcdef"
    (tmp_path / "geckotape.yaml").write_text(f"api: {{plan: demo, key: {secret}}}\nhttp: {{token: {secret}}}\n")
    for form in ["table", "json"]:
        done = gecko("check", "--format", form, cwd=tmp_path, check=0)
        assert secret not in done.stdout + done.stderr and "***" in done.stdout
    done = gecko("check", "--sink", "nosuch://u:geheim@h/db", cwd=tmp_path, check=78)
    assert "geheim" not in done.stdout + done.stderr


def test_mistakes_in_the_file_are_all_named_and_nothing_starts(tmp_path):
    (tmp_path / "geckotape.yaml").write_text(
        "api: {rate: many}\ndta: x\nhttp:\n  listen: 8080\njobs:\n  a: {vs: EUR}\n  a: {}\n")
    for verb in ["check", "run", "once"]:
        done = gecko(verb, cwd=tmp_path)
        assert done.returncode == 78 and done.stdout == ""
        lines = [line for line in done.stderr.splitlines() if "geckotape.yaml:" in line]
        # once serves nothing: its address is no business of it
        assert len(lines) == (4 if verb == "once" else 5), done.stderr
    assert not (tmp_path / "data").exists()
    # what collects is wrong, what reads the tape does not care
    gecko("tape", "ls", cwd=tmp_path, check=78)
    (tmp_path / "geckotape.yaml").write_text("jobs: {a: {vs: EUR}}\n")
    assert gecko("tape", "ls", cwd=tmp_path).returncode != 78


def test_sinks_that_cannot_be_are_named_with_the_other_mistakes(tmp_path):
    (tmp_path / "geckotape.yaml").write_text(
        "api: {rate: many}\nsinks:\n  - nonsense\n  - sqlite:a.db\n  - nosuch://u:geheim@h/db\n  - sqlite:a.db?colour=red\n")
    for verb in ["check", "run", "once"]:
        done = gecko(verb, cwd=tmp_path, check=78)
        places = re.findall(r"^geckotape: (geckotape.yaml:\d+: [a-z.]+): ", done.stderr, re.MULTILINE)
        assert places == [f"geckotape.yaml:{at}" for at in ["1: api.rate", "3: sinks", "5: sinks", "6: sinks"]], done.stderr
        assert "geheim" not in done.stderr and done.stdout == ""
    # those that are not used are no business of anybody
    done = gecko("check", "--api-rate", "4", cwd=tmp_path, check=78, env=clean_env(GECKOTAPE_SINKS="null: nope: sqlite:x nada:"))
    lines = [line for line in done.stderr.splitlines() if "GECKOTAPE_SINKS: " in line]
    assert len(lines) == 2 and "nope:" in lines[0] and "nada:" in lines[1] and "yaml:3" not in done.stderr
    gecko("tape", "ls", cwd=tmp_path)


def test_a_flag_among_the_mistakes_is_one_of_usage(tmp_path):
    (tmp_path / "geckotape.yaml").write_text("api: {rate: many}\n")
    done = gecko("check", "--top", "none", cwd=tmp_path, check=2)
    assert "geckotape.yaml:1: api.rate" in done.stderr and "--top" in done.stderr
    assert gecko("check", "--format", "csv", cwd=tmp_path / "..").returncode == 2


@pytest.mark.parametrize("selection", [["--vs", "eur"], ["--top", "5"], ["--ids", "bitcoin"], ["--every", "1m"]])
def test_jobs_of_the_file_give_way_to_a_selection_loudly(tmp_path, selection):
    (tmp_path / "geckotape.yaml").write_text("jobs:\n  one: {every: 2m}\n  two: {vs: btc, every: 2m}\n")
    assert [job["name"] for job in check_json(tmp_path)["jobs"]] == ["one", "two"]
    done = gecko("check", *selection, cwd=tmp_path, check=0)
    assert f"warning: {selection[0]}: selects one job; the 2 of geckotape.yaml are not used" in done.stderr
    assert "in place of the 2 of the file" in done.stdout
    assert "two" not in done.stdout.split("settings")[0]


def test_jobs_that_do_not_fit_the_pace_are_named_together(tmp_path):
    (tmp_path / "geckotape.yaml").write_text("jobs:\n  small: {every: 30s}\n  sweep: {all: true, every: 30m}\n")
    done = gecko("check", cwd=tmp_path, check=78)
    assert "small (1 call every 30s), sweep (70 calls every 30m)" in done.stderr and "pace is 4" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_examples_pass_check(tmp_path):
    shutil.copy(ROOT / "geckotape.yaml.example", tmp_path / "geckotape.yaml")
    found = gecko("check", cwd=tmp_path, check=0)
    assert found.stderr == "" and "favourites-eur" in found.stdout
    (tmp_path / "geckotape.yaml").unlink()
    shutil.copy(ROOT / ".env.example", tmp_path / ".env")
    (tmp_path / ".env").chmod(0o600)
    found = gecko("check", cwd=tmp_path, check=0)
    assert not [line for line in found.stderr.splitlines() if "POSTGRES_HOST" not in line] and ".env:" in found.stdout and "markets-usd" in found.stdout


def test_every_key_of_the_example_is_a_key(tmp_path):
    text = (ROOT / "geckotape.yaml.example").read_text()
    # prose is "# word"; a key that shows its default is "#key"
    text = re.sub(r"^( *)#(?=[a-z0-9_]+:|  )", r"\1", text, flags=re.MULTILINE)
    (tmp_path / "key").write_text("CG-x\n")
    (tmp_path / "token").write_text("0123456789abcdef\n")
    (tmp_path / "login").write_text("me:0123456789abcdef\n")
    (tmp_path / "cert.pem").write_text("")
    (tmp_path / "key.pem").write_text("")
    (tmp_path / "read-token").write_text("0123456789abcdef\n")
    whole = text.replace("/etc/geckotape/", "")
    (tmp_path / "geckotape.yaml").write_text(whole.replace("plan: keyless", "plan: demo").replace("rate: 4", "rate: 60") + "\n")
    found = check_json(tmp_path)
    defaults = [s["name"] for s in found["settings"]
                if s["origin"] == "default" and "." in s["name"] and not s["name"].startswith("jobs.")]
    assert not defaults, f"the example does not show {defaults}"
    assert len(found["jobs"]) == 8


def test_the_seeds_environment_works_as_it_is(tmp_path):
    """Three sinks: the default ones and the database, with the columns that its readers know."""
    with contextlib.closing(postgres_server()) as server, PlainServer(pages([market_body(3)])) as api:
        url = f"{api.url}/coins/markets?vs_currency=eur&order=market_cap_desc&per_page=3&page=1&sparkline=false"
        (tmp_path / ".env").write_text(f"COINGECKO_URL={url}\nPOSTGRES_HOST=localhost\nPOSTGRES_PORT={server.port}\n"
                                       f"POSTGRES_USER=etl\nPOSTGRES_PASSWORD='{postgres.PASSWORD}'\nPOSTGRES_DB=etl\n")
        (tmp_path / ".env").chmod(0o600)
        done = gecko("once", "--api-rate", 100000, cwd=tmp_path, check=0)
        assert api.requests[0].query["vs_currency"] == "eur" and api.requests[0].query["per_page"] == "3"
        assert done.stderr == "" and postgres.PASSWORD not in done.stdout
        columns = server.psql("select string_agg(column_name, ' ' order by ordinal_position) from information_schema.columns "
                              "where table_schema = 'public' and table_name = 'coin_market_raw'")
        assert columns == ("id symbol name image current_price market_cap market_cap_rank total_volume high_24h low_24h price_change_24h "
                           "price_change_percentage_24h last_updated")
        assert server.psql("select count(*) from coin_market_raw") == "3"
        assert f"postgres://etl:***@localhost:{server.port}/etl" in gecko("check", cwd=tmp_path, check=0).stdout
    with database(tmp_path / "data") as db:
        assert db.execute("select count(*) from market").fetchone()[0] == 3
    assert records(tmp_path / "data")[0]["job"] == "markets-eur-top3"
    for file in (tmp_path / "data").rglob("*"):
        assert not file.is_file() or postgres.PASSWORD.encode() not in file.read_bytes(), file


def test_made_up_data_keeps_out_of_the_seeds_database(tmp_path):
    (tmp_path / ".env").write_text("POSTGRES_HOST=localhost\n")
    assert "postgres:" in gecko("check", cwd=tmp_path, check=0).stdout
    assert "postgres:" not in gecko("check", "--simulate", cwd=tmp_path, check=0).stdout


def test_other_verbs_find_the_data_by_the_file(tmp_path):
    (tmp_path / "geckotape.yaml").write_text("data: ./elsewhere\nsinks: ['sqlite:./elsewhere/market.db']\n")
    with PlainServer(pages([market_body(3)])) as api:
        gecko("once", "--api-url", api.url, "--top", 3, cwd=tmp_path, check=0)
    assert "markets-usd-top3" in gecko("tape", "ls", cwd=tmp_path, check=0).stdout
    assert "coin-0" in gecko("query", "--columns", "id", cwd=tmp_path, check=0).stdout


def test_run_starts_from_the_file(tmp_path):
    (tmp_path / "geckotape.yaml").write_text("http: {listen: '127.0.0.1:0'}\nlog: {level: info, file: etl.log}\n")
    with Running("run", "--simulate", cwd=tmp_path) as run:
        assert run.port() > 0
        assert run.stop() == 0
    assert "started" in (tmp_path / "etl.log").read_text()
