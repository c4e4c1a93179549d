#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configure (once) and build a build directory, quietly unless it fails.
#   tools/build.sh DIR [meson options…]
set -eu

dir=$1
shift
cd "$(dirname "$0")/.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ ! -f "$dir/build.ninja" ]; then
    echo "geckotape: configuring $dir"
    if ! meson setup "$dir" "$@" >"$log" 2>&1; then
        cat "$log" >&2
        exit 1
    fi
fi
if ! ninja -C "$dir" --quiet >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
grep '^geckotape: ' "$log" >&2 || true
