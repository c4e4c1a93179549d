# SPDX-License-Identifier: Apache-2.0
"""The whole binary against the oracle: bodies served over HTTP, every stored value compared."""
import json

from gecko import Running, check_exactly_once, gecko, get, market_body
from oracle import compare_json_dir, compare_sqlite, expected_rows
from server import PlainServer, pages


def load_all(tmp_path, bodies, top, **answer):
    with PlainServer(pages(bodies, **answer)) as api:
        gecko("once", "--api-url", api.url, "--data", tmp_path, "--top", top, "--api-rate", 100000, check=0)
    check_exactly_once(tmp_path, json_dir=tmp_path)
    rows = [row for body in bodies for row in expected_rows(body)]
    assert rows
    compare_sqlite(tmp_path / "market.db", rows)
    compare_json_dir(tmp_path, bodies)


def test_gzip_and_pages_change_nothing(tmp_path):
    load_all(tmp_path, [market_body(250), market_body(250, first=250), market_body(11, first=500)], 700, gzip=True)


def test_the_simulator_is_stored_exactly(tmp_path):
    with Running("simulate", "--listen", "127.0.0.1:0", "--coins", 700) as sim:
        port = int(sim.expect(r"http://127\.0\.0\.1:(\d+)")[1])
        url = f"http://127.0.0.1:{port}/api/v3"
        gecko("once", "--api-url", url, "--data", tmp_path, "--top", 700, "--api-rate", 100000, check=0)
        assert json.loads(get(port, "/api/v3/ping", {"User-Agent": "test/1"})) == {"gecko_says": "(V3) To the Moon!"}
    check_exactly_once(tmp_path, json_dir=tmp_path)
    bodies = gecko("tape", "cat", "--data", tmp_path, check=0).stdout.encode().splitlines()
    rows = [row for body in bodies for row in expected_rows(body)]
    assert len(rows) == 700
    compare_sqlite(tmp_path / "market.db", rows)
