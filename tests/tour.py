# SPDX-License-Identifier: Apache-2.0
"""Tours in the docs, walked as they are written: blocks behind <!-- tour --> one after the other, in one directory.

Each "$ " line is a command ("> " lines go on with it), the lines below are what it prints. Numbers and blanks may differ; "…" stands for
any text, on a line of its own for any lines. A block behind <!-- tour: keeps running --> is started at a terminal and left running.
"""
import re


def blocks(text):
    """[(is it left running?, block)]"""
    found = re.findall(r"<!-- tour(: keeps running)? -->\n```console\n(.*?)```", text, re.DOTALL)
    return [(bool(keeps_running), block) for keeps_running, block in found]


def commands(block):
    """[(command, expected output)]"""
    found = []
    for line in block.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append([line[2:], ""])
        elif line.startswith("> ") and not found[-1][1]:
            found[-1][0] += line[2:]
        else:
            found[-1][1] += line
    return found


def stable(text):
    """What is the same at every run: all but numbers, and how many blanks there are."""
    lines = (re.sub(r"\s+", " ", re.sub(r"\d[\d.,:]*", "0", line)).strip() for line in text.splitlines())
    return "".join(line + "\n" for line in lines)


def pattern(expected):
    lines = []
    for line in stable(expected).splitlines():
        lines.append(r"(?:.*\n)*?" if line == "…" else ".*".join(map(re.escape, line.split("…"))) + r"\n")
    return "".join(lines)


def is_as_written(printed, expected):
    return re.fullmatch(pattern(expected), stable(printed)) is not None


def has_come(printed, expected):
    """Of what goes on printing."""
    return re.match(pattern(expected), stable(printed.rpartition("\n")[0])) is not None
