# SPDX-License-Identifier: Apache-2.0
"""The Debian package in a chroot that has nothing else: installed, run, upgraded, removed, purged (`make deb-test`, as root)."""
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

DEB = pathlib.Path(os.environ["GECKOTAPE_DEB"])
CONF, STATE = "etc/geckotape/geckotape.yaml", "var/lib/geckotape"


def run(*words, check=True, **kwargs):
    done = subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, check=False, **kwargs)
    assert not check or done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout}"
    return done


class Chroot:
    def __init__(self, root):
        self.root = root

    def run(self, *words, user=None, check=True):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive", "HOME": "/"}
        return run("chroot", *([f"--userspec={user}"] if user else []), self.root, *words, check=check, env=env)

    def install(self, deb, *options):
        shutil.copy(deb, self.root / "root/new.deb")
        return self.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *options, "/root/new.deb").stdout

    def status(self):
        return self.run("dpkg-query", "-W", "-f", "${Status}", "geckotape", check=False).stdout

    def files(self):
        return {str(path.relative_to(self.root)) for top in ("etc", "lib", "usr", "var/lib") for path in (self.root / top).rglob("*geckotape*")}


@pytest.fixture(name="chroot", scope="module")
def fixture_chroot(tmp_path_factory):
    root = tmp_path_factory.mktemp("chroot") / "root"
    # its lists of packages are this machine's, whatever mirror that has
    run("mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--skip=cleanup/apt", "bookworm", root)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    yield Chroot(root)
    assert not re.search(re.escape(str(root)), pathlib.Path("/proc/mounts").read_text()), "something is mounted there: it is left alone"
    shutil.rmtree(root)


@pytest.fixture(name="newer", scope="module")
def fixture_newer(tmp_path_factory):
    tree = tmp_path_factory.mktemp("newer")
    run("dpkg-deb", "-R", DEB, tree / "deb")
    control = tree / "deb/DEBIAN/control"
    control.write_text(re.sub(r"^(Version: .*)$", r"\1+next", control.read_text(), flags=re.MULTILINE))
    conf = tree / "deb" / CONF
    conf.write_text(conf.read_text() + "# of the next version\n")
    sums = tree / "deb/DEBIAN/md5sums"
    sums.write_text("".join(line + "\n" for line in sums.read_text().splitlines() if CONF not in line))
    run("dpkg-deb", "--root-owner-group", "-b", tree / "deb", tree / "newer.deb")
    return tree / "newer.deb"


def test_its_life(chroot, newer, capsys):
    before = set(chroot.run("dpkg-query", "-W", "-f", "${Package}\n").stdout.split())
    assert chroot.files() == set()

    # installed: a user, a configuration, units that nobody has enabled
    chroot.install(DEB)
    assert chroot.status() == "install ok installed"
    uid = int(chroot.run("id", "-u", "geckotape").stdout)
    assert 0 < uid < 1000
    assert (chroot.root / "lib/systemd/system/geckotape.service").is_file()
    assert not list((chroot.root / "etc/systemd/system").rglob("*geckotape*")), "an administrator says when it begins"
    for page in ("man1/geckotape.1.gz", "man5/geckotape.yaml.5.gz", "man5/geckotape-tape.5.gz"):
        assert page.split("/")[1] in chroot.run("dpkg", "-L", "geckotape").stdout
    assert chroot.run("dpkg", "--verify", "geckotape").stdout == ""
    assert "data" in chroot.run("geckotape", "check").stdout, "the configuration is found and taken"

    # runs, as that user, where systemd would have made its directory
    state = chroot.root / STATE
    state.mkdir(mode=0o750)
    os.chown(state, uid, uid)
    began = time.monotonic()
    chroot.run("geckotape", "--version", user="geckotape")
    start_s = time.monotonic() - began
    chroot.run("geckotape", "once", "--simulate", user="geckotape")
    assert "ok" in chroot.run("geckotape", "status", user="geckotape", check=False).stdout
    assert (state / "market.db").stat().st_uid == uid
    tape = sorted(path.name for path in (state / "tape").rglob("*.zst"))
    assert tape

    # upgraded: what the administrator wrote stays, and so does what was collected
    conf = chroot.root / CONF
    conf.write_text(conf.read_text() + "# mine\n")
    chroot.install(newer, "-o", "Dpkg::Options::=--force-confold")
    assert conf.read_text().endswith("# mine\n")
    assert chroot.run("dpkg-query", "-W", "-f", "${Version}", "geckotape").stdout.endswith("+next")
    chroot.run("geckotape", "once", "--simulate", user="geckotape")

    # removed, purged: the tape cannot be had again
    chroot.run("apt-get", "remove", "-y", "-qq", "geckotape")
    assert not (chroot.root / "usr/bin/geckotape").exists() and conf.exists()
    told = chroot.run("apt-get", "purge", "-y", "-qq", "geckotape").stdout
    assert "holds collected data and is kept" in told
    assert not conf.exists() and sorted(path.name for path in (state / "tape").rglob("*.zst"))[:len(tape)] == tape
    assert {path for path in chroot.files() if not path.startswith(STATE)} == set()

    # again, without data: nothing is left
    shutil.rmtree(state)
    state.mkdir()
    chroot.install(DEB)
    chroot.run("apt-get", "purge", "-y", "-qq", "geckotape")
    assert chroot.files() == set()

    brought = set(chroot.run("dpkg-query", "-W", "-f", "${Package}\n").stdout.split()) - before
    with capsys.disabled():
        print(f"\ngeckotape: package {DEB.stat().st_size / 1e6:.2f} MB, brings {len(brought)} packages to a bare chroot, --version there takes {start_s * 1e3:.0f} ms")
