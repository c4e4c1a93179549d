# SPDX-License-Identifier: Apache-2.0
"""Several jobs in one process: their streams, changing them while they run, a word with the running process."""
import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import time

import pytest
from gecko import (PATIENCE, Running, check_exactly_once, clean_env, database, gecko, get, market_body, records, wait_for)
from server import Answer, PlainServer

SECOND = 10**6


def market(request):
    n = request.query["ids"].count(",") + 1 if request.query.get("ids") else 20
    return Answer(body=market_body(n, request.n) if request.page == 1 else b"[]")


def write_config(folder, jobs, sinks=None, **more):
    """geckotape.yaml with these jobs (name → keys); more: top-level keys."""
    lines = [f"{name}: {json.dumps(value)}" for name, value in more.items()]
    if sinks is not None:
        lines.append(f"sinks: {json.dumps(sinks)}")
    lines.append("jobs:")
    lines += [f"  {name}: {json.dumps(keys)}" for name, keys in jobs.items()]
    (folder / "geckotape.yaml").write_text("\n".join(lines) + "\n")


def start(folder, api, *more, verb="run", env=None):
    return Running(verb, "--api-url", api.url, "--data", folder / "data", "--api-rate", 100000, "--listen", "127.0.0.1:0", *more,
                   cwd=folder, env=env)


def reload(run, want=r"configuration applied.*\n"):
    """By signal; returns the line that says how it went."""
    seen = len(run.read())
    run.process.send_signal(signal.SIGHUP)
    return wait_for(lambda: re.search(want, run.read(0.05)[seen:]), what=f"{want!r} in\n{run.output}")[0]


def ends_of(data, job):
    return [r for r in records(data) if r["type"] == "end" and r["job"] == job]


def slots_polled(data, job):
    with contextlib.suppress(sqlite3.Error), database(data) as db:
        return [r[0] for r in db.execute("select slot from poll join job using (job_id) where name = ? order by last_offset", (job,))]
    return []


def wait_for_polls(data, job, more=2):
    n = len(slots_polled(data, job))
    return wait_for(lambda: len(slots_polled(data, job)) >= n + more, what=f"{more} more polls of {job}")


def check_slots(ends, port_metrics):
    """One poll a slot of the grid, none left out but those that the extractor counted as missed."""
    job = ends[0]["job"]
    slots = [e["slot_us"] for e in ends if e["slot_us"] % SECOND == 0]
    assert len(slots) == len(set(slots)), f"a slot twice: {slots}"
    missing = (slots[-1] - slots[0]) // SECOND + 1 - len(slots)
    missed = re.search(rf'geckotape_missed_slots_total{{job="{job}"}} (\d+)', port_metrics)
    assert missing <= (int(missed[1]) if missed else 0), f"slots lost: {slots}"


def test_jobs_have_streams_of_their_own(tmp_path):
    write_config(tmp_path, {"one": {"top": 20, "every": "1s"}, "two": {"ids": ["bitcoin", "ethereum"], "every": "2s"},
                            "three": {"category": "layer-1", "every": "1s", "vs": "eur"}})
    data = tmp_path / "data"
    with PlainServer(market) as api, start(tmp_path, api) as run:
        port = run.port()
        for job in ("one", "two", "three"):
            wait_for_polls(data, job, 3)
        status = json.loads(get(port, "/api/status"))
        assert {job["name"] for job in status["jobs"]} == {"one", "two", "three"}
        metrics = get(port, "/metrics").decode()
        assert run.stop() == 0
    check_exactly_once(data, json_dir=data)
    for job in ("one", "three"):
        check_slots(ends_of(data, job), metrics)
    assert {tuple(r.query.get(k) for k in ("ids", "category", "vs_currency")) for r in api.requests} == {
        (None, None, "usd"), ("bitcoin,ethereum", None, "usd"), (None, "layer-1", "eur")}


