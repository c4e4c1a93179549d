# SPDX-License-Identifier: Apache-2.0
"""The Azure store against Azurite: keys, signatures, tokens, conditions, blocks; faults by a proxy in front of it."""
import datetime
import http.server
import json
import threading
import urllib.parse

import pytest
from azurite import ACCOUNT, KEY, Azurite, install
from http_faults import FaultProxy, changed, changed_on_the_way, cut, failed, failed_after, fine, lost_after, lost_before
from objects import AGAIN, FATAL, OK, REJECT, Store, check_all, some_bytes

PART = 5000


@pytest.fixture(scope="module", name="azurite")
def azurite_fixture():
    program, reason = install()
    if program is None:
        pytest.skip(reason)
    with Azurite(program, ("container", "other")) as azurite:
        yield azurite


@pytest.fixture(name="proxy")
def proxy_fixture(azurite):
    with FaultProxy(azurite.port) as proxy:
        yield proxy


N = iter(range(1000))


def fresh(proxy, container="container"):
    return f"az://{ACCOUNT}/{container}/p{next(N)}?endpoint=http://127.0.0.1:{proxy.port}/{ACCOUNT}"


@pytest.fixture(name="store")
def store_fixture(proxy):
    with Store(fresh(proxy), {"AZURE_STORAGE_KEY": KEY}, part=PART) as store:
        yield store


def test_what_every_store_does_by_key(store):
    check_all(store, PART)


def test_what_every_store_does_by_signature(azurite, proxy):
    with Store(fresh(proxy), {"AZURE_STORAGE_SAS_TOKEN": "?" + azurite.sas()}, part=PART) as store:
        check_all(store, PART)


def test_connection_strings(azurite):
    for secret in (f"AccountKey={KEY}", f"SharedAccessSignature={azurite.sas()}"):
        env = {"AZURE_STORAGE_CONNECTION_STRING": f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};{secret};BlobEndpoint={azurite.url};"}
        with Store(f"az://{ACCOUNT}/container/c{next(N)}", env) as store:
            assert store.put("x", b"1").st == OK
            assert store.list() == ["x"]
    store = Store("az://another/container", env)
    assert store.opened.st == FATAL
    assert f"of the account {ACCOUNT}" in store.opened.error
    store.__exit__()


def test_lists_of_several_pages_and_of_no_prefix(azurite):
    def pages_of_three(handler): # of 5000 otherwise
        return handler.path + ("&maxresults=3" if "comp=list" in handler.path else "")

    with FaultProxy(azurite.port, pages_of_three) as proxy:
        url = f"az://{ACCOUNT}/other?endpoint=http://127.0.0.1:{proxy.port}/{ACCOUNT}"
        with Store(url, {"AZURE_STORAGE_SAS_TOKEN": azurite.sas()}) as store:
            names = [f"n/{i:02}" for i in range(10)]
            for name in names:
                assert store.put(name, b"").st == OK
            assert store.list() == names
            assert store.list(after="n/05") == names[6:]
            assert store.list(most=4) == names[:4]
    assert sum("marker=" in entry for entry in proxy.log) >= 3 + 3 + 1


# failures by their names

@pytest.mark.parametrize("env, says", [
    ({"AZURE_STORAGE_KEY": "d3Jvbmc="}, "wrong credentials"),
    ({"AZURE_STORAGE_SAS_TOKEN": "sv=2021-12-02&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00%3A00%3A00Z&sig=d3Jvbmc%3D"}, "wrong credentials"),
])
def test_wrong_credentials_are_named_and_not_tried_again(proxy, env, says):
    with Store(fresh(proxy), env) as store:
        answer = store.put("x", b"1")
    assert answer.st == FATAL
    assert says in answer.error
    assert "d3Jvbmc" not in answer.error
    assert len(proxy.log) == 1


