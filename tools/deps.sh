#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Make sure that the packages of the named groups are there; say which ones are installed.
#   tools/deps.sh build [test] [lint] [interop] [bench] [package] [containers]
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

node() { # who has it from elsewhere keeps it
    command -v node >/dev/null || echo nodejs
    command -v npm >/dev/null || echo npm
}

packages() {
    case $1 in
    build)
        echo gcc g++ make meson ninja-build pkgconf python3 ca-certificates libsimdjson-dev libcurl4-openssl-dev \
            libmicrohttpd-dev libgnutls28-dev libexpat1-dev libsqlite3-dev libpq-dev libmosquitto-dev libzstd-dev libxxhash-dev libyaml-dev zlib1g-dev scdoc
        node
        ;;
    test)
        v=$(clang_version)
        echo python3-pytest python3-yaml python3-zstandard git strace zstd jq sqlite3 postgresql pgbouncer mosquitto mosquitto-clients openssl procps faketime mandoc prometheus prometheus-alertmanager systemd zsh fish chromium \
            "clang-$v" "libclang-rt-$v-dev"
        ;;
    interop)
        echo python3-venv
        node
        ;;
    lint)
        v=$(clang_version)
        echo "clang-format-$v" "clang-tidy-$v" codespell shellcheck yamllint git valgrind gcovr
        ;;
    bench)
        echo wrk nginx-light
        ;;
    package)
        echo debhelper lintian fakeroot mmdebstrap python3-pytest
        ;;
    containers)
        echo docker.io docker-compose iptables iproute2 mmdebstrap slirp4netns postgresql-client
        ;;
    *)
        echo "tools/deps.sh: $1: no such group; build, test, lint, interop, bench, package, containers" >&2
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

case $need in # the tests start their own servers; Debian's package would start one, too
*postgresql*)
    $root mkdir -p /etc/postgresql-common
    grep -qs '^create_main_cluster' /etc/postgresql-common/createcluster.conf ||
        echo 'create_main_cluster = false' | $root tee -a /etc/postgresql-common/createcluster.conf >/dev/null
    ;;
esac

log=$(mktemp)
policy=
trap 'rm -f "$log"; [ -z "$policy" ] || $root rm -f "$policy"' EXIT
case $need in # benchmark and tests start servers of their own; Debian's packages would start them on their usual ports
*nginx* | *mosquitto* | *prometheus*)
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        policy=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' | $root tee "$policy" >/dev/null
        $root chmod 755 "$policy"
    fi
    ;;
esac
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