def test_once_polls_every_job_or_the_one_that_is_named(tmp_path):
    write_config(tmp_path, {"one": {"top": 20, "every": "1h"}, "two": {"ids": ["bitcoin"], "every": "1h"}})
    with PlainServer(market) as api:
        once = ["once", "--api-url", api.url, "--data", tmp_path / "data", "--api-rate", 100000]
        out = gecko(*once, "--job", "two", cwd=tmp_path, check=0).stdout
        assert "two: " in out and "one: " not in out and len(api.requests) == 1
        out = gecko(*once, cwd=tmp_path, check=0).stdout
        assert re.search(r"^one: .* ok ", out, re.MULTILINE) and "two: the present slot is on the tape already" in out
        refused = gecko(*once, "--job", "nope", cwd=tmp_path)
        assert refused.returncode == 2 and 'no job "nope"' in refused.stderr
    check_exactly_once(tmp_path / "data", json_dir=tmp_path / "data")


def test_pages_of_a_poll_under_way_are_no_lag(tmp_path):
    """What nobody can load yet leaves nobody behind."""
    def answer(request):
        if request.query.get("ids"):
            return Answer(body=market_body(1, request.n))
        return Answer(body=market_body(250, first=250 * request.page), delay=0.2)

    write_config(tmp_path, {"sweep": {"all": True, "every": "1h"}, "quick": {"ids": ["bitcoin"], "every": "1s"}})
    with PlainServer(answer) as api, start(tmp_path, api) as run:
        port = run.port()
        wait_for(lambda: len(ends_of(tmp_path / "data", "quick")) >= 3, what="polls of quick")
        assert not ends_of(tmp_path / "data", "sweep"), "the sweep is under way"
        wait_for(lambda: all(sink["lag"] == 0 for sink in json.loads(get(port, "/api/status"))["sinks"]), what="sinks without lag", timeout=30)  # the sweep goes on for longer
        assert run.stop() == 0


def test_a_reload_changes_jobs_and_loses_no_slot_of_the_others(tmp_path):
    data = tmp_path / "data"
    steady = {"top": 20, "every": "1s"}
    write_config(tmp_path, {"steady": steady, "leaves": {"top": 3, "every": "1s"}, "slows": {"top": 4, "every": "1s"}})
    with PlainServer(market) as api, start(tmp_path, api) as run:
        port = run.port()
        wait_for_polls(data, "slows")
        write_config(tmp_path, {"comes": {"ids": ["bitcoin"], "every": "1s"}, "steady": steady, "slows": {"top": 4, "every": "1h"}})
        assert "jobs_added=1 jobs_changed=1 jobs_removed=1" in reload(run)
        wait_for_polls(data, "comes")
        n_left, n_slow = len(slots_polled(data, "leaves")), len(slots_polled(data, "slows"))
        wait_for_polls(data, "steady", 3)
        assert len(slots_polled(data, "leaves")) == n_left and len(slots_polled(data, "slows")) <= n_slow + 1
        jobs = {job["name"]: job for job in json.loads(get(port, "/api/status"))["jobs"]}
        # a poll under way may count once more, until the housekeeper looks
        wait_for(lambda: b'polls_total{job="leaves"' not in get(port, "/metrics"), timeout=3 * PATIENCE, what="dropped series")
        assert jobs["leaves"]["idle"] and not jobs["comes"]["idle"]
        # what left comes back where its tape ended
        write_config(tmp_path, {"steady": steady, "leaves": {"top": 3, "every": "1s"}})
        assert "jobs_added=1 jobs_changed=0 jobs_removed=2" in reload(run)
        wait_for_polls(data, "leaves")
        for _ in range(5):  # many at once are one or two
            run.process.send_signal(signal.SIGHUP)
        wait_for_polls(data, "steady", 2)
        metrics = get(port, "/metrics").decode()
        assert run.stop() == 0
    check_exactly_once(data, json_dir=data)
    check_slots(ends_of(data, "steady"), metrics)
    assert len(ends_of(data, "leaves")) > n_left
    assert "ERROR" not in run.output


