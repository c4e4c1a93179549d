# SPDX-License-Identifier: Apache-2.0
"""Dockerfile, docker-compose.yml, .env.example and .dockerignore against what they speak of; no engine is needed."""
import json
import os
import re
import subprocess

import pytest
import yaml
from gecko import BINARY, ROOT, clean_env, gecko

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
EXAMPLE = (ROOT / ".env.example").read_text()
SEED = ["COINGECKO_URL=https://api.coingecko.com/api/v3/coins/markets?vs_currency=usd", "VS_CURRENCY=usd", "PER_PAGE=10",
        "POSTGRES_HOST=db", "POSTGRES_PORT=5432", "POSTGRES_USER=postgres", "POSTGRES_PASSWORD=postgres", "POSTGRES_DB=coingecko"]


def stages():
    """[(base, instructions)] with continued lines joined and comments gone."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    return [(part.split()[0], part) for part in re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]]


def check_json(cwd, **env):
    return json.loads(gecko("check", "--format", "json", cwd=cwd, env=clean_env(**env), check=0).stdout)


def test_the_image_is_built_from_the_one_list_of_packages():
    (base, build), (final_base, final) = stages()
    assert base == final_base == "debian:bookworm-slim"
    assert "RUN tools/deps.sh build\n" in build and "apt-get" not in build
    assert "--mount" not in DOCKERFILE and "<<" not in DOCKERFILE, "needs BuildKit"
    assert re.search(r"^USER \d+:\d+$", final, re.MULTILINE) and "HEALTHCHECK" in final and '"--healthcheck"' in final


def test_the_image_has_the_libraries_that_the_program_names_and_no_others():
    if "VERSION_CODENAME=bookworm" not in (open("/etc/os-release", encoding="utf-8").read()):
        pytest.skip("another release names its packages otherwise")
    dynamic = subprocess.run(["readelf", "-d", BINARY], stdout=subprocess.PIPE, text=True, check=True).stdout
    sonames = [name for name in re.findall(r"NEEDED.*\[(.*)\]", dynamic) if not re.match(r"lib[a-z]*san\.", name)]
    owners = subprocess.run(["dpkg-query", "-S", *(f"/*lib/*-linux-gnu/{name}" for name in sonames)], stdout=subprocess.PIPE, text=True, check=True)
    needed = {line.split(":")[0] for line in owners.stdout.splitlines()}
    install = re.search(r"apt-get install ([^&]*)", stages()[1][1])[1]
    listed = {word for word in install.split() if not word.startswith("-")}
    # every Debian has these two
    assert listed == needed - {"libc6", "libgcc-s1"} | {"ca-certificates"}


def test_nothing_private_gets_into_the_image():
    taken = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert "\n*\n" in (ROOT / ".dockerignore").read_text(), "everything is left out but what is named"
    assert not {"!.env", "!.git", "!data", "!logs", "!."} & set(taken)
    for line in taken:
        assert (ROOT / line[1:]).exists(), line
    for source in re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE):
        assert source == "." or any(source.startswith(line[1:]) for line in taken), source


def test_the_example_has_the_lines_of_the_seed_and_no_problems(tmp_path):
    lines = EXAMPLE.splitlines()
    assert lines[lines.index(SEED[0]):][:len(SEED)] == SEED
    assert [line for line in lines if line and not line.startswith("#")] == SEED
    (tmp_path / ".env").write_text(EXAMPLE)
    (tmp_path / ".env").chmod(0o600)
    found = check_json(tmp_path)
    assert [job["name"] for job in found["jobs"]] == ["markets-usd-top10"]


def test_each_line_of_the_example_can_be_taken_in(tmp_path):
    (tmp_path / "key").write_text("CG-x\n")
    text = re.sub(r"^#([A-Z_]+=)", r"\1", EXAMPLE, flags=re.MULTILINE).replace("/run/secrets/coingecko_key", "key")
    text = text.replace("GECKOTAPE_API_KEY=CG-…\n", "").replace("every=30s", "every=5m")
    (tmp_path / ".env").write_text(text)
    (tmp_path / ".env").chmod(0o600)
    names = {setting["origin"].split(": ")[-1] for setting in check_json(tmp_path)["settings"]}
    assert {name for name in re.findall(r"^#(GECKOTAPE_[A-Z_]+)=", EXAMPLE, re.MULTILINE)} - names == {"GECKOTAPE_API_KEY"}


def test_what_the_compose_file_sets_exists(tmp_path):
    """Its settings are options, and its ${…} are in the example with the same defaults."""
    etl = {k: str(v) for k, v in COMPOSE["services"]["etl"]["environment"].items()}
    ours = {k: v for k, v in etl.items() if k.startswith("GECKOTAPE_")}
    found = {s["origin"]: s["value"] for s in check_json(tmp_path, **ours)["settings"]}
    assert ours == {k: found[k] for k in ours}
    example = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    documented = set(re.findall(r"\b[A-Z_]+\b", (ROOT / "docs/containers.md").read_text()))
    for name, default in re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", (ROOT / "docker-compose.yml").read_text()):
        assert name in example and default in (example[name], "./deploy/no-secret"), name
        assert name in documented, name


def test_the_compose_file_keeps_its_promises():
    services = COMPOSE["services"]
    init, db, etl = services["init"], services["db"], services["etl"]
    assert set(services) == {"init", "db", "etl"} and COMPOSE["version"] == "3.9"
    assert [p.split("}")[-1] for p in db["ports"] + etl["ports"]] == [":5432", ":8080"]
    assert all(p.startswith("127.0.0.1:") for p in db["ports"] + etl["ports"]), "published on loopback only"
    assert etl["depends_on"]["db"]["condition"] == "service_healthy"
    assert {"./data:/app/data", "./logs:/app/logs"} <= set(etl["volumes"]) & set(init["volumes"])
    assert [name for name, service in services.items() if "build" in service] == ["init"], "builds of one image that race"
    assert etl["read_only"] and etl["cap_drop"] == ["ALL"] and not etl["user"].startswith("0")
    assert "POSTGRES_PASSWORD" not in db["environment"] and etl["environment"]["POSTGRES_PASSWORD"] == ""
    for service in services.values():
        assert service["logging"]["options"]["max-size"] and service["security_opt"] == ["no-new-privileges:true"]


def test_the_user_of_image_and_compose_file_is_one():
    uid = re.search(r"^USER (\d+:\d+)$", DOCKERFILE, re.MULTILINE)[1]
    for text in [(ROOT / "docker-compose.yml").read_text(), (ROOT / "deploy/container-init.sh").read_text()]:
        assert set(re.findall(r"ETL_USER:-([\d:]+)", text)) == {uid}
    assert uid == ":".join(re.search(r"useradd .*--uid (\d+) --gid (\d+) ", DOCKERFILE).groups())


@pytest.mark.parametrize("made_by,wanted,code", [("14", "17", 78), ("17", "17", 0), ("17", "17.2-bookworm", 0), (None, "17", 0)])
def test_a_database_of_another_version_is_named_before_it_is_started(tmp_path, made_by, wanted, code):
    """deploy/container-init.sh, with the places of the container below a directory."""
    script = re.sub(r"(?<![a-z.])/(pgdata|run)/", rf"{tmp_path}/\1/", (ROOT / "deploy/container-init.sh").read_text())
    for folder in ["data", "logs", "pgdata", "run/secrets", "run/given"]:
        (tmp_path / folder).mkdir(parents=True)
    if made_by:
        (tmp_path / "pgdata/PG_VERSION").write_text(made_by + "\n")
    env = dict(os.environ, ETL_USER=f"{os.getuid()}:{os.getgid()}", POSTGRES_PASSWORD="p:a$$ \\'word", POSTGRES_VERSION=wanted)
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    assert done.returncode == code, done.stdout
    if code:
        assert f"POSTGRES_VERSION={made_by}" in done.stdout and not list((tmp_path / "run/secrets").iterdir())
    else:
        secrets = {path.name: path for path in (tmp_path / "run/secrets").iterdir()}
        assert {name: path.read_text() for name, path in secrets.items()} == {
            "postgres_password": "p:a$$ \\'word\n", "pgpass": "*:*:*:*:p\\:a$$ \\\\'word\n"}
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in secrets.values())
