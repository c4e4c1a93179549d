# SPDX-License-Identifier: Apache-2.0
"""A Docker Engine of the tests' own, and the images that no registry is needed for. tools/containers.sh has made the namespaces."""
import json
import os
import pathlib
import shutil
import subprocess

from gecko import ROOT, clean_env, wait_for

BASE = "debian:bookworm-slim"
PG_VERSION = "15"  # Debian's
SLOWEST = 1800  # to build an image where others compile too


def run(*command, check=True, **how):
    """Its output, both streams; it fails with all of it."""
    done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          **{"timeout": SLOWEST, **how})
    assert not check or done.returncode == 0, f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}"
    return done.stdout


def copy_sources(to, commit=None):
    """The files that git tracks, as they are here, or were at a commit: what a user has cloned."""
    to.mkdir(parents=True, exist_ok=True)
    if commit:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["tar", "-x", "-C", to], input=archive, check=True)
        return to
    for name in run("git", "ls-files", "-z", cwd=ROOT).split("\0"):
        if name and (ROOT / name).exists():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    return to


class Engine:
    """dockerd and what it keeps in a directory, which may have images from before."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.env = clean_env(DOCKER_HOST=f"unix://{self.dir}/docker.sock", DOCKER_BUILDKIT="0", COMPOSE_DOCKER_CLI_BUILD="0",
                             COMPOSE_HTTP_TIMEOUT="600", DOCKER_CONFIG=str(self.dir / "config"))
        # proxies and the like reach builds as they reach this machine's apt
        self.build_args = [f"--build-arg={name}" for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "no_proxy")]
        self.env.update({name: os.environ[name] for name in os.environ if name.lower().endswith("_proxy")})
        self.process = None
        self.start()

    def start(self):
        n_files = os.sysconf("SC_OPEN_MAX")  # no more than we may give
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["dockerd", "--data-root", self.dir / "data", "--exec-root", self.dir / "exec", "--pidfile", self.dir / "pid",
                 "--host", self.env["DOCKER_HOST"], "--cgroup-parent", os.environ["ENGINE_CGROUP"],
                 f"--default-ulimit=nofile={n_files}:{n_files}"], stdout=log, stderr=log)

        def answers():
            assert self.process.poll() is None, (self.dir / "log").read_text()[-2000:]
            return subprocess.run(["docker", "info"], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  check=False).returncode == 0
        wait_for(answers, what="Docker Engine")

    def stop(self):
        self.process.terminate()
        self.process.wait(120)

    def docker(self, *args, **how):
        return run("docker", *args, env=self.env, **how)

    def inspect(self, name):
        return json.loads(self.docker("inspect", name))[0]

    def has_image(self, name):
        return subprocess.run(["docker", "image", "inspect", name], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0

    def build(self, tag, directory):
        return self.docker("build", *self.build_args, "-t", tag, directory)

    def make_base(self):
        """What the registry has under this name is Debian without its manuals, and no more; whom this machine trusts of its own is
        trusted there too, so that builds reach other registries as it does."""
        if self.has_image(BASE):
            return
        tar = self.dir / "base.tar"
        without = [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("doc", "info", "locale", "man")]
        trusted = "--customize-hook=copy-in /usr/local/share/ca-certificates /usr/local/share"
        run("mmdebstrap", "--quiet", "--variant=minbase", *without, trusted, "bookworm", tar)
        self.docker("import", "--change", 'CMD ["bash"]', tar, BASE)
        tar.unlink()

    def make_postgres(self):
        if not self.has_image(f"postgres:{PG_VERSION}"):
            self.build(f"postgres:{PG_VERSION}", ROOT / "tests/containers/postgres")
