# SPDX-License-Identifier: Apache-2.0
"""The sink mqtt: with Debian's broker: what Home Assistant finds there, and what stays true when the broker, the collector or the way
between them breaks."""
import json
import re
import signal
import subprocess
import time

import pytest
from gecko import Running, gecko, wait_for
from mosquitto import BINARY, ESCAPED, PASSWORD, Broker, Listener
from stores import S_US, SLOT0, make_tape

pytestmark = pytest.mark.skipif(BINARY is None, reason="no mosquitto here")

PRICE = "77074.123456789012345678901"
TINY = "2.6e-09"


def row(coin, price, cap="1.5e+12", extra=""):
    return (f'{{"id":"{coin}","symbol":"{coin[:3]}","name":"{coin.title()} \\"x\\"","image":null,"current_price":{price},"market_cap":{cap},'
            f'"market_cap_rank":1,"total_volume":10.50,"price_change_percentage_24h":-0.10{extra},'
            '"last_updated":"2026-11-23T13:59:58.123Z"}')


def body(**prices):
    return ("[" + ",".join(row(coin.replace("_", "-"), price) for coin, price in prices.items()) + "]").encode()


def tape(tmp_path, polls, *identity, job="market", **how):
    return make_tape(tmp_path / "data", [(SLOT0 + i * 30 * S_US, "ok", [pages]) for i, pages in polls], job, *identity, **how)


def load(data, *sinks, **how):
    return gecko("load", "--from", f"tape:{data}", *(word for sink in sinks for word in ("--sink", sink)), **how)


def following(data, sink):
    return Running("load", "--from", f"tape:{data}", "--sink", sink, "--follow")


@pytest.fixture
def broker():
    with Broker(keeps=True) as made:
        yield made


def configs(kept):
    return {topic.split("/")[-2]: json.loads(text) for topic, text in kept.items() if topic.endswith("/config")}


def price(broker, topic="geckotape/bitcoin/usd/state"):
    kept = broker.kept(topic)
    return re.search(r'"current_price":([^,]+)', kept[topic])[1] if topic in kept else None


# ---- what is there ----


def test_chosen_coins_are_sensors_with_every_digit(broker, tmp_path):
    data = tape(tmp_path, [(0, body(bitcoin=PRICE, ethereum=TINY, ripple="3"))])
    load(data, broker.url(), check=0)
    kept = broker.kept()
    assert set(kept) == {"geckotape/status", "geckotape/poll/market", "geckotape/bitcoin/usd/state", "geckotape/ethereum/usd/state",
                         "homeassistant/sensor/geckotape_bitcoin_usd/config", "homeassistant/sensor/geckotape_ethereum_usd/config"}
    state = json.loads(kept["geckotape/bitcoin/usd/state"], parse_float=str, parse_int=str)
    assert {key: state[key] for key in ("id", "current_price", "market_cap", "market_cap_rank", "total_volume", "price_change_percentage_24h",
                                        "last_updated", "vs_currency", "slot", "job")} == {
        "id": "bitcoin", "current_price": PRICE, "market_cap": "1.5e+12", "market_cap_rank": "1", "total_volume": "10.50",
        "price_change_percentage_24h": "-0.10", "last_updated": "2026-11-23T13:59:58.123Z", "vs_currency": "usd",
        "slot": "2026-11-23T14:00:00Z", "job": "market"}
    assert state["fetched_at"].startswith("2026-11-23T14:00:0") and "SIMULATED" not in state
    assert f'"current_price":{TINY},' in kept["geckotape/ethereum/usd/state"]
    poll = json.loads(kept["geckotape/poll/market"])
    assert poll["outcome"] == "ok" and poll["rows"] == 3 and poll["error"] == "" and kept["geckotape/status"] == "stopped"


def test_home_assistant_is_told_all_it_needs(broker, tmp_path):
    load(tape(tmp_path, [(0, body(bitcoin=1, ethereum=2))]), broker.url(expire="90s"), check=0)
    config = configs(broker.kept())["geckotape_bitcoin_usd"]
    state = "geckotape/bitcoin/usd/state"
    assert config["unique_id"] == "geckotape_bitcoin_usd" and config["name"] == 'Bitcoin "x" USD'
    assert config["state_topic"] == config["json_attributes_topic"] == state
    assert config["value_template"] == "{{ value_json.current_price }}"
    assert config["unit_of_measurement"] == "USD" and config["state_class"] == "measurement" and config["expire_after"] == 90
    assert config["device"]["identifiers"] == ["geckotape"] and config["device"]["name"] == "geckotape"
    assert config["device"]["sw_version"] == config["origin"]["sw_version"] == gecko("--version").stdout.split()[1]
    # fresh, and nobody says that we died
    assert config["availability_mode"] == "all" and [a["topic"] for a in config["availability"]] == ["geckotape/status", state]
    assert "value == 'offline'" in config["availability"][0]["value_template"]
    assert "value_json.fetched_at) < 90 " in config["availability"][1]["value_template"]


