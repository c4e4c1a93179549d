#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fuzz each target (or the named ones) for so many seconds with libFuzzer, ASan and UBSan.
#   tools/fuzz.sh SECONDS [TARGET…]
# Starts from the tracked corpus; what it finds stays in build-fuzz/corpus. A crash is kept in build-fuzz/crashes.
set -u
cd "$(dirname "$0")/.." || exit 1

seconds=$1
shift
for v in 19 18 16; do
    if command -v "clang-$v" >/dev/null; then break; fi
done
export CC="clang-$v" CXX="clang++-$v"
tools/build.sh build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false \
    -Dc_args=-fsanitize=fuzzer-no-link -Dcpp_args=-fsanitize=fuzzer-no-link || exit 1

failed=0
# shellcheck disable=SC2046 # a list of words
[ $# -gt 0 ] || set -- $(meson introspect build-fuzz --targets | grep -o '"name": "fuzz_[a-z]*"' | sed 's/.*fuzz_//; s/"//')
for target; do
    found=build-fuzz/corpus/$target
    mkdir -p "$found" build-fuzz/crashes
    log=$(mktemp)
    if no_proxy=127.0.0.1 UBSAN_OPTIONS=halt_on_error=1 "build-fuzz/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="build-fuzz/crashes/$target-" "$found" "tests/fuzz/corpus/$target" >"$log" 2>&1; then
        echo "ok fuzz $target ($(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs)"
    else
        failed=1
        echo "not ok fuzz $target"
        tail -n 30 "$log" | sed 's/^/# /'
    fi
    rm -f "$log"
done
exit $failed