def test_a_reload_adds_and_removes_sinks(tmp_path):
    data = tmp_path / "data"
    job, files = {"one": {"top": 20, "every": "1s"}}, tmp_path / "files"
    main, other = f"sqlite:{data}/market.db", f"sqlite:{data}/other.db"
    write_config(tmp_path, job, [main])
    with PlainServer(market) as api, start(tmp_path, api) as run:
        port = run.port()
        wait_for_polls(data, "one")
        write_config(tmp_path, job, [main, f"json:{files}", other])
        assert "sinks_added=2 sinks_removed=0" in reload(run)
        wait_for(lambda: (files / "raw").exists() and (data / "other.db").exists(), what="the new sinks")
        wait_for_polls(data, "one")
        write_config(tmp_path, job, [main, f"json:{files}"])
        assert "sinks_added=0 sinks_removed=1" in reload(run)
        with database(data, "other.db") as db:
            offset, = db.execute("select offset from sink_offset").fetchone()
        wait_for_polls(data, "one")
        metrics = get(port, "/metrics").decode()
        assert "other.db" not in metrics and f'geckotape_sink_up{{sink="{main}"}} 1' in metrics
        assert {s["url"] for s in json.loads(get(port, "/api/status"))["sinks"]} == {main, f"json:{files}"}
        with database(data, "other.db") as db:
            assert db.execute("select offset from sink_offset").fetchone()[0] == offset, "it loads though it was removed"
        # known still: nothing it lacks may be removed from the tape
        known = "\n".join(p.read_text() for p in (data / "sinks").iterdir())
        assert re.search(rf"other.db\nstream \S+ one {offset}\n", known)
        write_config(tmp_path, job, [main, f"json:{files}", other])
        assert "sinks_added=1" in reload(run)
        wait_for_polls(data, "one")
        assert run.stop() == 0
    check_exactly_once(data, json_dir=files)
    os.rename(data / "other.db", data / "market.db")
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(data / f"market.db{suffix}")
    check_exactly_once(data)


def test_a_reload_exchanges_all_sinks_and_fails_for_those_refused(tmp_path):
    data = tmp_path / "data"
    job = {"one": {"top": 20, "every": "1s"}}
    main = f"sqlite:{data}/market.db"
    write_config(tmp_path, job, [main] + [f"null:{i}" for i in range(15)])
    with PlainServer(market) as api, start(tmp_path, api) as run:
        run.port()
        wait_for_polls(data, "one")
        write_config(tmp_path, job, [f"null:other-{i}" for i in range(15)] + [main])
        done = gecko("reload", "--data", data, check=0)
        assert "15 added, 15 removed, 0 refused" in done.stdout
        assert run.stop() == 0
    check_exactly_once(data)


def test_a_reload_fails_when_a_sink_is_refused(tmp_path):
    data = tmp_path / "data"
    job, main = {"one": {"top": 20, "every": "1s"}}, f"sqlite:{data}/market.db"
    others = [f"null:{i}" for i in range(14)]
    write_config(tmp_path, job, [main, f"sqlite:{data}/stuck.db"] + others)
    with PlainServer(market) as api, start(tmp_path, api, "--stop-timeout", "1ms") as run:
        run.port()
        wait_for_polls(data, "one")
        with contextlib.closing(sqlite3.connect(data / "stuck.db", isolation_level=None)) as db:
            db.execute("begin immediate")  # the sink waits for the lock, and keeps its place
            wait_for_polls(data, "one")
            write_config(tmp_path, job, [main, "null:new"] + others)
            done = gecko("reload", "--data", data, check=1)
        assert "0 added, 1 removed, 1 refused" in done.stdout and "null:new: there are 16" in done.stdout
        assert "0 jobs, 1 sinks" in done.stderr and "sinks_refused=1" in run.read(0.2)
        write_config(tmp_path, job, [main] + others)
        gecko("reload", "--data", data, check=0)
        run.stop()
    check_exactly_once(data)


def test_a_reload_says_what_it_warns_of(tmp_path):
    data = tmp_path / "data"
    write_config(tmp_path, {"one": {"top": 20, "every": "1s"}})
    with PlainServer(market) as api, start(tmp_path, api) as run:
        run.port()
        (tmp_path / ".env").write_text("VS_CURRENCY=eur\n")
        done = gecko("reload", "--data", data)
        assert re.search(r"warning: .*VS_CURRENCY", done.stdout), done
        assert re.search(r"WARN.*about the configuration.*VS_CURRENCY", run.read(0.2))
        run.stop()


