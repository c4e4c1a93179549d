#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole process with its default sinks and the web server, polling 250 coins of which about half change.

Prints figures with the goals of the design beside them. Absolute times depend on the machine; memory, bytes and
CPU per poll are the ones to compare.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "golden")]
from gecko import BINARY, Running, clean_env, gecko, get, market_body, wait_for  # noqa: E402
from server import Answer, PlainServer  # noqa: E402

POLLS = int(os.environ.get("BENCH_POLLS", "100"))


def smaps(pid):
    figures = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[0] in ("Rss:", "Pss:", "Private_Dirty:"):
                figures[words[0][:-1]] = int(words[1]) / 1024
    return figures


def cpu(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def metric(port, name):
    return sum(float(line.rsplit(" ", 1)[1]) for line in get(port, "/metrics").decode().splitlines()
               if line.startswith(name))


def line(what, figure, goal=""):
    print(f"  {what:<44} {figure:>16}   {('goal ' + goal) if goal else ''}")


def polling():
    bodies = [market_body(250, step, seed=7) for step in range(40)]
    with tempfile.TemporaryDirectory() as directory, \
            PlainServer(lambda request: Answer(body=bodies[request.n % len(bodies)], gzip=True)) as api, \
            Running("run", "--api-url", api.url, "--data", directory, "--every", "1s", "--api-rate", 100000,
                    "--listen", "127.0.0.1:0", env=clean_env()) as run:
        port, pid = run.port(), run.process.pid
        done = "geckotape_polls_total"
        wait_for(lambda: metric(port, done) >= 5, what="five polls")
        start, cpu_start = metric(port, done), cpu(pid)
        time.sleep(POLLS)  # nobody looks: asking costs CPU too
        n = metric(port, done) - start
        memory = smaps(pid)
        line("CPU per poll, sqlite + json + tape + http", f"{(cpu(pid) - cpu_start) / n * 1000:.2f} ms", "2 ms")
        line(f"RSS after {POLLS} polls", f"{memory['Rss']:.1f} MiB", "14 MiB")
        line("private dirty memory", f"{memory['Private_Dirty']:.1f} MiB", "4 MiB")
        rows = metric(port, done) * 250
        line("tape, open segment", f"{metric(port, 'geckotape_tape_written_bytes_total') / rows:.0f} B/row")
        database = pathlib.Path(directory, "market.db").stat().st_size
        stored = [float(text.rsplit(" ", 1)[1]) for text in get(port, "/metrics").decode().splitlines()
                  if text.startswith("geckotape_sink_rows_total{sink=\"sqlite:")]
        line("SQLite file", f"{database / stored[0]:.0f} B/stored row")
        run.stop()


def first_request():
    """exec → the first request arrives, the best of several: the rest is the machine's noise."""
    best = None
    body = market_body(250)
    for _ in range(9):
        with tempfile.TemporaryDirectory() as directory, PlainServer(lambda request: Answer(body=body)) as api:
            started = time.monotonic()
            gecko("once", "--api-url", api.url, "--data", directory, "--sink", "null:", check=0)
            took = api.requests[0].at - started
            best = took if best is None else min(best, took)
    line("exec to first API call (best of 9)", f"{best * 1000:.1f} ms", "10 ms")


def main():
    print("process:")
    first_request()
    polling()
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, BINARY], check=True)
        line("stripped binary", f"{os.path.getsize(stripped.name) / 1e6:.2f} MB", "2 MB")


if __name__ == "__main__":
    main()