def test_freshness_follows_the_interval(broker, tmp_path):
    with Running("run", "--simulate", "--top", 20, "--every", "30s", "--listen", "127.0.0.1:0", "--sink", broker.url(), cwd=tmp_path) as run:
        found = wait_for(lambda: configs(broker.kept()), what="sensors")
        run.stop()
    assert found["geckotape_simulated_bitcoin_usd"]["expire_after"] == 90


def test_simulated_data_is_another_device_on_other_topics(broker, tmp_path):
    load(tape(tmp_path, [(0, body(bitcoin=1))]), broker.url(), check=0)
    with Running("run", "--simulate", "--top", 20, "--every", "1s", "--listen", "127.0.0.1:0", "--sink", broker.url(), cwd=tmp_path) as run:
        wait_for(lambda: "geckotape/simulated/bitcoin/usd/state" in broker.kept(), what="a simulated state")
        kept = broker.kept()
        assert run.stop() == 0
    assert json.loads(kept["geckotape/simulated/bitcoin/usd/state"])["SIMULATED"] is True
    assert json.loads(kept["geckotape/bitcoin/usd/state"])["current_price"] == 1
    assert configs(kept)["geckotape_simulated_bitcoin_usd"]["device"]["name"] == "geckotape SIMULATED"
    assert kept["geckotape/simulated/status"] == "online"


def test_other_prefixes_are_other_devices(broker, tmp_path):
    load(tape(tmp_path, [(0, body(bitcoin=1))]), broker.url("home/crypto", discovery="ha", retain=0), check=0)
    kept = broker.kept()
    assert set(kept) == {"home/crypto/status", "ha/sensor/geckotape_home_2Fcrypto_bitcoin_usd/config"}


def test_without_discovery_there_are_states_alone(broker, tmp_path):
    load(tape(tmp_path, [(0, body(bitcoin=1))]), broker.url(discovery="off"), check=0)
    assert not configs(broker.kept()) and price(broker) == "1"


def test_an_id_is_one_level_of_a_topic_whatever_it_is(broker, tmp_path):
    nasty = "a/b+#_é"
    pages = ("[" + row(nasty, 5) + "]").encode()
    load(tape(tmp_path, [(0, pages)]), broker.url(coins="a/b%2B%23_%C3%A9"), check=0)
    kept = broker.kept()
    assert "geckotape/a%2Fb%2B%23_%C3%A9/usd/state" in kept and json.loads(kept["geckotape/a%2Fb%2B%23_%C3%A9/usd/state"])["id"] == nasty
    assert list(configs(kept)) == ["geckotape_a_2Fb_2B_23_5F_C3_A9_usd"]


def test_coins_that_are_chosen_no_more_are_taken_away(broker, tmp_path):
    data = tape(tmp_path, [(0, body(bitcoin=1, ethereum=2))])
    load(data, broker.url(), check=0)
    load(data, broker.url(coins="bitcoin"), check=0)
    kept = broker.kept()
    assert list(configs(kept)) == ["geckotape_bitcoin_usd"] and "geckotape/ethereum/usd/state" not in kept
    assert "geckotape/bitcoin/usd/state" in kept and "geckotape/poll/market" in kept


def test_of_a_backlog_only_the_newest_is_published(broker, tmp_path):
    polls = [(i, body(bitcoin=i, ethereum=i) if i < 40 else body(bitcoin=i)) for i in range(50)]
    data = tape(tmp_path, polls)
    with Listener(broker) as listener:
        load(data, broker.url(), check=0)
        wait_for(lambda: ("geckotape/status", "stopped") in listener.heard(), what="the end")
        states = [(topic, json.loads(text)["current_price"]) for topic, text in listener.heard() if topic.endswith("/state")]
    assert sorted(states) == [("geckotape/bitcoin/usd/state", 49), ("geckotape/ethereum/usd/state", 39)]


def test_history_is_not_the_present(broker, tmp_path):
    data = make_tape(tmp_path / "data", [(SLOT0, "ok", [body(bitcoin=1)])], "old", "coins/markets", "usd", "import")
    load(data, broker.url(), check=0)
    assert set(broker.kept()) == {"geckotape/status"}


def test_a_clock_that_jumped_and_came_back_hides_no_poll(broker, tmp_path):
    """Polls fail while the clock is wrong; those after it are the newest, though their slots are older."""
    slots = [(0, "ok"), (4 * 365 * 86400, "failed"), (30, "ok")]
    data = make_tape(tmp_path / "data", [(SLOT0 + s * S_US, outcome, [body(bitcoin=s + 1)] if outcome == "ok" else []) for s, outcome in slots],
                     "market")
    load(data, broker.url(), check=0)
    poll = json.loads(broker.kept()["geckotape/poll/market"])
    assert poll["outcome"] == "ok" and poll["slot"].startswith("2026-"), poll
    assert price(broker) == "31"


