#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Image and compose file in front of a real Docker Engine: Debian's, as root, in namespaces of its own. Closes with the counts.
#   tools/containers.sh [pytest's arguments…]
# Processes, mounts, networks and ports are private to the run and end with it. There is no registry: debian:bookworm-slim is
# made of Debian's packages, postgres of tests/containers/postgres. ENGINE=DIR keeps images there, so that the next run has them.
set -eu
cd "$(dirname "$0")/.."

if [ "${1:-}" = --inside ]; then
    shift
    ip link set lo up
    until ip -4 addr show tap0 2>/dev/null | grep -q inet; do sleep 0.1; done
    # no exec: the first process here has to reap what others leave behind
    env GECKOTAPE="$PWD/${BUILD:-build}/geckotape" PYTHONPATH=tests:tests/golden PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 -m pytest -p pytest_tap -p no:terminal -p no:cacheprovider "$@" tests/containers
    exit
fi

if [ "$(id -u)" -ne 0 ]; then
    echo "geckotape: tools/containers.sh starts a Docker Engine: run it as root" >&2
    exit 1
fi
tools/deps.sh build test containers
tools/build.sh "${BUILD:-build}"

log=$(mktemp)
engine=${ENGINE:-$(mktemp -d)}
namespaces='' network=''
finish() {
    # with the first process of its namespace, all that runs in it ends
    [ -z "$namespaces" ] || kill -KILL "$namespaces" 2>/dev/null || true
    [ -z "$network" ] || kill "$network" 2>/dev/null || true
    wait
    # what the kernel keeps of containers that are gone
    find /sys/fs/cgroup -depth -type d -path "*/geckotape-$$*" -exec rmdir {} + 2>/dev/null || true
    rm -f "$log"
    [ -n "${ENGINE:-}" ] || rm -rf "$engine"
}
trap finish EXIT
trap 'exit 1' INT TERM

ENGINE_DIR=$engine ENGINE_CGROUP=/geckotape-$$ unshare --net --mount --pid --fork --mount-proc --kill-child \
    "$0" --inside "$@" >"$log" 2>&1 &
namespaces=$!
# unshare has the network's namespace as soon as its name is another
until [ "$(readlink "/proc/$namespaces/ns/net" || echo gone)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.1; done
slirp4netns --configure --mtu=65520 "$namespaces" tap0 >/dev/null 2>&1 &
network=$!
tail -f --pid="$namespaces" -n +1 "$log" &
reader=$!
wait "$namespaces" || true
namespaces=''
wait "$reader" || true

failed=$(grep -c '^not ok' "$log" || true)
skipped=$(grep -c '^ok .*# SKIP' "$log" || true)
passed=$(($(grep -c '^ok' "$log" || true) - skipped))
# a plan at the end, or it died on the way
grep -q '^1\.\.[1-9]' "$log" || failed=$((failed + 1))
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