@pytest.mark.parametrize("env, says", [
    ({"AZURE_STORAGE_KEY": "not base 64!"}, "base64"),
    ({"AZURE_STORAGE_SAS_TOKEN": "sv=2021"}, "sig="),
    ({"AZURE_STORAGE_CONNECTION_STRING": "AccountName=someaccount"}, "no key"),
])
def test_credentials_that_are_none(proxy, env, says):
    store = Store(fresh(proxy), env)
    assert store.opened.st == FATAL
    assert says in store.opened.error
    store.__exit__()


@pytest.mark.parametrize("verb", ["put", "get", "stat", "list"])
def test_a_container_that_is_not_there(proxy, verb):
    with Store(fresh(proxy, "missing"), {"AZURE_STORAGE_KEY": KEY}) as store:
        answer = store.put("x", b"1") if verb == "put" else store.ask("list", "", "", 0) if verb == "list" else getattr(store, verb)("x")
    assert answer.st == FATAL
    assert "no such container" in answer.error


@pytest.mark.parametrize("url, says", [
    ("az:account/container", "az://ACCOUNT/CONTAINER"),
    ("az://Account/container", "no account's name"),
    ("az://account", "no container's name"),
    ("az://account/con_tainer", "no container's name"),
    ("abfss://container@account/x", "abfss://CONTAINER@ACCOUNT"),
    ("az://account/container/a/../b", "no prefix"),
])
def test_urls_that_are_none(url, says):
    store = Store(url, {"AZURE_STORAGE_KEY": KEY})
    assert store.opened.st == REJECT
    assert says in store.opened.error
    store.__exit__()


def test_the_other_way_to_write_a_place(azurite):
    url = f"abfss://container@{ACCOUNT}.dfs.core.windows.net/abfss?endpoint={azurite.url}"
    with Store(url, {"AZURE_STORAGE_KEY": KEY}) as store:
        assert store.put("x", b"1").st == OK
    with Store(f"az://{ACCOUNT}/container/abfss?endpoint={azurite.url}", {"AZURE_STORAGE_KEY": KEY}) as store:
        assert store.list() == ["x"]


def test_a_signature_is_not_sent_without_tls():
    with Store(f"az://{ACCOUNT}/container?endpoint=http://example.org", {"AZURE_STORAGE_SAS_TOKEN": "sig=x"}) as store:
        answer = store.put("x", b"1")
    assert answer.st == FATAL
    assert "without TLS" in answer.error


# what is tried again, and what is known afterwards

@pytest.mark.parametrize("fault", [failed(503, "ServerBusy"), failed(500, "InternalError"), failed(429), failed(504), lost_before, lost_after])
@pytest.mark.parametrize("verb", ["put", "get", "stat", "list", "delete", "range"])
def test_a_failure_that_passes(proxy, store, verb, fault):
    store.put("x", b"12345")
    proxy.faults = [fault, fault]
    if verb == "list":
        assert store.list() == ["x"]
        return
    answer = store.put("x", b"new") if verb == "put" else store.range("x", 1, 2) if verb == "range" else getattr(store, verb)("x")
    assert (answer.st, answer.unknown) == (OK, False), answer.error
    if verb == "put":
        assert store.get("x").content == b"new"


@pytest.mark.parametrize("fault", [lost_after, failed_after(500, "InternalError")])
def test_a_put_if_absent_that_meets_itself_is_unknown(proxy, store, fault):
    proxy.faults = [fault]
    answer = store.put("x", b"1", "absent")
    assert (answer.st, answer.refused, answer.unknown) == (OK, True, True)
    assert store.get("x").content == b"1"


def test_a_put_if_absent_that_was_throttled_and_then_refused_is_known(proxy, store):
    store.put("x", b"0")
    proxy.faults = [failed(503, "ServerBusy")]
    answer = store.put("x", b"1", "absent")
    assert (answer.st, answer.refused, answer.unknown) == (OK, True, False)