# ---- what breaks ----


def test_a_collector_that_is_killed_is_offline(broker, tmp_path):
    data = tape(tmp_path, [(0, body(bitcoin=1))])
    with following(data, broker.url()) as run:
        wait_for(lambda: broker.kept("geckotape/status").get("geckotape/status") == "online" and price(broker), what="a state")
        run.kill()
        wait_for(lambda: broker.kept("geckotape/status")["geckotape/status"] == "offline", what="the last will")
    with following(tape(tmp_path, [(1, body(bitcoin=2))]), broker.url()) as run:
        wait_for(lambda: price(broker) == "2", what="the newest state")
        assert broker.kept("geckotape/status")["geckotape/status"] == "online"
        assert run.stop() == 0
    assert broker.kept("geckotape/status")["geckotape/status"] == "stopped"


def test_a_will_of_another_one_is_contradicted(broker, tmp_path):
    data = tape(tmp_path, [(0, body(bitcoin=1))])
    with following(data, broker.url()) as run:
        wait_for(lambda: price(broker), what="a state")
        subprocess.run(["mosquitto_pub", *broker.access(), "-r", "-t", "geckotape/status", "-m", "offline"], check=True)
        wait_for(lambda: broker.kept("geckotape/status")["geckotape/status"] == "online", what="a contradiction")
        run.stop()


@pytest.mark.parametrize("keeps", [True, False])
def test_a_broker_that_restarts_has_it_all_again(tmp_path, keeps):
    data = tape(tmp_path, [(0, body(bitcoin=1, ethereum=2))])
    with Broker(keeps=keeps) as broker, following(data, broker.url()) as run:
        wait_for(lambda: price(broker), what="a state")
        broker.restart()
        wait_for(lambda: len(broker.kept()) == 6 and broker.kept()["geckotape/status"] == "online", what="it all again")
        kept = broker.kept()
        assert json.loads(kept["geckotape/ethereum/usd/state"])["current_price"] == 2 and len(configs(kept)) == 2
        tape(tmp_path, [(1, body(bitcoin=3))])
        wait_for(lambda: price(broker) == "3", what="what came after it")
        assert run.stop() == 0


def test_a_broker_that_is_away_holds_up_nobody(tmp_path):
    data = tape(tmp_path, [(0, body(bitcoin=1))])
    with Broker() as broker:
        broker.stop()
        with Running("load", "--from", f"tape:{data}", "--sink", broker.url(), "--sink", f"json:{tmp_path}/files", "--follow") as run:
            wait_for(lambda: list((tmp_path / "files" / "processed").glob("*")) if (tmp_path / "files").exists() else [], what="the other sink")
            run.expect("refused")
            tape(tmp_path, [(1, body(bitcoin=2))])
            wait_for(lambda: len(list((tmp_path / "files" / "processed").glob("*"))) == 2, what="the other sink")
            broker.start()
            wait_for(lambda: price(broker) == "2", what="the newest state")
            assert run.stop() == 0


def test_kills_lose_no_newest_state(broker, tmp_path):
    data = tape(tmp_path, [(0, body(bitcoin=0))])
    for i in range(1, 13):
        with following(data, broker.url()) as run:
            tape(tmp_path, [(i, body(bitcoin=i))])
            time.sleep(0.02 * i)
            run.process.send_signal(signal.SIGKILL)
            run.process.wait()
    load(data, broker.url(), check=0)
    assert price(broker) == "12"
    position = [line.split() for line in next(f for f in (data / "mqtt").iterdir() if f.suffix == "").read_text().splitlines()]
    assert [words[4] for words in position if words[0] == "stream"] == ["26"]  # a page and an end of each


def test_a_broker_that_hangs_is_given_up(broker, tmp_path):
    data = tape(tmp_path, [(0, body(bitcoin=1))])
    with following(data, broker.url()) as run:
        wait_for(lambda: price(broker), what="a state")
        broker.process.send_signal(signal.SIGSTOP)
        try:
            tape(tmp_path, [(1, body(bitcoin=2))])
            run.expect("the broker acknowledges nothing")
        finally:
            broker.process.send_signal(signal.SIGCONT)
        wait_for(lambda: price(broker) == "2", what="the newest state")
        assert run.stop() == 0


