#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build the Debian package of what is committed, and have lintian look at it: OUT/geckotape_VERSION_ARCH.deb
#   tools/deb.sh OUT
# deploy/debian is debian/ in a copy of the tree: nothing is built in the tree itself, and its root stays free for those who package it.
set -eu
cd "$(dirname "$0")/.."
out=${1:-build/deb}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tree=$work/geckotape
mkdir "$tree"
git archive HEAD | tar -x -C "$tree"
cp -r "$tree/deploy/debian" "$tree/debian"
cp "$tree/deploy/systemd/geckotape.service" "$tree/debian/geckotape.service"
for kind in service timer; do
    cp "$tree/deploy/systemd/geckotape-once.$kind" "$tree/debian/geckotape.geckotape-once.$kind"
done
# npm's packages, where make has fetched them already
[ ! -d web/node_modules ] || cp -r web/node_modules "$tree/web/"

if ! (cd "$tree" && dpkg-buildpackage -b -us -uc -d) >"$work/log" 2>&1; then
    tail -n 40 "$work/log" >&2
    exit 1
fi
rm -f "$out"/geckotape*.deb
mv "$work"/geckotape_*.deb "$out"/
lintian --allow-root -EIL +pedantic --fail-on error,warning,info,pedantic "$out"/geckotape_*.deb
stat -c '%n %s' "$out"/geckotape_*.deb | awk '{ printf "geckotape: %s, %.2f MB\n", $1, $2 / 1e6 }'
