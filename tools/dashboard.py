#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Build the pages of web/ by npm and make a C file of them: dashboard.py WHETHER OUT.c DEPFILE

WHETHER is meson's option `dashboard`: enabled, auto (where npm is missing or fails: web/plain/, which says so)
or disabled (web/plain/). Packages go to web/node_modules, once for all build directories and until the lock
changes; pages go to web/dist, until a source changes.
"""
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys

import embed

WEB = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "web")
PACKAGES = os.path.join(WEB, "node_modules")
DIST = os.path.join(WEB, "dist")
MIN_NODE = 18
NPM_CI = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1", "--fetch-timeout=30000"]


# what browsers are told; a file of another kind is a mistake
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


class Trouble(Exception):
    """Why there are no pages."""


def files_of(folder):
    """All of a folder's files but hidden ones, by their paths within it."""
    return sorted(os.path.relpath(os.path.join(at, name), folder)
                  for at, _, names in os.walk(folder) for name in names if not name.startswith("."))


def sources():
    """What the pages are made of."""
    names = ["index.html", "package.json", "package-lock.json", "vite.config.js"]
    folders = ["public", "src"]
    return [os.path.join(WEB, name) for name in names] + [
        os.path.join(WEB, folder, path) for folder in folders for path in files_of(os.path.join(WEB, folder))]


def fingerprint(paths):
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            content = file.read()
        digest.update(f"{os.path.relpath(path, WEB)} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def is_marked(folder, mark):
    """Was the folder made of what the mark stands for, and whole?"""
    try:
        with open(os.path.join(folder, ".made-of"), encoding="ascii") as file:
            return file.read() == mark
    except OSError:
        return False


def set_mark(folder, mark):
    with open(os.path.join(folder, ".made-of"), "w", encoding="ascii") as file:
        file.write(mark)


def run(command):
    try:
        done = subprocess.run(command, cwd=WEB, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except OSError as error:
        raise Trouble(f"{command[0]}: {error.strerror}") from error
    if done.returncode != 0:
        last = [line for line in done.stdout.splitlines() if line.strip()][-8:]
        raise Trouble(f"{' '.join(command[:2])} failed:\n  " + "\n  ".join(last))
    return done.stdout


def check_tools():
    if not shutil.which("npm"):
        raise Trouble("npm is not there")
    version = run(["node", "--version"]).strip()
    if int(version.lstrip("v").split(".")[0]) < MIN_NODE:
        raise Trouble(f"node is {version}; {MIN_NODE} or later is needed")


def install():
    """The packages of the lock, below web/node_modules."""
    mark = fingerprint([os.path.join(WEB, "package-lock.json")])
    if is_marked(PACKAGES, mark):
        return
    check_tools()
    run(NPM_CI)
    set_mark(PACKAGES, mark)


def build():
    """The pages, in web/dist."""
    mark = fingerprint(sources())
    if is_marked(DIST, mark):
        return
    check_tools()
    install()
    run(["npm", "run", "--silent", "build"])
    set_mark(DIST, mark)


def pages(whether):
    """The folder of what is served."""
    plain = os.path.join(WEB, "plain")
    if whether == "disabled":
        return plain
    with open(os.path.join(WEB, "package.json"), encoding="utf-8") as lock: # two build directories at once
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            build()
            return DIST
        except Trouble as trouble:
            if whether == "enabled":
                sys.exit(f"geckotape: the dashboard cannot be built: {trouble}")
            print(f"geckotape: built without the dashboard, its page says so: {trouble}\n"
                  "geckotape: to have it, install nodejs and npm, then: touch web/package.json, and build again")
            return plain


def asset(folder, path):
    """One element of assets[] (serve/assets.h). What lies in assets/ has a name that changes with its content."""
    with open(os.path.join(folder, path), "rb") as file:
        content = file.read()
    url = "/" if path == "index.html" else "/" + path
    is_fixed = "true" if path.startswith("assets/") else "false"
    kind = TYPES[os.path.splitext(path)[1]]
    return f'{{"{url}", "{kind}", {is_fixed}, {{\n{embed.literals(content)},\n{len(content)}}}}},\n'


def write(out_c, folder):
    source = '/* Made by tools/dashboard.py; do not edit. */\n#include "serve/assets.h"\n\nconst struct asset assets[] = {\n'
    source += "".join(asset(folder, path) for path in files_of(folder))
    source += "};\nconst size_t n_assets = sizeof(assets) / sizeof(assets[0]);\n"
    with open(out_c, "w", encoding="ascii") as file:
        file.write(source)


def main(args):
    if args == ["install"]: # for who needs the packages alone
        install()
        return
    if len(args) != 3:
        sys.exit(__doc__)
    whether, out_c, depfile = args
    folder = pages(whether)
    write(out_c, folder)
    plain = [os.path.join(WEB, "plain", path) for path in files_of(os.path.join(WEB, "plain"))]
    with open(depfile, "w", encoding="utf-8") as file:
        file.write(f"{out_c}: " + " ".join(path.replace(" ", "\\ ") for path in sources() + plain) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
