#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What needs packages of registries other than Debian's: CoinGecko's own clients, in front of the simulator and of a collector;
# schemathesis, with the document of what a collector serves; other versions of PostgreSQL than Debian's; and pyarrow, DuckDB and polars,
# which read what is exported.
# Closes with the counts. They are installed below build-interop, once.
set -eu
cd "$(dirname "$0")/.."

tools/deps.sh build test interop
tools/build.sh "${BUILD:-build}"
dir=build-interop
log=$(mktemp)
trap 'rm -f "$log"' EXIT

install() { # NAME COMMAND…: quietly unless it fails
    name=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        tail -n 20 "$log" | sed 's/^/# /'
        echo "not ok install $name"
        echo "0 passed, 1 failed, 0 skipped"
        exit 1
    fi
}

mkdir -p "$dir/node"
# Debian's pytest, which the other suites use, is seen from inside
[ -x "$dir/venv/bin/python" ] || install venv /usr/bin/python3 -m venv --system-site-packages "$dir/venv"
install "the Python clients" "$dir/venv/bin/pip" install --quiet --disable-pip-version-check -r tests/interop/requirements.txt
[ -x "$dir/schemathesis/bin/python" ] || install venv /usr/bin/python3 -m venv "$dir/schemathesis"
install schemathesis "$dir/schemathesis/bin/pip" install --quiet --disable-pip-version-check -r tests/interop/requirements-schemathesis.txt
cp tests/interop/package.json "$dir/node/"
install "the client for node, and servers" npm install --prefix "$dir/node" --no-audit --no-fund --no-package-lock

env GECKOTAPE="${BUILD:-build}/geckotape" GECKOTAPE_MADE_TAPE="${BUILD:-build}/tests/made_tape" \
    GECKOTAPE_PARQUET_DUMP="${BUILD:-build}/tests/golden/parquet_dump" GECKOTAPE_PARQUET_LOAD="${BUILD:-build}/tests/golden/parquet_load" \
    GECKOTAPE_OBJECT_TOOL="${BUILD:-build}/tests/object_tool" GECKOTAPE_NODE_MODULES="$PWD/$dir/node/node_modules" \
    GECKOTAPE_SCHEMATHESIS="$PWD/$dir/schemathesis/bin/schemathesis" PYTHONPATH=tests:tests/golden \
    PYTHONDONTWRITEBYTECODE=1 "$dir/venv/bin/python" -m pytest -p pytest_tap -p no:terminal -p no:cacheprovider tests/interop >"$log" 2>&1 || true
cat "$log"
failed=$(grep -c '^not ok' "$log" || true)
skipped=$(grep -c '^ok .*# SKIP' "$log" || true)
passed=$(($(grep -c '^ok' "$log" || true) - skipped))
# a plan at the end, or it died on the way
grep -q '^1\.\.[1-9]' "$log" || failed=$((failed + 1))
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