def test_a_damaged_position_is_named_and_can_be_deleted(broker, tmp_path):
    data = tape(tmp_path, [(0, body(bitcoin=1))])
    load(data, broker.url(), check=0)
    ledger = next(f for f in (data / "mqtt").iterdir() if f.suffix == "")
    whole = ledger.read_bytes()
    for damage in (b"", whole[:-5], whole.replace(b"stream ", b"strum "), whole + b"more\n"):
        ledger.write_bytes(damage)
        assert f"{ledger}: is damaged" in load(data, broker.url(), check=1).stderr
    ledger.unlink()
    load(data, broker.url(), check=0)
    assert ledger.read_bytes().splitlines()[1].split()[4] == whole.splitlines()[1].split()[4]


# ---- who is let in ----


def wrong(broker, data, why, **how):
    done = load(data, broker.url(**how), check=75)
    lines = [line for line in done.stderr.splitlines() if " records, " not in line]
    assert len(lines) == 1 and re.search(why, lines[0]), done.stderr
    for secret in (PASSWORD, ESCAPED, "wr0ng"):
        assert secret not in done.stdout + done.stderr
    return lines[0]


def test_users_and_their_passwords(tmp_path):
    data = tape(tmp_path, [(0, body(bitcoin=1))])
    with Broker(user="home") as broker:
        for version in (3, 5):
            wrong(broker, data, "does not let us in; see user and password.*user home", user="home:wr0ng", version=version)
            wrong(broker, data, "does not let us in; see user and password.*no user", user=None, version=version)
        load(data, broker.url(), check=0)
        (tmp_path / "secret").write_text(PASSWORD + "\n")
        load(data, broker.url(user="home", passfile=f"{tmp_path}/secret", version=3), check=0)
        assert price(broker) == "1"
        for file in (data / "mqtt").iterdir():
            assert PASSWORD not in file.read_text() and ESCAPED not in file.read_text()


def test_rules_that_forbid_are_named(tmp_path):
    data = tape(tmp_path, [(0, body(bitcoin=1))])
    with Broker(user="home", rules=["user home", "topic readwrite geckotape/#"]) as broker:
        wrong(broker, data, "does not take a message.*let user home write below geckotape and homeassistant")
        load(data, broker.url(discovery="off"), check=0)


def test_tls_by_a_ca_of_ones_own(tmp_path):
    data = tape(tmp_path, [(0, body(bitcoin=1))])
    with Broker(user="home", is_tls=True) as broker:
        wrong(broker, data, "TLS: .*certificate verify failed", cafile=f"{broker.dir}/other.crt")
        wrong(broker, data, "TLS: .*certificate verify failed", cafile=None)
        wrong(broker, data, "cafile, certfile or keyfile cannot be read", cafile=f"{broker.dir}/nosuch.crt")
        done = load(data, broker.url().replace("localhost", "127.0.0.1"), check=75)
        assert "TLS" in done.stderr, done.stderr
        done = load(data, broker.url(cafile=None).replace("mqtts:", "mqtt:"), check=75)
        assert "hung up before it let us in" in done.stderr, done.stderr
        load(data, broker.url(), check=0)
        assert price(broker) == "1"
        with following(data, broker.url()) as run:
            tape(tmp_path, [(1, body(bitcoin=2))])
            wait_for(lambda: price(broker) == "2", what="a state by TLS")
            assert run.stop() == 0


def test_doctor_looks_and_says_nothing(broker, tmp_path):
    done = gecko("doctor", "--simulate", "--sink", broker.url(), cwd=tmp_path)
    assert re.search(r"ok +sink: mqtt://localhost:\d+/geckotape.* opens", done.stdout), done.stdout
    assert not broker.kept()
    broker.stop()
    done = gecko("doctor", "--simulate", "--sink", broker.url(), cwd=tmp_path, check=1)
    assert re.search(r"FAIL +sink: mqtt://.*[Rr]efused", done.stdout), done.stdout
    broker.start()


REFUSED = {
    "mqtt://h/p": "coins names those to show",
    "mqtt://h/p%23?coins=a": "a prefix is",
    "mqtt://h/$SYS?coins=a": "a prefix is",
    "mqtt://u:a/b@h/p?coins=a": "write %2F for / in a password",
    "mqtt://h:99999/p?coins=a": "a port is 1 to 65535",
    "mqtt:///p?coins=a": "names no host",
    "mqtt://h/p?coins=a&qos=3": "qos is 0 to 2",
    "mqtt://h/p?coins=a&cafile=x": "are for mqtts:",
    "mqtts://h/p?coins=a&certfile=x": "go together",
    "mqtt://h/p?coins=a&passfile=x": "passfile needs a user",
    "mqtt://h/p?coins=a&discovery=x/%2B": "discovery is off",
}


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_that_cannot_be_meant_is_refused_before_anything_starts(url, tmp_path):
    done = gecko("check", "--sink", url, cwd=tmp_path, check=78)
    assert REFUSED[url] in done.stderr and "a/b" not in done.stderr, done.stderr
