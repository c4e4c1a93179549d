# SPDX-License-Identifier: Apache-2.0
"""deploy/debian against the rest of the repository; the package itself is tried by `make deb-test`."""
import re
import subprocess

from gecko import ROOT, gecko

DEBIAN = ROOT / "deploy/debian"


def test_it_is_of_this_version():
    version = re.search(r"version: '([^']+)'", (ROOT / "meson.build").read_text())[1]
    assert (DEBIAN / "changelog").read_text().startswith(f"geckotape ({version}) ")


def test_it_is_built_with_what_the_program_is_built_with():
    group = re.search(r"    build\)\n(.*?)\n        ;;", (ROOT / "tools/deps.sh").read_text(), re.DOTALL)[1]
    wanted = set(re.findall(r"\b(lib[a-z0-9+-]+-dev|zlib1g-dev|scdoc|meson)\b", group))
    control = (DEBIAN / "control").read_text()
    assert len(wanted) > 10 and wanted <= set(re.findall(r"[a-z0-9+-]+", control.split("Standards-Version")[0]))


def test_its_configuration_is_one(tmp_path):
    text = (DEBIAN / "geckotape.yaml").read_text()
    assert "\ndata: /var/lib/geckotape\n" in text
    (tmp_path / "geckotape.yaml").write_text(text)
    gecko("check", "--config", tmp_path / "geckotape.yaml", check=0)
    for service in ("geckotape.service", "geckotape-once.service"):
        assert "\nStateDirectory=geckotape\n" in (ROOT / "deploy/systemd" / service).read_text()


def test_the_files_it_names_are_there():
    for name in ("install", "docs", "examples"):
        for line in (DEBIAN / f"geckotape.{name}").read_text().split("\n"):
            place = line.split(" ")[0]
            if place and not place.startswith("debian/"):
                assert (ROOT / place).exists(), place
    subprocess.run(["sh", "-n", DEBIAN / "geckotape.postrm"], check=True)
