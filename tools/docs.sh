#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Write the tracked docs that are made from the tables anew.
#   tools/docs.sh BUILD
set -eu

cd "$(dirname "$0")/.."
for part in options metrics quality simulator; do
    new=docs/.$part.new
    trap 'rm -f "$new"' EXIT
    "$1/tools/docgen" "$part" >"$new"
    if cmp -s "$new" "docs/$part.md"; then
        rm "$new"
    else
        mv "$new" "docs/$part.md"
        echo "docs/$part.md: made anew"
    fi
done