def test_a_job_without_a_place_leaves_nothing_on_disk(tmp_path):
    data = tmp_path / "data"
    jobs = {f"job{i}": {"top": i + 1, "every": "1h"} for i in range(64)}
    write_config(tmp_path, jobs, ["null:"])
    with PlainServer(market) as api, start(tmp_path, api) as run:
        run.port()
        write_config(tmp_path, {"more": {"top": 99, "every": "1h"}}, ["null:"])
        done = gecko("reload", "--data", data, check=1)
        assert "64 removed, 1 refused" in done.stdout and "restart shows the jobs first" in done.stdout
        assert not (data / "tape" / "more").exists()
        assert run.stop() == 0


def test_a_configuration_with_mistakes_changes_nothing(tmp_path):
    data = tmp_path / "data"
    write_config(tmp_path, {"one": {"top": 20, "every": "1s"}})
    with PlainServer(market) as api, start(tmp_path, api) as run:
        run.port()
        wait_for_polls(data, "one")
        write_config(tmp_path, {"one": {"top": "many", "every": "never"}, "two": {"colour": "red"}}, ["nowhere:x"])
        reload(run, r"nothing was changed")
        assert run.output.count("the configuration has a mistake") >= 3
        wait_for_polls(data, "one")
        (tmp_path / "geckotape.yaml").write_text("jobs: [\n")
        reload(run, r"nothing was changed")
        # good in itself, but a sink that no build has
        write_config(tmp_path, {"one": {"top": 20, "every": "1s"}, "two": {"top": 3, "every": "1s"}}, ["nowhere:x"])
        reload(run, r"not all was applied.*nowhere")
        wait_for_polls(data, "one")
        assert not slots_polled(data, "two")
        asked = gecko("reload", "--data", data)
        assert asked.returncode == 1 and "nowhere" in asked.stderr
        assert run.stop() == 0
    check_exactly_once(data, json_dir=data)


def test_a_job_whose_selection_changed_is_refused_and_goes_on(tmp_path):
    """So no coin ever seems to have left because fewer were asked for."""
    data, ids = tmp_path / "data", [f"coin-{i}" for i in range(12)]
    write_config(tmp_path, {"one": {"top": 20, "every": "1s"}, "few": {"ids": ids, "every": "1s"}})
    with PlainServer(market) as api, start(tmp_path, api) as run:
        run.port()
        wait_for_polls(data, "one")
        wait_for_polls(data, "few")
        write_config(tmp_path, {"one": {"top": 7, "every": "1s"}, "few": {"ids": ids[:2], "every": "1s"}, "two": {"top": 3, "every": "1s"}})
        assert "jobs_added=1 jobs_changed=0 jobs_removed=0 jobs_refused=2" in reload(run)
        assert re.search(r"job one: .*top=20.*top=7.*another name", run.output)
        assert re.search(r"job few: .*ids=coin-0,coin-1,coin-10.*ids=coin-0,coin-1\b.*another name", run.output)
        for job in ("one", "few", "two"):
            wait_for_polls(data, job)
        assert run.stop() == 0
    check_exactly_once(data, json_dir=data)
    assert {r["selection"] for r in records(data) if r["job"] == "one"} == {"top=20"}
    with database(data) as db:
        assert {n for n, in db.execute("select distinct rows_in from poll join job using (job_id) where name = 'few'")} == {12}
        assert db.execute("select count(*) from absence").fetchone()[0] == 0
        assert db.execute("select count(*) from poll where drift like '%membership%'").fetchone()[0] == 0


