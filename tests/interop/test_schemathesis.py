# SPDX-License-Identifier: Apache-2.0
"""schemathesis makes up requests from /api/openapi.json: nothing breaks the collector, and every answer is as the document says."""
import os
import re
import subprocess

from gecko import ROOT, Running, clean_env, get, wait_for
from collector import JOBS, is_loaded

TOKEN = "a-token-of-16-bytes"
# Not negative_data_rejection, nor positive_data_acceptance: what means nothing counts as not given, as with CoinGecko, and a name that
# looks like a coin's is none.
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
          "response_schema_conformance", "unsupported_method", "allow_header_conformance", "ignored_auth"]


def test_schemathesis_finds_nothing(tmp_path):
    (tmp_path / "geckotape.yaml").write_text("jobs:\n" + "".join(f"  {name}: {keys}\n" for name, keys in JOBS.items()))
    with Running("run", "--simulate", "--config", tmp_path / "geckotape.yaml", "--data", tmp_path / "data", "--api-rate", "100000",
                 "--coins", 120, "--listen", "127.0.0.1:0", env=clean_env(GECKOTAPE_HTTP_TOKEN=TOKEN)) as run:
        port = run.port()
        for job in JOBS:
            wait_for(lambda name=job: is_loaded(port, name), what=f"poll of {job}")
        (tmp_path / "openapi.json").write_bytes(get(port, "/api/openapi.json"))
        done = subprocess.run([os.environ["GECKOTAPE_SCHEMATHESIS"], "--config-file", ROOT / "tests/interop/schemathesis.toml", "run",
                               tmp_path / "openapi.json", "--url", f"http://127.0.0.1:{port}", "--checks", ",".join(CHECKS),
                               "--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--continue-on-failure",
                               "--exclude-path", "/api/events",  # which has no end
                               "-H", f"Authorization: Bearer {TOKEN}", "--seed", "7"],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1800, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stdout
        tested = re.search(r"Tested: (\d+)\n", done.stdout)
        assert tested and int(tested[1]) > 25 and re.search(r"(\d{3,}) generated, \1 passed", done.stdout), done.stdout
        assert get(port, "/healthz") == b"OK" and run.stop() == 0, run.output
