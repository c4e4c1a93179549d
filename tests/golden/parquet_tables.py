# SPDX-License-Identifier: Apache-2.0
"""Tables that are made up, column by column, and the files that the writer makes of them."""
import itertools
import os
import random
import string
import subprocess

DUMP = os.environ.get("GECKOTAPE_PARQUET_DUMP", "build/tests/golden/parquet_dump")
LETTERS = [string.ascii_letters, "äöüßéñ", "日本語中文", "🪙🚀🦎", "\x7f\x01 \"\\,\n", "￿\U0010ffff"]


def some_text(dice):
    letters = dice.choice(LETTERS)
    n = dice.choice([0, 1, 3, 8, 8, 20, 63, 64, 65, 66, 200])
    return "".join(dice.choice(letters if dice.random() < 0.9 else dice.choice(LETTERS)) for _ in range(n))


def some_number(dice):
    return dice.choice([
        lambda: repr(dice.uniform(-1e5, 1e5)), lambda: f"{dice.uniform(-50, 50):.5f}", lambda: str(dice.randrange(10**12)),
        lambda: f"{dice.uniform(1, 10):.6g}e-{dice.randrange(12)}", lambda: str(dice.randrange(10**17, 10**25)), lambda: "0",
        lambda: "-0.0", lambda: "0.1234567890123456789", lambda: "1e999", lambda: "-1e999", lambda: "4.9e-324", lambda: "1.7976931348623157e308",
        lambda: "9007199254740993", lambda: "40314176381427488", lambda: "1e22", lambda: "9e23", lambda: "1e-400",
    ])()


def some_int(dice):
    return dice.choice([lambda: dice.randrange(-5, 300), lambda: dice.choice([2**63 - 1, -(2**63), 0]), lambda: dice.randrange(-(2**63), 2**63)])()


def some_time(dice):
    """From the first year to the last that is written with four digits."""
    return dice.choice([-62135596800000000, 253402300799999999, 0, dice.randrange(-62135596800000000, 253402300799999999)])


MAKERS = {"text": some_text, "num": some_number, "int": some_int, "time": some_time}


def some_column(dice, kind, n):
    """Of few values, of runs, of steps, of anything; here and there null, or all null."""
    make, shape = (lambda: MAKERS[kind](dice)), dice.choice(["few", "runs", "steps", "any", "null"])
    if shape == "steps" and kind in ("int", "time"):
        begin, step = dice.randrange(2**50), dice.choice([1, -7, 30_000_000])
        values = [begin + i * step + dice.randrange(max(1, abs(step) // 100)) for i in range(n)]
    elif shape in ("few", "runs"):
        few = [make() for _ in range(dice.choice([1, 2, 9, 40]))]
        values = [dice.choice(few) for _ in range(n)]
        if shape == "runs":
            values = list(itertools.chain(*([v] * dice.choice([1, 5, 7, 8, 9, 16, 70]) for v in values)))[:n]
    else:
        values = [None if shape == "null" else make() for _ in range(n)]
    holes = dice.choice([0, 0, 0.01, 0.5, 0.99])
    return [None if dice.random() < holes else v for v in values]


def word(kind, value):
    return "-" if value is None else "x" + value.encode().hex() if kind == "text" else str(value)


def dump_bytes(kinds, columns, group_rows, page_rows, n_sort=0):
    lines = [" ".join(kinds), *(" ".join(map(word, kinds, row)) for row in zip(*columns))]
    done = subprocess.run([DUMP, *map(str, [group_rows, page_rows, n_sort])], input="\n".join(lines).encode() + b"\n",
                          stdout=subprocess.PIPE, check=True)
    return done.stdout


def some_table(seed):
    dice = random.Random(seed)
    n = dice.choice([1, 7, 8, 9, 129, 1000, 3000])
    kinds = [dice.choice(list(MAKERS)) for _ in range(dice.randint(1, 18))]
    page = dice.choice([1, 8, 100, 500, 1000]) if n < 500 else dice.choice([100, 333, 1000])
    return kinds, [some_column(dice, kind, n) for kind in kinds], dice.choice([page, 3 * page, 5000]), page