def test_a_reload_names_what_takes_a_restart_and_sets_the_log_level(tmp_path):
    write_config(tmp_path, {"one": {"top": 20, "every": "1s"}}, log={"level": "warn"})
    with PlainServer(market) as api, start(tmp_path, api) as run:
        wait_for(lambda: len(api.requests) >= 1, what="a poll")
        write_config(tmp_path, {"one": {"top": 20, "every": "1s"}}, log={"level": "debug"}, api={"timeout": "7s"})
        reload(run, r"restart to apply.*--api-timeout")
        run.expect("DEBUG extract: request")
        assert run.stop() == 0


def test_a_renamed_log_is_opened_again(tmp_path):
    log = tmp_path / "logs" / "etl.log"
    with PlainServer(market) as api, start(tmp_path, api, "--every", "1s", "--log-file", log) as run:
        run.port()
        assert "run: started" in log.read_text()
        os.rename(log, tmp_path / "logs" / "etl.log.1")
        reload(run)
        wait_for(lambda: log.exists() and "configuration applied" in log.read_text(), what="the new log")
        assert run.stop() == 0
    assert "run: stopped" in log.read_text()
    assert "stopped" not in (tmp_path / "logs" / "etl.log.1").read_text()


def test_run_now_polls_out_of_turn(tmp_path):
    data, state = tmp_path / "data", {"is_down": False}
    write_config(tmp_path, {"one": {"top": 20, "every": "1h"}, "two": {"top": 3, "every": "1h"}})
    with PlainServer(lambda r: Answer(401, b"{}") if state["is_down"] else market(r)) as api:
        assert gecko("run-now", "--data", data).returncode == 1
        with start(tmp_path, api) as run:
            run.port()
            wait_for_polls(data, "two", 1)
            out = gecko("run-now", "--data", data, check=0).stdout
            assert out == "one: ok\ntwo: ok\n"
            assert gecko("run-now", "--data", data, "--job", "two", check=0).stdout == "two: ok\n"
            refused = gecko("run-now", "--data", data, "--job", "nope")
            assert refused.returncode == 1 and "no job nope" in refused.stderr
            state["is_down"] = True
            failed = gecko("run-now", "--data", data, "--job", "one")
            assert failed.returncode == 75 and failed.stdout.startswith("one: failed: ") and "1 of 1 poll did not" in failed.stderr
            assert run.stop() == 0
    check_exactly_once(data, json_dir=data)
    assert [e["slot_us"] % SECOND == 0 for e in ends_of(data, "two")] == [True, False, False]


def test_log_level_is_set_from_outside(tmp_path):
    data = tmp_path / "data"
    with PlainServer(market) as api, start(tmp_path, api, "--every", "1s") as run:
        run.port()
        assert gecko("log-level", "debug", "--data", data, check=0).stdout == "log level: debug\n"
        run.expect("DEBUG extract: request")
        refused = gecko("log-level", "loud", "--data", data)
        assert refused.returncode == 1 and "loud" in refused.stderr
        assert run.stop() == 0


def test_hostile_clients_of_the_socket_hurt_nobody(tmp_path):
    data = tmp_path / "data"
    with PlainServer(market) as api, start(tmp_path, api, "--every", "1s") as run:
        port = run.port()
        path = str(data / "control.sock")
        assert os.stat(path).st_mode & 0o777 == 0o600
        clients = []
        for words in [b"", b"sta", b"status", b"x" * 100000, b"status json=1\n" * 1000, b"\x00\xff\n", b"%\n", b"reload\n", b"poll\n"] * 3:
            client = socket.socket(socket.AF_UNIX)
            client.connect(path)
            clients.append(client)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.sendall(words)
        wait_for_polls(data, "markets-usd", 3)
        for client in clients[::2]:
            client.close()
        wait_for(lambda: gecko("run-now", "--data", data).returncode == 0, what="an answer")
        metrics = get(port, "/metrics").decode()
        assert run.stop() == 0
        for client in clients:
            client.close()
    check_exactly_once(data, json_dir=data)
    check_slots([e for e in ends_of(data, "markets-usd") if e["slot_us"] % SECOND == 0], metrics)
    assert not os.path.exists(path)