@pytest.mark.parametrize("at", range(1, 5))
def test_an_upload_lost_at_each_of_its_requests(proxy, store, at):
    """three blocks, the list"""
    content = some_bytes(3 * PART)
    proxy.faults = [fine] * (at - 1) + [lost_after]
    answer = store.upload("u", content, "absent")
    assert answer.st == OK, answer.error
    assert (answer.refused, answer.unknown) == ((False, False) if at < 4 else (True, True))
    assert store.get("u").content == content


@pytest.mark.parametrize("at", range(1, 5))
def test_an_upload_that_cannot_go_on_is_not_to_be_seen(proxy, store, at):
    proxy.faults = [fine] * (at - 1) + [failed(403, "AuthorizationPermissionMismatch")]
    answer = store.upload("u", some_bytes(3 * PART), "absent")
    assert (answer.st, answer.unknown) == (FATAL, False)
    assert "Storage Blob Data Contributor" in answer.error
    assert store.stat("u").there is False
    assert store.list() == []


def test_two_uploads_to_one_name_do_not_mix(proxy, azurite):
    url = fresh(proxy)
    with Store(url, {"AZURE_STORAGE_KEY": KEY}, part=PART) as one, Store(url, {"AZURE_STORAGE_KEY": KEY}, part=PART) as two:
        first, second = b"1" * (3 * PART), b"2" * (3 * PART)
        answers = []
        proxy.faults = [fine] * 3 + [lambda handler: (answers.append(two.upload("u", second, "absent")), fine(handler))]
        answers.append(one.upload("u", first, "absent"))
        inner, outer = answers
        assert (inner.st, inner.refused) == (OK, False)
        assert outer.refused or outer.st == AGAIN
        assert two.get("u").content == second


@pytest.mark.parametrize("size", [10, 3 * PART])
def test_a_changed_body_is_fetched_again(proxy, store, size):
    content = some_bytes(size)
    store.upload("x", content)
    proxy.faults = [changed]
    assert store.get("x").content == content
    proxy.faults = [changed]
    assert store.range("x", 2, 5).content == content[2:7]
    proxy.faults = [changed] * 3
    answer = store.get("x")
    assert answer.st == AGAIN
    assert "checksum" in answer.error


def test_a_body_that_is_changed_on_the_way_is_not_taken(proxy, store):
    proxy.faults = [changed_on_the_way]
    answer = store.put("x", b"12345")
    assert answer.st == REJECT  # Azurite has a name of its own for it
    assert "MD5" in answer.error
    assert store.stat("x").there is False
    proxy.faults = [changed_on_the_way]
    assert store.upload("u", some_bytes(2 * PART)).st == REJECT
    assert store.stat("u").there is False


def test_a_checksum_that_the_store_finds_wrong_is_sent_again(proxy, store):
    proxy.faults = [failed(400, "Md5Mismatch")]
    answer = store.put("x", b"12345", "absent")
    assert (answer.st, answer.refused, answer.unknown) == (OK, False, False)


@pytest.mark.parametrize("n", [0, 1, 4])
def test_a_cut_body_is_fetched_again(proxy, store, n):
    store.put("x", b"12345")
    proxy.faults = [cut(n)] * 2
    assert store.get("x").content == b"12345"


# tokens

