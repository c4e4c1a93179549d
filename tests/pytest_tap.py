# SPDX-License-Identifier: Apache-2.0
"""A pytest plugin that reports in TAP, so that every case has its name in one common summary.

Use: python3 -m pytest -p pytest_tap -p no:terminal -p no:cacheprovider FILE
"""
import sys


class Tap:
    def __init__(self, out):
        self.out = out
        self.n = 0

    def line(self, text):
        print(text, file=self.out, flush=True)

    def case(self, verdict, name, directive=""):
        self.n += 1
        self.line(f"{verdict} {self.n} {name}{directive}")

    def comment(self, text):
        for line in str(text).splitlines():
            self.line("# " + line)


def pytest_addoption(parser):
    # what the terminal plugin, which is off, would declare and others ask for
    parser.addoption("--verbose", dest="verbose", type=int, default=0)


def pytest_configure(config):
    config.tap = Tap(sys.__stdout__)


def pytest_runtest_logreport(report):
    tap = CONFIG.tap
    name = report.nodeid.split("::", 1)[-1].replace("#", "")
    if report.skipped and report.when in ("setup", "call"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        tap.case("ok", name, " # SKIP " + reason.removeprefix("Skipped: ").splitlines()[0])
    elif report.failed:
        tap.case("not ok", name + ("" if report.when == "call" else f" ({report.when})"))
        tap.comment(report.longrepr)
    elif report.when == "call":
        tap.case("ok", name)
        for what, figure in report.user_properties:  # record_property()
            tap.comment(f"{what}: {figure}")


def pytest_collectreport(report):
    if report.failed:
        CONFIG.tap.case("not ok", "collect " + (report.nodeid or "tests"))
        CONFIG.tap.comment(report.longrepr)


CONFIG = None


def pytest_sessionstart(session):
    global CONFIG
    CONFIG = session.config


def pytest_sessionfinish(session):
    CONFIG.tap.line(f"1..{CONFIG.tap.n}")
