#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Configure (once) and build a build directory, quietly unless it fails.
#   tools/build.sh DIR [meson options…]
set -eu

dir=$1
shift
cd "$(dirname "$0")/.."
if [ ! -f "$dir/build.ninja" ]; then
    log=$(mktemp)
    echo "geckotape: configuring $dir"
    if ! meson setup "$dir" "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
fi
exec ninja -C "$dir" --quiet
