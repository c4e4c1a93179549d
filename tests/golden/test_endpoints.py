# SPDX-License-Identifier: Apache-2.0
"""The transforms of the endpoints beside coins/markets against their oracle: on every real capture, and on made-up hostile bodies."""
import json
import os
import pathlib
import random
import subprocess

import oracle
import pytest
from oracle_endpoints import ENDPOINTS, LISTED, expected

DUMP = os.environ.get("GECKOTAPE_TRANSFORM_DUMP", "build/tests/golden/transform_dump")
CAPTURES = pathlib.Path(os.environ.get("GECKOTAPE_CAPTURES", pathlib.Path(__file__).parents[3] / "shared" / "captures"))
COLUMNS = {"coins/list": LISTED, "global": ("id", "figure", "part", "value"), "simple/supported_vs_currencies": ("id",)}
REAL = {
    "coins/list": ["khooihzhz__test_coins__test_get_list__0"],
    "global": ["khooihzhz__test_global_data__test_get__0", "khooihzhz__test_global_data__test_get_defi__0",
               "julianfssen__test_that_it_gets_global_crypto_data__0", "julianfssen__test_that_it_gets_global_defi_data__0"],
    "simple/supported_vs_currencies": ["khooihzhz__test_simple__test_get_supported_vs_currencies__0"],
}


def dump(endpoint, bodies, directory):
    """What the transform says of each body, as polls that follow each other: (rows, refusals, absent) or its error."""
    files = []
    for i, body in enumerate(bodies):
        files.append(directory / str(i))
        files[-1].write_bytes(body)
    run = subprocess.run([DUMP, f"endpoint:{endpoint}", *map(str, files)], capture_output=True, check=True)
    out = []
    for line in run.stdout.decode().splitlines():
        (kind, value), *_ = json.loads(line, parse_int=oracle.Lexeme, parse_float=oracle.Lexeme).items()
        if kind == "poll":
            out.append(value["error"] if "error" in value else ([], [], []))
        elif kind == "row":
            out[-1][0].append(tuple(value[column] for column in COLUMNS[endpoint]))
        elif kind == "refusal":
            out[-1][1].append((int(value["index"]), value["coin"], value["field"], value["reason"]))
        elif kind == "absent":
            out[-1][2].append(value)
    assert len(out) == len(bodies)
    return out


def check(endpoint, bodies, directory):
    before = None
    for body, got in zip(bodies, dump(endpoint, bodies, directory)):
        try:
            rows, refusals = expected(endpoint, body)
        except oracle.Rejected:
            assert isinstance(got, str), body[:300]
            continue
        assert not isinstance(got, str), (got, body[:300])
        assert got[0] == rows, body[:300]
        assert len(got[1]) == len(refusals), (got[1], refusals, body[:300])
        for g, w in zip(got[1], refusals):
            assert g == w or (w[2] is None and (g[:2], g[3]) == (w[:2], w[3])), (g, w, body[:300])
        seen = {row[0] for row in rows} | {r[1] for r in refusals if r[1]}
        absent = sorted(before - seen) if before and endpoint == "coins/list" else []
        assert sorted(got[2]) == absent
        before = seen


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_capture_comes_out_as_it_went_in(endpoint, tmp_path):
    if not CAPTURES.is_dir():
        pytest.skip(f"no captures in {CAPTURES}")
    bodies = [(CAPTURES / "bodies" / f"{name}.body.json").read_bytes() for name in REAL[endpoint]]
    check(endpoint, bodies, tmp_path)
    for body in bodies:
        rows, refusals = expected(endpoint, body)
        assert len(rows) > 5 and not refusals


def test_a_real_globe_has_a_row_for_each_currency(tmp_path):
    if not CAPTURES.is_dir():
        pytest.skip(f"no captures in {CAPTURES}")
    body = (CAPTURES / "bodies" / f"{REAL['global'][0]}.body.json").read_bytes()
    rows = {row[0]: row[3] for row in dump("global", [body], tmp_path)[0][0]}
    data = json.loads(body)["data"]
    assert all(float(rows[f"total_volume.{c}"]) == v for c, v in data["total_volume"].items())
    assert int(rows["updated_at"]) == data["updated_at"] and len(rows) == sum(
        len(v) if isinstance(v, dict) else 1 for v in data.values())


class Maker:
    """Bodies that are sound for the most part."""

    TEXTS = ["bitcoin", "a b", "", "币安人生", "\\u0061", "\\ud83d\\ude00", "x" * 256, "x" * 257, "-", "boringdao-[old]", "\\n", "a.b"]
    BAD = ["\\ud800", "\\u0000"]
    NUMBERS = ["0", "-0.0", "1e5", "17397", "2612345678901.1234567890123", "1e1000", "1e1001", "1.9026007997779706e+37", "-4.59", "null",
               '"7.5"', '"-1e3"', "9" * 200]
    OTHERS = ["true", "false", '"text"', '"7.5x"', "[]", "[1,{}]", "{}", '{"usd":1}', '""', '"0x1"', '" 1"']

    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self):
        if self.random.random() < 0.03:
            return self.random.choice(self.BAD)
        return self.random.choice(self.TEXTS) if self.random.random() < 0.3 else f"id{self.random.randrange(40)}"

    def number(self):
        return self.random.choice(self.OTHERS if self.random.random() < 0.1 else self.NUMBERS)

    def listing(self):
        rows = []
        for _ in range(self.random.randrange(12)):
            pairs = [f'"{key}":"{self.text()}"' for key in LISTED if self.random.random() > 0.02]
            if self.random.random() < 0.2:
                pairs.append(f'"{self.random.choice(["platforms", "platforms", "new", self.text()])}":{self.number()}')
            if self.random.random() < 0.1:
                pairs.append(f'"{self.random.choice(LISTED)}":{self.number()}')
            self.random.shuffle(pairs)
            rows.append("{" + ",".join(pairs) + "}" if self.random.random() > 0.03 else self.number())
        return "[" + ",".join(rows) + "]"

    def globe(self):
        pairs = []
        for _ in range(self.random.randrange(8)):
            parts = ",".join(f'"{self.text()}":{self.number()}' for _ in range(self.random.randrange(6)))
            pairs.append(f'"{self.text()}":' + (f"{{{parts}}}" if self.random.random() < 0.4 else self.number()))
        body = f'"data":{{{",".join(pairs)}}}'
        if self.random.random() < 0.1:
            body = self.random.choice([f'{body},"new":1', f"{body},{body}", '"data":null', '"new":[]', f'"x":1,{body},"x":2', ""])
        return f"{{{body}}}"

    def currencies(self):
        return "[" + ",".join(f'"{self.text()}"' if self.random.random() > 0.1 else self.number()
                              for _ in range(self.random.randrange(9))) + "]"

    def body(self, endpoint):
        if self.random.random() < 0.02:
            return self.random.choice([b"", b"[", b"{}", b"null", b"[1]x"])
        made = {"coins/list": self.listing, "global": self.globe, "simple/supported_vs_currencies": self.currencies}[endpoint]()
        return made.encode()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_hostile_bodies_come_out_as_the_oracle_says(endpoint, seed, tmp_path):
    maker = Maker(seed)
    check(endpoint, [maker.body(endpoint) for _ in range(150)], tmp_path)
