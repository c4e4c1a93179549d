#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Format, static analysis, spelling, scripts, commit subjects. Each check is one case; closes with the counts.
set -u
cd "$(dirname "$0")/.." || exit 1

passed=0
failed=0
check() {
    name=$1
    shift
    out=$(mktemp)
    if "$@" >"$out" 2>&1; then
        passed=$((passed + 1))
        echo "ok $name"
    else
        failed=$((failed + 1))
        echo "not ok $name"
        head -n 60 "$out" | sed 's/^/# /'
    fi
    rm -f "$out"
}

tool() { # the newest of a versioned tool
    for v in 19 18 16; do
        command -v "$1-$v" && return
    done
    command -v "$1"
}

sources() { git ls-files 'src/*.c' 'src/*.h' 'src/*.cc' 'tests/*.c' 'tests/*.h' 'bench/*.[ch]' 'tools/*.[ch]'; }

format() { sources | xargs "$(tool clang-format)" --dry-run --Werror; }

tidy() {
    # our own translation units of the program; generated ones are the generator's business
    found=$(git ls-files 'src/*.c' | xargs -P "$(nproc)" -n 4 "$(tool clang-tidy)" -p build --quiet 2>/dev/null |
        grep -E '(warning|error):' | sort -u)
    echo "$found"
    [ -z "$found" ]
}

long_functions() {
    # a function that does not fit two screens, or a file nobody holds in the head; options.c is one table, a row an option
    git ls-files 'src/*.c' 'src/*.cc' | xargs awk '
        FNR == 1 { n = 0 }
        /^[a-zA-Z].*\)$/ || /^[a-zA-Z].*,$/ { start = FNR }
        /^[a-zA-Z].* = \{$/ { start = FNR + 10000 } # a table
        /^}/ { if (FNR - start > 100) { print FILENAME ":" start ": a function of " FNR - start " lines"; bad = 1 } }
        END { exit bad }' &&
        git ls-files 'src/*.c' 'src/*.h' 'src/*.cc' ':!src/config/options.c' | xargs wc -l |
        awk '$2 != "total" && $1 > 700 { print $2 ": " $1 " lines"; bad = 1 } END { exit bad }'
}

long_lines() { # of what people read as it is; characters, not bytes
    LC_ALL=C.UTF-8 awk 'length > 140 { print FILENAME ":" FNR ": " length " columns"; bad = 1 } END { exit bad }' CHANGELOG.md
}

numbered() { # decision records: of one number each, which the heading has too
    git ls-files 'docs/design/[0-9]*.md' | awk '{
        n = substr($0, 13, 4)
        if (n in seen) { print $0 ": the number is taken by " seen[n]; bad = 1 }
        seen[n] = $0
        getline first <$0
        if (index(first, "# " n + 0 ". ") != 1) { print $0 ":1: the heading should begin with \"# " n + 0 ". \""; bad = 1 }
    } END { exit bad }'
}

banned() {
    ! git grep -nE '\b(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|atof|gets|gmtime|localtime|alloca|setjmp|longjmp)\(' -- 'src/*.c' 'src/*.h' 'src/*.cc' &&
        ! git grep -nE '\b(malloc|calloc|realloc|free)\(' -- 'src/*.c' 'src/*.cc' ':!src/base/mem.c' &&
        ! git grep -nE '\bexit\(' -- 'src/*.c' ':!src/cmd/*'
}

unfinished() {
    ! git grep -nE '\b(TODO|FIXME|XXX|HACK)\b' -- src tests tools bench ':!tools/lint.sh' ':!tests/fuzz/corpus/*'
}

subjects() {
    git log --format=%s -50 | awk '
        !/^[a-z0-9_, .\/-]+: ([^A-Z]|[A-Z]+[a-z]*[A-Z]|[A-Z]+ )/ { # a name such as SQLite may come first
            print "subject is not \"area: what it does\": " $0; bad = 1 }
        length($0) > 72 { print "longer than 72: " $0; bad = 1 }
        END { exit bad }'
}

tools/build.sh build >/dev/null || exit 1

check format format
check clang-tidy tidy
check layers python3 tools/layers.py
check sizes long_functions
check decision-records numbered
check changelog long_lines
check banned-functions banned
check unfinished-work unfinished
check spelling sh -c "git ls-files ':!LICENSE' ':!tests/fuzz/corpus/*' ':!*.zst' | xargs codespell -L upto,nulll,crate,fo,te,ot,nd,thi,inout,wan,zar"
check scripts sh -c "git ls-files '*.sh' .ci/run | xargs shellcheck -x"
check yaml yamllint -s -d '{extends: relaxed, rules: {line-length: {max: 140}}}' docker-compose.yml geckotape.yaml.example deploy/prometheus deploy/debian/geckotape.yaml
check python sh -c "git ls-files '*.py' | xargs -n 20 python3 -m py_compile"
check typescript sh -c 'tools/dashboard.py install && cd web && npm run --silent check'
check commit-subjects subjects

echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" -eq 0 ]
