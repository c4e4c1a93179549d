#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Line coverage of src/ by the unit, conformance, golden and flow suites, file by file.
set -eu
cd "$(dirname "$0")/.."
tools/build.sh build-coverage -Db_coverage=true
meson test -C build-coverage --no-rebuild --suite unit --suite conformance --suite golden --suite flow >/dev/null || true
exec gcovr --root . --filter 'src/' build-coverage --exclude-unreachable-branches