def test_who_holds_the_directory_without_a_socket_is_named(tmp_path):
    data = tmp_path / "data"
    with PlainServer(market) as api, start(tmp_path, api) as run:
        run.port()
        os.unlink(data / "control.sock")
        busy = gecko("run-now", "--data", data)
        assert busy.returncode == 75 and f"process {run.process.pid} writes here" in busy.stderr
        second = gecko("once", "--data", data, "--api-url", api.url)
        assert second.returncode == 75 and str(run.process.pid) in second.stderr
        assert run.stop() == 0


def test_a_holder_that_hangs_is_named(tmp_path):
    data = tmp_path / "data"
    with PlainServer(market) as api, start(tmp_path, api) as run:
        run.port()
        run.process.send_signal(signal.SIGSTOP)
        try:
            hung = gecko("run-now", "--data", data)
        finally:
            run.process.send_signal(signal.SIGCONT)
        assert hung.returncode == 75 and "does not answer" in hung.stderr
        assert run.stop() == 0


def n_threads(run):
    return len(os.listdir(f"/proc/{run.process.pid}/task"))


def test_a_stop_during_a_reload_is_prompt(tmp_path):
    data = tmp_path / "data"
    job, stuck = {"one": {"top": 20, "every": "1s"}}, f"sqlite:{data}/stuck.db"
    write_config(tmp_path, job, [f"sqlite:{data}/market.db", stuck])
    with PlainServer(market) as api, start(tmp_path, api, "--stop-timeout", "2s") as run:
        run.port()
        wait_for_polls(data, "one")
        with contextlib.closing(sqlite3.connect(data / "stuck.db", isolation_level=None)) as db:
            db.execute("begin immediate")  # the sink waits for the lock
            wait_for_polls(data, "one")
            write_config(tmp_path, job, [f"sqlite:{data}/market.db"])
            threads = n_threads(run)
            run.process.send_signal(signal.SIGHUP)
            wait_for(lambda: n_threads(run) > threads, what="the reload")
            started = time.monotonic()
            run.stop()
            assert time.monotonic() - started < 40
    check_exactly_once(data)


def test_a_sink_that_does_not_stop_is_left_to_itself(tmp_path):
    data = tmp_path / "data"
    write_config(tmp_path, {"one": {"top": 20, "every": "1s"}}, [f"sqlite:{data}/market.db"])
    with PlainServer(market) as api:
        with start(tmp_path, api) as run:
            wait_for_polls(data, "one")
            assert run.stop() == 0
        with contextlib.closing(sqlite3.connect(data / "market.db", isolation_level=None)) as db:
            db.execute("begin immediate")  # the sink waits for the lock for 2 s, and 1 s behind the time to stop nobody waits for it
            for _ in range(20):  # on a busy machine it may have come to its end by then
                with start(tmp_path, api, "--stop-timeout", "1ms") as run:
                    run.port()
                    if run.stop() != 0:
                        break
        assert run.process.returncode == 1 and re.search(r"stopped, but not all in time.*did not stop in time", run.output), run.output
    check_exactly_once(data)


