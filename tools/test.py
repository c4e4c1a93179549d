#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run test suites and close with one line: N passed, N failed, N skipped.

test.py --all                       every suite, then again under sanitizers, then 10 s of each fuzz target
test.py --build DIR --suite NAME    one suite in a build directory that exists
"""
import argparse
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOOLS = os.path.join(ROOT, "tools")

# Most flows wait: for slots, time-outs, servers that come back; 26 of test_jobs take 90 s and 7 s of CPU.
AT_ONCE = 3 * (os.cpu_count() or 1)

# build directory, its options, the suites that make sense there; -NAME: without the tests that are also of that one
STAGES = [
    ("build", [], []),
    ("build-asan", ["-Db_sanitize=address,undefined", "-Db_lundef=false"], ["unit", "conformance", "golden", "flow"]),
    ("build-tsan", ["-Db_sanitize=thread", "-Db_lundef=false"], ["unit", "conformance", "flow", "-single"]),
]


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def read(self, junit):
        """Add what meson's report says; name each failed and each skipped case."""
        for suite in ElementTree.parse(junit).getroot().iter("testsuite"):
            for case in suite.iter("testcase"):
                name = f"{suite.get('name')}: {case.get('name')}"
                if case.find("failure") is not None or case.find("error") is not None:
                    self.failed += 1
                    print(f"FAILED  {name}")
                elif case.find("skipped") is not None:
                    self.skipped += 1
                else:
                    self.passed += 1

    def line(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def meson_test(directory, suites, counts):
    command = ["meson", "test", "-C", os.path.join(ROOT, directory), "--print-errorlogs", "--no-rebuild",
               "--num-processes", str(AT_ONCE), "--timeout-multiplier", "5"]
    for suite in suites:
        command += ["--no-suite", suite[1:]] if suite.startswith("-") else ["--suite", suite]
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=1:abort_on_error=1",
               UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1", TSAN_OPTIONS="halt_on_error=1")
    before = counts.failed
    code = subprocess.run(command, env=env, check=False).returncode
    junit = os.path.join(ROOT, directory, "meson-logs", "testlog.junit.xml")
    if os.path.exists(junit):
        counts.read(junit)
    if code != 0 and counts.failed == before:
        counts.failed += 1
        print(f"FAILED  {directory}: meson test ended with {code}")


def build(directory, options, counts):
    command = [os.path.join(TOOLS, "build.sh"), os.path.join(ROOT, directory), *options]
    if subprocess.run(command, check=False).returncode == 0:
        return True
    counts.failed += 1
    print(f"FAILED  {directory}: does not build")
    return False


def fuzz(seconds, counts):
    command = [os.path.join(TOOLS, "fuzz.sh"), str(seconds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(done.stdout)
    for verdict in re.findall(r"^(ok|not ok) fuzz ", done.stdout, re.MULTILINE):
        if verdict == "ok":
            counts.passed += 1
        else:
            counts.failed += 1
    if done.returncode != 0 and "not ok fuzz" not in done.stdout:
        counts.failed += 1
        print(f"FAILED  fuzz.sh ended with {done.returncode}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--build", default="build")
    parser.add_argument("--suite", action="append", default=[])
    args = parser.parse_args()

    counts = Counts()
    for directory, options, suites in STAGES if args.all else [(args.build, [], args.suite)]:
        started = time.monotonic()
        print(f"== {directory}{' ' + ' '.join(suites) if suites else ''}", flush=True)
        if build(directory, options, counts):
            meson_test(directory, suites, counts)
        print(f"== {directory}: {time.monotonic() - started:.0f} s", flush=True)
    if args.all:
        print("== fuzz", flush=True)
        fuzz(10, counts)
    print(counts.line())
    return 1 if counts.failed or not counts.passed else 0


if __name__ == "__main__":
    sys.exit(main())
