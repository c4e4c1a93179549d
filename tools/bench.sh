#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every benchmark, each against its raw limit in the same run. Built for speed in a directory of its own.
set -eu
cd "$(dirname "$0")/.."
tools/build.sh build-bench -Dbuildtype=release
for bench in build-bench/bench/*_bench; do
    case $bench in
        */parquet_bench)
            file=$(mktemp)
            "$bench" "$file"
            python=build-interop/venv/bin/python
            [ -x "$python" ] || python=/usr/bin/python3
            "$python" bench/parquet_bench.py "$file"
            rm -f "$file"
            ;;
        */postgres_bench) /usr/bin/python3 tests/postgres.py --fsync "$bench" ;;
        *) "$bench" ;;
    esac
done
GECKOTAPE=build-bench/geckotape /usr/bin/python3 bench/process_bench.py
GECKOTAPE=build-bench/geckotape exec /usr/bin/python3 bench/http_bench.py