class Giver:
    """Who gives tokens: a machine's metadata, App Service, Entra ID."""

    def __init__(self):
        self.log, self.n, self.lifetime, self.is_down = [], 0, 3600, False
        giver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                giver.log.append(self.path)
                good = giver.is_good(self.command, self.path, self.headers, body) and not giver.is_down
                giver.n += good
                self.send_response(200 if good else 400)
                self.end_headers()
                self.wfile.write(json.dumps({"access_token": f"token-{giver.n}", **giver.end(self.path)} if good else {}).encode())

            do_GET = do_POST = handle_any

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def end(self, path):
        """As each of them says it."""
        if path.startswith("/msi"):
            return {"expires_on": str(int(datetime.datetime.now().timestamp()) + self.lifetime)}
        return {"expires_in": str(self.lifetime) if path.startswith("/metadata") else self.lifetime}

    @staticmethod
    def is_good(method, path, headers, body):
        where, _, query = path.partition("?")
        query, form = dict(urllib.parse.parse_qsl(query)), dict(urllib.parse.parse_qsl(body))
        if where == "/metadata/identity/oauth2/token":
            return headers["Metadata"] == "true" and query == {
                "api-version": "2018-02-01", "resource": "https://storage.azure.com/", "client_id": "some-client"}
        if where == "/msi":
            return headers["X-IDENTITY-HEADER"] == "some-header" and query["resource"] == "https://storage.azure.com/"
        proof = form.get("client_secret") == "some+secret" or (
            form.get("client_assertion") == "web-token" and
            form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
        return (method, where) == ("POST", "/some-tenant/oauth2/v2.0/token") and proof and \
            (form["client_id"], form["scope"], form["grant_type"]) == ("some-client", "https://storage.azure.com/.default", "client_credentials")


@pytest.fixture(name="giver")
def giver_fixture():
    giver = Giver()
    yield giver
    giver.http.shutdown()
    giver.http.server_close()


@pytest.fixture(name="by_token")
def by_token_fixture(azurite, giver):
    """In front of Azurite, which knows no tokens of ours: a signature in the place of a good one."""
    valid = set(range(1, 100))

    def rewrite(handler):
        kind, _, token = handler.headers["Authorization"].partition(" ")
        assert kind == "Bearer"
        if int(token.removeprefix("token-")) not in valid:
            raise PermissionError(401, "InvalidAuthenticationInfo")
        del handler.headers["Authorization"]
        return handler.path + ("&" if "?" in handler.path else "?") + azurite.sas()

    with FaultProxy(azurite.port, rewrite) as proxy:
        proxy.valid = valid
        yield proxy


def env_of(giver, kind, path):
    path.write_text("web-token\n")
    return {"machine": {"AZURE_POD_IDENTITY_AUTHORITY_HOST": giver.url, "AZURE_CLIENT_ID": "some-client"},
            "service": {"IDENTITY_ENDPOINT": giver.url + "/msi", "IDENTITY_HEADER": "some-header"},
            "secret": {"AZURE_AUTHORITY_HOST": giver.url, "AZURE_TENANT_ID": "some-tenant", "AZURE_CLIENT_ID": "some-client",
                       "AZURE_CLIENT_SECRET": "some+secret"},
            "cluster": {"AZURE_AUTHORITY_HOST": giver.url + "/", "AZURE_TENANT_ID": "some-tenant", "AZURE_CLIENT_ID": "some-client",
                        "AZURE_FEDERATED_TOKEN_FILE": str(path)}}[kind]


KINDS = ["machine", "service", "secret", "cluster"]


@pytest.mark.parametrize("kind", KINDS)
def test_tokens(giver, by_token, tmp_path, kind):
    with Store(fresh(by_token), env_of(giver, kind, tmp_path / "token"), part=PART) as store:
        check_all(store, PART)
    assert len(giver.log) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_are_fetched_anew(giver, by_token, tmp_path, kind):
    giver.lifetime = 200  # less than five minutes
    with Store(fresh(by_token), env_of(giver, kind, tmp_path / "token")) as store:
        assert store.put("x", b"1").st == OK
        assert store.put("x", b"1").st == OK
        assert giver.n == 2
        giver.is_down = True  # the last one lasts for some minutes more
        assert store.put("x", b"1").st == OK
        giver.is_down = False
        giver.lifetime = 3600
        by_token.valid.clear()
        by_token.valid.add(3)
        assert store.put("x", b"1").st == OK  # called outdated, before it is
        by_token.valid.clear()
        answer = store.put("x", b"1")
        assert answer.st == FATAL
        assert "the token" in answer.error


def test_no_credentials(proxy, giver):
    giver.is_down = True
    with Store(fresh(proxy), {"AZURE_POD_IDENTITY_AUTHORITY_HOST": giver.url}) as store:
        answer = store.put("x", b"1")
    assert answer.st == FATAL
    assert "AZURE_STORAGE_KEY" in answer.error
    assert proxy.log == []
