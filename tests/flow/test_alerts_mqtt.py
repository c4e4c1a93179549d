# SPDX-License-Identifier: Apache-2.0
"""Alerts by MQTT, with Debian's broker: a message is delivered when the broker says that it has it, and not before."""
import json
import socketserver
import threading

import pytest
from gecko import Running, gecko, wait_for
from mosquitto import BINARY, ESCAPED, PASSWORD, Broker, Listener
from test_alerts import Prices, metric, outbox

pytestmark = pytest.mark.skipif(BINARY is None, reason="no mosquitto here")

TOPIC = "home/alerts"


def url(broker, **options):
    return broker.url(TOPIC, coins=None, **options).removesuffix("?")


def test_a_message_has_what_a_webhook_gets(tmp_path):
    with Broker(user="me", is_tls=True) as broker, Listener(broker) as listener, Prices("59000.25") as prices:
        passfile = tmp_path / "password"
        passfile.write_text(PASSWORD + "\n")
        for to in (url(broker), url(broker, user="me", passfile=passfile, qos=2, version=3)):
            done = gecko("alerts", "send-test", "--alert", f"bitcoin.price < 1 to {to}", check=0, cwd=tmp_path)
            assert f"sent to mqtts://localhost:{broker.port}/…" in done.stdout
        done = gecko("once", *[str(o) for o in prices.options(tmp_path, f"bitcoin.price < 60000 to {url(broker)}") if str(o) not in ("--listen", "127.0.0.1:0")],
                     check=0)
        heard = wait_for(lambda: [json.loads(text, parse_float=str) for at, text in listener.heard() if at == TOPIC][2:], what="the alert")
        assert len(heard) == 1 and heard[0]["value"] == "59000.25" and heard[0]["when"] == "bitcoin.price < 60000" and heard[0]["coin"] == "bitcoin"
        assert broker.kept(TOPIC) == {} and outbox(tmp_path) == 0
        wrong = url(broker, user="me:wrong")
        done = gecko("alerts", "send-test", "--alert", f"bitcoin.price < 1 to {wrong}", check=1, cwd=tmp_path)
        assert "the broker does not let us in; see user and password" in done.stderr and "wrong" not in done.stderr
    assert PASSWORD not in done.stderr and ESCAPED not in done.stderr


def test_a_broker_that_is_away_gets_it_when_it_is_back(tmp_path):
    with Broker(keeps=True) as broker, Prices() as prices, \
            Running("run", *prices.options(tmp_path, f"bitcoin.price < 60000 to {url(broker, retain=1)}")) as run:
        port = run.port()
        broker.stop()
        prices.price = "5"
        wait_for(lambda: metric(port, "alerts_failed_total") >= 1, what="a failure")
        assert outbox(tmp_path) == 1
        broker.start()
        wait_for(lambda: outbox(tmp_path) == 0, what="an empty outbox")
        assert json.loads(broker.kept(TOPIC)[TOPIC])["value"] == 5 and metric(port, "alerts_delivered_total") == 1
        assert run.stop() == 0 and run.output.count("cannot be delivered now") == 1


def test_what_the_broker_does_not_take_is_kept_with_the_reason(tmp_path):
    with Broker(rules=["topic read #"]) as broker, Prices("5") as prices, \
            Running("run", *prices.options(tmp_path, f"bitcoin.price < 60000 to {url(broker)}")) as run:
        port = run.port()
        wait_for(lambda: metric(port, "alerts_failed_total") >= 1, what="a failure")
        assert outbox(tmp_path) == 1 and metric(port, "alerts_delivered_total") == 0
        assert run.stop() == 0 and f"does not take a message (Not authorized); let user (none) write below {TOPIC}" in run.output


def test_a_broker_that_says_nothing_has_not_taken_it(tmp_path):
    """It lets us in, reads the message, and hangs up; later it does nothing at all, which a stop does not wait for."""
    published, is_silent, over = [], [False], threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(4096)
            self.request.sendall(b"\x20\x03\x00\x00\x00")
            published.append(self.request.recv(4096))
            if is_silent[0]:
                over.wait(60)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server, Prices("5") as prices:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        to = f"mqtt://127.0.0.1:{server.server_address[1]}/{TOPIC}"
        with Running("run", *prices.options(tmp_path, f"bitcoin.price < 60000 to {to}"), "--stop-timeout", "1s") as run:
            port = run.port()
            wait_for(lambda: len(published) >= 2 and metric(port, "alerts_failed_total") >= 2, what="tries")
            is_silent[0] = True
            n = len(published)
            wait_for(lambda: len(published) > n, what="one more")
            assert all(b"bitcoin.price < 60000" in message for message in published)
            assert metric(port, "alerts_delivered_total") == 0 and outbox(tmp_path) == 1
            assert run.stop() == 0
        over.set()
        server.shutdown()


@pytest.mark.parametrize("to, said", [
    ("mqtt://host", "names no topic, as mqtt://localhost/geckotape/alerts does"),
    ("mqtt://host/a/#", "a prefix is at most 255 bytes without +, #, blanks"),
    ("mqtt://host/a?qos=0", "qos is 1 to 2"),
    ("mqtt://host/a?coins=bitcoin", 'has no option "coins"; it has retain, qos, version, cafile'),
    ("mqtt://me:pa55word@host/a?cafile=x", "cafile, certfile and keyfile are for mqtts:"),
])
def test_a_wrong_address_is_named_with_its_mend(to, said, tmp_path):
    done = gecko("check", "--alert", f"bitcoin.price < 1 to {to}", check=78, cwd=tmp_path)
    assert said in done.stderr and "pa55word" not in done.stderr
