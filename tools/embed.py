#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turn files into one C file: embed.py OUT.c OUT.h NAME=PATH...

Each NAME becomes `extern const struct str NAME` (base/str.h): the file's bytes, byte for byte,
with a NUL behind them that its length does not count. String literals, one source line per line of
the file, compile ten times faster than arrays of numbers.
"""
import os
import sys


def literal(line):
    """One line of bytes as a C string literal; octal escapes cannot swallow what follows them."""
    text = ""
    for byte in line:
        char = chr(byte)
        if char == "\n":
            text += "\\n"
        elif char in '"\\?':
            text += "\\" + char
        elif 32 <= byte < 127:
            text += char
        else:
            text += f"\\{byte:03o}"
    return f'"{text}"'


def literals(content):
    """Bytes as C string literals, a line each."""
    return "\n".join(literal(line) for line in content.splitlines(keepends=True)) or '""'


def main(args):
    if len(args) < 3 or not all("=" in arg for arg in args[2:]):
        sys.exit(__doc__)
    out_c, out_h, *pairs = args
    guard = "".join(c if c.isalnum() else "_" for c in os.path.basename(out_h)).upper()
    header = f'#ifndef {guard}\n#define {guard}\n\n#include "base/str.h"\n\n'
    source = f'#include "{os.path.basename(out_h)}"\n'
    for pair in pairs:
        name, path = pair.split("=", 1)
        with open(path, "rb") as file:
            content = file.read()
        header += f"extern const struct str {name};\n"
        source += f"\nconst struct str {name} = {{\n{literals(content)},\n{len(content)}}};\n"
    note = "/* Made by tools/embed.py; do not edit. */\n"
    with open(out_c, "w", encoding="ascii") as file:
        file.write(note + source)
    with open(out_h, "w", encoding="ascii") as file:
        file.write(note + header + "\n#endif\n")


if __name__ == "__main__":
    main(sys.argv[1:])
