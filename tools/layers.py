#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold every #include "dir/…" below src/ against the may-use table of ARCHITECTURE.md.

The table's rows look like: | base/ | what it is | may use: - | …
A static library per folder does not enforce this (anything links); reading the includes does.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def may_use():
    table = {}
    with open(os.path.join(ROOT, "ARCHITECTURE.md"), encoding="utf-8") as file:
        for line in file:
            row = re.match(r"\|\s*`?([a-z0-9]+)/`?\s*\|[^|]*\|\s*([^|]*)\|", line)
            if row:
                table[row[1]] = set(re.findall(r"[a-z0-9]+(?:/[a-z0-9_.]+)?", row[2]))
    return table


def main():
    table = may_use()
    problems = []
    src = os.path.join(ROOT, "src")
    folders = sorted(name for name in os.listdir(src) if os.path.isdir(os.path.join(src, name)))
    for folder in folders:
        if folder not in table:
            problems.append(f"src/{folder}: not in ARCHITECTURE.md's may-use table")
    n = 0
    for directory, _, names in os.walk(src):
        for name in names:
            if not name.endswith((".c", ".h", ".cc")):
                continue
            path = os.path.join(directory, name)
            own = os.path.relpath(path, src).split(os.sep)[0]
            with open(path, encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    include = re.match(r'#include "([^"/]+)/([^"]+)"', line)
                    if not include:
                        continue
                    n += 1
                    used, header = include[1], f"{include[1]}/{include[2]}"
                    allowed = table.get(own, set())
                    if used != own and used not in allowed and header not in allowed:
                        where = os.path.relpath(path, ROOT)
                        problems.append(f"{where}:{number}: {own}/ may not use {header}")
    for problem in problems:
        print(problem)
    print(f"{n} includes in {len(folders)} folders, {len(problems)} against the table")
    return 1 if problems or n == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