def has_open(run, path):
    for fd in os.listdir(f"/proc/{run.process.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if os.readlink(f"/proc/{run.process.pid}/fd/{fd}") == str(path):
                return True
    return False


@pytest.mark.parametrize("patience, code", [("30s", 0), ("1ms", 1)])
def test_a_reload_that_reads_a_pipe_nobody_writes_to_ends(tmp_path, patience, code):
    data = tmp_path / "data"
    write_config(tmp_path, {"one": {"top": 20, "every": "1s"}})
    with PlainServer(market) as api, start(tmp_path, api, "--stop-timeout", patience) as run:
        run.port()
        wait_for_polls(data, "one")
        os.unlink(tmp_path / "geckotape.yaml")
        os.mkfifo(tmp_path / "geckotape.yaml")
        run.process.send_signal(signal.SIGHUP)
        wait_for(lambda: has_open(run, tmp_path / "geckotape.yaml"), what="the reload")
        assert run.stop() == code
        assert code == 0 or "a reload did not end in time" in run.output
    if code == 0:
        checked = gecko("check", "--config", "geckotape.yaml", cwd=tmp_path, check=78)
        assert "geckotape.yaml: no file, and whoever writes to it" in checked.stderr
    check_exactly_once(data, json_dir=data)


def test_streams_of_before_are_loaded_by_sinks_that_come_later(tmp_path):
    data = tmp_path / "data"
    with PlainServer(market) as api:
        with start(tmp_path, api, "--top", 5, "--every", "1s", verb="extract") as run:
            port = run.port()
            wait_for(lambda: len(api.requests) >= 3, what="polls")
            assert get(port, "/healthz").strip() == b"OK"
            assert run.stop() == 0
        assert not (data / "market.db").exists()
        with start(tmp_path, api, "--top", 6, "--every", "1s") as run:
            port = run.port()
            wait_for_polls(data, "markets-usd-top6")
            jobs = {job["name"]: job for job in json.loads(get(port, "/api/status"))["jobs"]}
            assert jobs["markets-usd-top5"]["idle"] and jobs["markets-usd-top5"]["head"] > 0
            assert run.stop() == 0
    assert len([e for e in check_exactly_once(data, json_dir=data) if e["job"] == "markets-usd-top5"]) >= 2


def test_a_directory_on_the_tape_that_is_no_stream_stops_nothing(tmp_path):
    data = tmp_path / "data"
    with PlainServer(market) as api:
        gecko("once", "--top", 5, "--data", data, "--api-url", api.url, check=0)
        os.makedirs(data / "tape" / "empty")
        os.makedirs(data / "tape" / "broken")
        (data / "tape" / "broken" / "00000000000000000001-20261101T000000Z.jsonl.zst").write_bytes(b"no tape at all" * 100)
        done = gecko("once", "--top", 6, "--data", data, "--api-url", api.url, check=0)
        assert "empty" not in done.stderr
    with database(data) as db:
        assert {r[0] for r in db.execute("select name from job")} == {"markets-usd-top5", "markets-usd-top6"}


def test_an_import_reaches_the_sinks_of_the_running_process(tmp_path):
    data, raw = tmp_path / "data", tmp_path / "raw"
    raw.mkdir()
    for day in range(1, 8):
        (raw / f"market_2026-10-{day:02d}T10-00-00Z.json").write_bytes(market_body(20, day))
    with PlainServer(market) as api, start(tmp_path, api, "--every", "1s") as run:
        port = run.port()
        wait_for_polls(data, "markets-usd")
        assert "7 polls imported" in gecko("import", raw, "--name", "old", "--data", data, check=0).stdout
        wait_for(lambda: len(slots_polled(data, "import-old")) == 7, what="the import in the database")
        (raw / "market_2026-10-08T10-00-00Z.json").write_bytes(market_body(20, 8))
        assert "1 poll imported" in gecko("import", raw, "--name", "old", "--data", data, check=0).stdout
        wait_for(lambda: len(slots_polled(data, "import-old")) == 8, what="the rest of it")
        jobs = {job["name"]: job for job in json.loads(get(port, "/api/status"))["jobs"]}
        assert jobs["import-old"]["idle"]
        refused = gecko("import", tmp_path / "data" / "lock", "--data", data)
        assert refused.returncode == 1, refused.stderr
        metrics = get(port, "/metrics").decode()
        assert run.stop() == 0
    check_exactly_once(data)
    check_slots(ends_of(data, "markets-usd"), metrics)


@pytest.mark.parametrize("verb", ["run", "extract"])
def test_a_second_signal_does_not_wait(tmp_path, verb):
    data = tmp_path / "data"
    env = clean_env(TSAN_OPTIONS="report_thread_leaks=0")  # nobody waits for threads: that is the point
    with PlainServer(market) as api, start(tmp_path, api, "--every", "1s", verb=verb, env=env) as run:
        run.port()
        wait_for(lambda: len(api.requests) >= 1, what="a poll")
        run.process.send_signal(signal.SIGTERM)
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(20) in (0, 128 + signal.SIGINT, 128 + signal.SIGTERM)
    gecko("tape", "verify", "--data", data, check=0)
