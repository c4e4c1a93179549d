#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make sure that the packages of the named groups are there; say which ones are installed.
#   tools/deps.sh build [test] [lint]
# Debian 12 (tested) and Ubuntu 24.04 name them alike, but for the versions of clang.
set -eu

clang_version() {
    for v in 19 18 16; do
        if apt-cache policy "clang-$v" 2>/dev/null | grep -q 'Candidate: [0-9]'; then
            echo "$v"
            return
        fi
    done
    echo 19
}

packages() {
    case $1 in
    build)
        echo gcc g++ make meson ninja-build pkgconf python3 ca-certificates libsimdjson-dev libcurl4-openssl-dev \
            libmicrohttpd-dev libsqlite3-dev libzstd-dev libxxhash-dev libyaml-dev zlib1g-dev scdoc
        ;;
    test)
        v=$(clang_version)
        echo python3-pytest git strace zstd jq sqlite3 procps mandoc zsh fish "clang-$v" "libclang-rt-$v-dev"
        ;;
    lint)
        v=$(clang_version)
        echo "clang-format-$v" "clang-tidy-$v" codespell shellcheck git valgrind gcovr
        ;;
    *)
        echo "tools/deps.sh: $1: no such group; build, test, lint" >&2
        exit 2
        ;;
    esac
}

if ! command -v dpkg-query >/dev/null; then
    echo "geckotape: no dpkg here; install the packages that tools/deps.sh lists by their names on this system" >&2
    exit 0
fi

missing() {
    for package; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok' || printf ' %s' "$package"
    done
}

root=
[ "$(id -u)" -eq 0 ] || root=sudo

want() { for group; do packages "$group"; done; }

# shellcheck disable=SC2046 # a list of words
need=$(missing $(want "$@"))
[ -n "$need" ] || exit 0
echo "geckotape: installing Debian packages:$need"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# what versions of clang there are can only be told once apt has its lists
$root apt-get update -qq >"$log" 2>&1 || true
# shellcheck disable=SC2046
need=$(missing $(want "$@"))
# shellcheck disable=SC2086 # a list of words
if ! $root apt-get install -y -qq --no-install-recommends $need >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "geckotape: the packages could not be installed; mend what apt says above, then run make again" >&2
    exit 1
fi
