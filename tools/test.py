#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run test suites and close with one line: N passed, N failed, N skipped.

test.py --all                       every suite, then again under sanitizers, then 10 s of each fuzz target
test.py --build DIR --suite NAME    one suite in a build directory that exists
"""
import argparse
import glob
import json
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


# So few that fail may have failed of what ran beside them; more are no accident.
MAX_AGAIN = 6


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, outcome):
        setattr(self, outcome, getattr(self, outcome) + 1)

    def line(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def outcomes(directory):
    """What meson's reports say of each case of a test program; a program that failed though none of its cases did has one for that."""
    logs = os.path.join(ROOT, directory, "meson-logs")
    found = {}
    if not os.path.exists(os.path.join(logs, "testlog.junit.xml")):
        return found
    for suite in ElementTree.parse(os.path.join(logs, "testlog.junit.xml")).getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            is_failed = case.find("failure") is not None or case.find("error") is not None
            found[suite.get("name"), case.get("name")] = \
                "failed" if is_failed else "skipped" if case.find("skipped") is not None else "passed"
    failed = {name_of(program) for (program, _), outcome in found.items() if outcome == "failed"}
    with open(os.path.join(logs, "testlog.json"), encoding="utf-8") as log:
        for program in map(json.loads, log):
            if program["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") and name_of(program["name"]) not in failed:
                found[program["name"], f"ended with {program['result']}"] = "failed"  # no time, a crash behind the last case
    return found


def name_of(program):
    """As meson takes it: reports have project and suite in front."""
    return program.rsplit(" / ", 1)[-1]


def why(junit, program, most=60):
    """What a test program says of its failures: pytest's reports are the comments of its TAP."""
    for suite in ElementTree.parse(junit).getroot().iter("testsuite"):
        if suite.get("name") == program:
            lines = [line for line in (suite.findtext("system-out") or "").splitlines() if line.startswith("#")]
            return "\n".join(lines[-most:])
    return ""


def sanitizers(directory):
    """The environment of a run, and where reports of sanitizers go: also those of programs whose test looks elsewhere."""
    reports = os.path.join(ROOT, directory, "meson-logs", "sanitizer")
    for old in glob.glob(reports + ".*"):
        os.unlink(old)
    env = dict(os.environ, ASAN_OPTIONS=f"detect_leaks=1:abort_on_error=1:log_path={reports}",
               UBSAN_OPTIONS=f"halt_on_error=1:print_stacktrace=1:log_path={reports}", TSAN_OPTIONS=f"halt_on_error=1:log_path={reports}")
    return env, reports


def meson_test(directory, suites, counts):
    command = ["meson", "test", "-C", os.path.join(ROOT, directory), "--print-errorlogs", "--no-rebuild", "--timeout-multiplier", "5"]
    chosen = []
    for suite in suites:
        chosen += ["--no-suite", suite[1:]] if suite.startswith("-") else ["--suite", suite]
    env, reports = sanitizers(directory)
    junit = os.path.join(ROOT, directory, "meson-logs", "testlog.junit.xml")

    if os.path.exists(junit):
        os.unlink(junit)
    code = subprocess.run([*command, "--num-processes", str(AT_ONCE), *chosen], env=env, check=False).returncode
    cases = outcomes(directory)
    failed = [case for case, outcome in cases.items() if outcome == "failed"]
    for program, name in failed:
        print(f"FAILED  {program}: {name}", flush=True)
    for program in sorted({program for program, _ in failed}):
        print(f"{program}\n{why(junit, program)}", flush=True)
    programs = sorted({name_of(program) for program, _ in failed})
    if 0 < len(programs) <= MAX_AGAIN and not glob.glob(reports + ".*"):
        cases = again([*command, "--num-processes", "1", *programs], env, directory, cases)
    for outcome in cases.values():
        counts.add(outcome)
    if code != 0 and not failed:
        counts.add("failed")
        print(f"FAILED  {directory}: meson test ended with {code}")
    for report in glob.glob(reports + ".*"):
        counts.add("failed")
        with open(report, encoding="utf-8", errors="replace") as text:
            print(f"FAILED  {directory}: a sanitizer reports\n{text.read(8000)}", flush=True)


def again(command, env, directory, cases):
    """Run by themselves the programs that failed beside others. Returns the cases as they are then: of a program that ended well its own."""
    os.unlink(os.path.join(ROOT, directory, "meson-logs", "testlog.junit.xml"))
    subprocess.run(command, env=env, check=False)
    alone = outcomes(directory)
    good = {name_of(program) for program, _ in alone} - {name_of(program) for (program, _), outcome in alone.items() if outcome == "failed"}
    for (program, name), outcome in cases.items():
        if outcome == "failed" and name_of(program) in good:
            print(f"AGAIN   {program}: {name}: failed beside others, passed by itself")
    return {case: outcome for case, outcome in cases.items() if name_of(case[0]) not in good} | alone


def build(directory, options, counts):
    command = [os.path.join(TOOLS, "build.sh"), os.path.join(ROOT, directory), *options]
    if subprocess.run(command, check=False).returncode == 0:
        return True
    counts.add("failed")
    print(f"FAILED  {directory}: does not build")
    return False


def fuzz(seconds, counts):
    command = [os.path.join(TOOLS, "fuzz.sh"), str(seconds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    sys.stdout.write(done.stdout)
    for verdict in re.findall(r"^(ok|not ok) fuzz ", done.stdout, re.MULTILINE):
        counts.add("passed" if verdict == "ok" else "failed")
    if done.returncode != 0 and "not ok fuzz" not in done.stdout:
        counts.add("failed")
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
