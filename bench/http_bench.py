#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The web server against nginx, which serves the same bytes from a file: wrk asks both in turns, in one run.

Prints requests a second, the time in which 99 of 100 are answered, and the ratio of both; the CPU of a request, which a busy machine changes
least; what events cost for 1,000 clients. Absolute figures depend on the machine, and wrk takes CPU from both. nginx gives files to the kernel
without a copy (sendfile); BENCH_SENDFILE=off has it write them, as every server must that makes its answers or speaks TLS.
"""
import contextlib
import datetime
import json
import os
import pathlib
import re
import select
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "golden")]
from gecko import Running, gecko, get, market_body, wait_for  # noqa: E402
from process_bench import cpu, line, smaps  # noqa: E402
from server import PlainServer, pages  # noqa: E402

SECONDS = int(os.environ.get("BENCH_SECONDS", "4"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
CLIENTS = int(os.environ.get("BENCH_CLIENTS", "1000"))
API = "/api/v3"
ASKED = [  # what, target, goal of the ratio
    ("/simple/price", f"{API}/simple/price?ids=bitcoin&vs_currencies=usd", 1.0),
    ("/coins/markets, 250 rows", f"{API}/coins/markets?vs_currency=usd&per_page=250", 1.0),
    ("/market_chart, a year", f"{API}/coins/bitcoin/market_chart?vs_currency=usd&days=365", 0.5),
]

NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  sendfile {sendfile}; tcp_nopush {sendfile};
  keepalive_requests 100000000;
  open_file_cache max=100;
  default_type application/json;
  {temp}
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def nginx(folder):
    port = free_port()
    temp = "".join(f"{kind}_temp_path {folder}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, temp=temp, sendfile=os.environ.get("BENCH_SENDFILE", "on")))
    (folder / "files").mkdir()
    folder.chmod(0o755)  # its worker is nobody
    with subprocess.Popen(["/usr/sbin/nginx", "-c", folder / "nginx.conf"], stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: is_listening(port), what="nginx")
        yield port, worker_of(process.pid), folder / "files"
        process.terminate()


def worker_of(pid):
    def children():
        return pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()

    return int(wait_for(children, what="nginx's worker")[0])


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def wrk(port, pid, target):
    """Requests a second, the time in ms in which 99 of 100 are answered, and CPU in us for a request."""
    began = cpu(pid)
    said = subprocess.run(["wrk", "-t1", "-c32", f"-d{SECONDS}s", "--latency", f"http://127.0.0.1:{port}{target}"], text=True,
                          stdout=subprocess.PIPE, check=True).stdout
    assert "Non-2xx" not in said and "Socket errors" not in said, said
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    n = int(re.search(r"(\d+) requests in", said)[1])
    return n / SECONDS, float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit], (cpu(pid) - began) / n * 1e6


def fill(data):
    """A year of bitcoin by the hour, and one poll of 250 coins."""
    now = datetime.datetime.now(datetime.timezone.utc)
    with open(data / "year.csv", "w", encoding="ascii") as file:
        file.write("time,id,symbol,name,current_price,market_cap,total_volume\n")
        for hour in range(365 * 24, 0, -1):
            at = now - datetime.timedelta(hours=hour)
            file.write(f"{at:%Y-%m-%dT%H:%M:%SZ},bitcoin,btc,Bitcoin,{60000 + hour % 977}.{hour % 89},{1200000000000 + hour * 977},{hour * 98765}\n")
    gecko("import", data / "year.csv", "--data", data, check=0, timeout=600)
    with PlainServer(pages([market_body(250)])) as api:
        gecko("once", "--api-url", api.url, "--data", data, "--top", "250", check=0, timeout=600)


def against_nginx(folder):
    data = folder / "data"
    data.mkdir()
    fill(data)
    with Running("serve", "--from", f"sqlite:{data}/market.db", "--listen", "127.0.0.1:0") as run, nginx(folder) as (other, worker, files):
        port = run.port()
        for what, target, goal in ASKED:
            body = get(port, target)
            assert what != ASKED[2][0] or len(json.loads(body)["prices"]) > 300, "no year"
            same = f"/same-{len(body)}"  # a name of its own, as nginx keeps what it knows of a file
            (files / same[1:]).write_bytes(body)
            assert get(other, same) == body
            ours, theirs = [], []
            for _ in range(ROUNDS):  # in turns: what else the machine does meets both
                ours.append(wrk(port, run.process.pid, target))
                theirs.append(wrk(other, worker, same))
            ratio = max(ours)[0] / max(theirs)[0]
            line(f"{what} ({len(body)} B): requests/s", f"{max(ours)[0]:.0f}")
            line("  nginx, the same bytes from a file", f"{max(theirs)[0]:.0f}")
            line("  99 % answered within, and nginx's", f"{min(o[1] for o in ours):.2f} {min(t[1] for t in theirs):.2f} ms")
            line("  CPU for a request, and nginx's", f"{min(o[2] for o in ours):.0f} {min(t[2] for t in theirs):.0f} us")
            line("  ratio", f"{ratio:.2f}", f"{goal}")
        started = time.monotonic()
        for n in range(20):  # each another question, so that none is there already
            get(port, f"{ASKED[2][1]}&precision={n % 18}&x={n}")
        line("  made anew", f"{(time.monotonic() - started) / 20 * 1000:.1f} ms")
        run.stop()


def events(folder):
    """1,000 clients that hear of each poll of 250 coins: what a client and a poll cost."""
    with Running("run", "--simulate", "--data", folder / "live", "--every", "1s", "--api-rate", "100000", "--listen", "127.0.0.1:0") as run:
        port, pid = run.port(), run.process.pid
        wait_for(lambda: json.loads(get(port, "/api/status"))["jobs"][0]["last_outcome"] == "ok", what="first poll")
        quiet = cost_of_polls(pid, [])
        before = smaps(pid)["Rss"]
        clients = [watch(port) for _ in range(CLIENTS)]
        loud = cost_of_polls(pid, clients)
        line(f"events to {CLIENTS} clients: CPU for a poll of 250 coins", f"{(loud - quiet) * 1000:.1f} ms")
        line("  memory for a client", f"{(smaps(pid)['Rss'] - before) * 1024 / CLIENTS:.1f} kB")
        line("  heard by the last after the first within", f"{spread(clients) * 1000:.0f} ms")
        for s in clients:
            s.close()
        run.stop()


def watch(port):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"GET /api/events HTTP/1.1\r\nHost: bench\r\n\r\n")
    assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
    return s


def cost_of_polls(pid, clients, seconds=10):
    """CPU seconds of the process for a second, in which there is one poll; what comes is read."""
    began, until = cpu(pid), time.monotonic() + seconds
    while time.monotonic() < until:
        ready, _, _ = select.select([], [], [], 0.05) if not clients else poll_all(clients, 0.05)
        for s in ready:
            s.recv(1 << 20)
    return (cpu(pid) - began) / seconds


def poll_all(clients, seconds):
    waiting = select.poll()
    by_fd = {s.fileno(): s for s in clients}
    for fd in by_fd:
        waiting.register(fd, select.POLLIN)
    return [by_fd[fd] for fd, _ in waiting.poll(seconds * 1000)], [], []


def spread(clients):
    """Seconds from the first client that has the whole of the next poll's event to the last: all are told it at once."""
    texts, at = dict.fromkeys(clients, b""), {}
    while len(at) < len(clients):
        for s in poll_all([s for s in clients if s not in at], 1)[0]:
            came = s.recv(1 << 20)
            assert came, "it was hung up on"
            texts[s] += came
            begin = texts[s].find(b"event: market\n")
            if begin >= 0 and texts[s].find(b"\n\n", begin) >= 0:
                at[s] = time.monotonic()
    return max(at.values()) - min(at.values())


def main():
    print("web server:")
    with tempfile.TemporaryDirectory() as directory:
        against_nginx(pathlib.Path(directory))
    with tempfile.TemporaryDirectory() as directory:
        events(pathlib.Path(directory))


if __name__ == "__main__":
    main()
