#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What only root can do, once, before the database and the collector start (docker-compose.yml, service init):
# Docker makes missing folders as root, and who runs the collector may not read files of the host's users.
set -eu

owner=${ETL_USER:-10001:10001}

fail() {
    echo "geckotape: $1" >&2
    exit 78
}

# a data directory of another major version would stop the database, and with it everything, without a mend
if [ -s /pgdata/PG_VERSION ]; then
    made_by=$(cat /pgdata/PG_VERSION)
    [ "$made_by" = "${POSTGRES_VERSION%%[!0-9]*}" ] ||
        fail "the volume pgdata was made by PostgreSQL $made_by: write POSTGRES_VERSION=$made_by into .env, or see docs/containers.md"
fi

# -h: what a link points to is not ours
for folder in data logs; do
    find "$folder" ! \( -user "${owner%:*}" -group "${owner#*:}" \) -exec chown -h "$owner" {} +
done

umask 077
hand_over() { # NAME, the secret on stdin: a file that the collector and root can read, nobody else
    cat >"/run/secrets/.$1"
    chown "$owner" "/run/secrets/.$1"
    mv "/run/secrets/.$1" "/run/secrets/$1"
}

if [ -s /run/given/postgres_password ]; then
    hand_over postgres_password </run/given/postgres_password
else
    printf '%s\n' "$POSTGRES_PASSWORD" | hand_over postgres_password
fi
# the same for a postgres: sink that GECKOTAPE_SINKS names without a password
sed '1!d; s/[\\:]/\\&/g; s/^/*:*:*:*:/' /run/secrets/postgres_password | hand_over pgpass
if [ -s /run/given/coingecko_key ]; then
    hand_over coingecko_key </run/given/coingecko_key
fi
