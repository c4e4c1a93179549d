# SPDX-License-Identifier: Apache-2.0
"""The S3 store against a strict server: signatures, conditions, every failure by its name, what is tried again, what is told of lost answers."""
import datetime
import http.server
import json
import threading
import urllib.parse

import pytest
from objects import AGAIN, FATAL, OK, REJECT, Store, check_all, some_bytes
from s3_server import (KEY, REGION, SECRET, S3Server, bare, changed, cut, failed_after, fine, late_error, lost_after, lost_before, refused)

PART = 5000


@pytest.fixture(name="s3")
def s3_fixture():
    with S3Server() as server:
        yield server


@pytest.fixture(name="store")
def store_fixture(s3):
    with Store(s3.url(), s3.env(), part=PART) as store:
        yield store


def test_what_every_store_does(store):
    check_all(store, PART)


def test_buckets_as_hosts(s3):
    with Store(s3.url(style="virtual", host="localhost"), s3.env(), part=PART) as store:
        check_all(store, PART)
    assert all(entry.split()[1].startswith(("/some/prefix/", "/?")) for entry in s3.log)


def test_googles_signature_and_generations():
    with S3Server(google=True) as server, Store(server.url(signature="google"), server.env(), part=PART) as store:
        check_all(store, PART)


def test_no_prefix(s3):
    with Store(s3.url(prefix=""), s3.env()) as store:
        store.put("a", b"1")
        store.put("b/c", b"2")
        assert store.list() == ["a", "b/c"]
    assert list(s3.objects["bucket"]) == ["a", "b/c"]


def test_what_others_put_there_is_left_out_of_lists(s3, store):
    store.put("a/b", b"1")
    objects = s3.objects["bucket"]
    for key in ("some/prefix/a/", "some/prefix//x", "some/prefix/a/../b", "some/prefixed", "other"):
        objects[key] = objects["some/prefix/a/b"]
    assert store.list() == ["a/b"]


# names for failures

@pytest.mark.parametrize("env, says", [
    ({"AWS_ACCESS_KEY_ID": "nobody"}, "does not know the access key"),
    ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, "the secret does not fit"),
    ({"AWS_SESSION_TOKEN": "some-token"}, "session token"),
])
def test_wrong_credentials_are_named_and_not_tried_again(s3, env, says):
    with Store(s3.url(), {**s3.env(), **env}) as store:
        answer = store.put("x", b"1")
        assert answer.st == FATAL
        assert says in answer.error
        assert len(s3.log) == 1
        assert SECRET not in answer.error and "wrong-secret" not in answer.error and "some-token" not in answer.error


def test_no_credentials(s3):
    with Store(s3.url(), {}) as store:
        answer = store.put("x", b"1")
    assert answer.st == FATAL
    assert "AWS_ACCESS_KEY_ID" in answer.error
    assert s3.log == []


def test_half_of_the_credentials(s3):
    with Store(s3.url(), {"AWS_ACCESS_KEY_ID": KEY}) as store:
        assert "AWS_SECRET_ACCESS_KEY is not" in store.put("x", b"1").error


@pytest.mark.parametrize("verb", ["put", "get", "stat", "delete"])
def test_a_bucket_that_is_not_there(s3, verb):
    with Store(s3.url("bucked"), s3.env()) as store:
        answer = store.put("x", b"1") if verb == "put" else getattr(store, verb)("x")
    assert answer.st == FATAL
    assert "no such bucket" in answer.error


def test_another_region_is_told(s3):
    with Store(s3.url(region="us-west-9"), s3.env()) as store:
        answer = store.get("x")
        assert answer.st == FATAL
        assert f"write region={REGION}" in answer.error
        s3.faults = [refused(301, "PermanentRedirect", {"x-amz-bucket-region": "ap-south-7"})]
        assert "write region=ap-south-7" in store.stat("x").error


def test_a_redirect_is_named_and_not_followed(s3, store):
    s3.faults = [bare(307, headers={"Location": "http://127.0.0.1:1/elsewhere"})]
    answer = store.get("x")
    assert answer.st == FATAL
    assert "redirects to http://127.0.0.1:1/elsewhere" in answer.error
    assert len(s3.log) == 1


def test_a_clock_that_is_wrong(s3, store):
    s3.clock_offset = datetime.timedelta(hours=1)
    answer = store.put("x", b"1")
    assert answer.st == FATAL
    assert "clock" in answer.error
    assert len(s3.log) == 1


def test_what_the_credentials_may_not(s3, store):
    s3.faults = [refused(403, "AccessDenied")]
    answer = store.put("x", b"1")
    assert (answer.st, answer.unknown) == (FATAL, False)
    assert "may not do that" in answer.error
    assert len(s3.log) == 1


def test_nobody_is_there():
    with Store("s3://bucket/x?endpoint=http://127.0.0.1:1", {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}) as store:
        answer = store.put("x", b"1", "absent")
    assert (answer.st, answer.unknown) == (AGAIN, False)
    assert "127.0.0.1 port 1" in answer.error


@pytest.mark.parametrize("url, says", [
    ("s3:bucket", "s3://BUCKET/PREFIX"),
    ("s3://ab", "no bucket's name"),
    ("s3://a bucket/x", "no bucket's name"),
    ("s3://bucket/a/../b", "no prefix"),
    ("s3://bucket/x?colour=red", "no option"),
    ("s3://bucket/x?endpoint=localhost:9000", "https://HOST"),
    ("s3://bucket/x?endpoint=http://user@host", "https://HOST"),
    ("s3://bucket/x?style=hosts", "auto, path or virtual"),
    ("s3://bucket/x?signature=4", "aws or google"),
])
def test_urls_that_are_none(url, says):
    store = Store(url)
    assert store.opened.st == REJECT
    assert says in store.opened.error
    store.__exit__()


# what is tried again

CODED = [refused(400, "RequestTimeout"), refused(409, "ConditionalRequestConflict")]  # told from others by their code alone


@pytest.mark.parametrize("fault", [
    refused(503, "SlowDown"), refused(429, "TooManyRequests"), refused(500, "InternalError"), refused(502, "BadGateway"),
    bare(504, b"<html>gateway</html>"), *CODED, lost_before, lost_after,
])
@pytest.mark.parametrize("verb", ["put", "get", "stat", "list", "delete", "range"])
def test_a_failure_that_passes(s3, store, verb, fault):
    store.put("x", b"12345")
    del s3.log[:]
    s3.faults = [fault, fault]
    if verb == "stat" and fault in CODED:
        pytest.skip("an answer to HEAD has no code")
    if verb == "put":
        answer = store.put("x", b"new")
        assert s3.content("x") == b"new"
    elif verb == "list":
        assert store.list() == ["x"]
        answer = None
    elif verb == "range":
        answer = store.range("x", 1, 2)
        assert answer.content == b"23"
    else:
        answer = getattr(store, verb)("x")
        assert verb == "delete" or answer.there
    assert answer is None or (answer.st, answer.unknown) == (OK, False), answer.error
    assert len(s3.log) >= 3


def test_a_throttle_that_lasts_is_named(s3, store):
    s3.faults = [refused(503, "SlowDown")] * 10
    answer = store.put("x", b"1", "absent")
    assert (answer.st, answer.unknown) == (AGAIN, False)
    assert "throttles after 4 tries" in answer.error
    assert len(s3.log) == 4


def test_retry_after_is_heeded(s3, store):
    s3.faults = [refused(503, "SlowDown", {"Retry-After": "1"})]
    begin = datetime.datetime.now()
    assert store.put("x", b"1").st == OK
    assert (datetime.datetime.now() - begin).total_seconds() >= 0.5  # at least the half of it


@pytest.mark.parametrize("status", [400, 403, 405, 501])
def test_what_is_never_tried_again(s3, store, status):
    s3.faults = [refused(status, "Whatever")] * 3
    answer = store.put("x", b"1")
    assert answer.st in (REJECT, FATAL)
    assert str(status) in answer.error
    assert len(s3.log) == 1


# conditional writes whose answers are lost

@pytest.mark.parametrize("fault", [lost_after, failed_after(500)])
def test_a_put_if_absent_that_meets_itself_is_unknown(s3, store, fault):
    s3.faults = [fault]
    answer = store.put("x", b"1", "absent")
    assert (answer.st, answer.refused, answer.unknown) == (OK, True, True)
    assert s3.content("x") == b"1"


def test_a_put_if_absent_whose_answers_are_all_lost_is_unknown(s3, store):
    s3.faults = [lost_after] * 4
    answer = store.put("x", b"1", "absent")
    assert (answer.st, answer.unknown) == (AGAIN, True)


@pytest.mark.parametrize("fault", [lost_before, refused(500, "InternalError")])
def test_a_put_if_absent_that_was_not_heeded_is_known_after_the_next_try(s3, store, fault):
    s3.faults = [fault]
    answer = store.put("x", b"1", "absent")
    assert (answer.st, answer.refused, answer.unknown) == (OK, False, False)


def test_a_put_if_absent_that_was_throttled_and_then_refused_is_known(s3, store):
    store.put("x", b"0")
    s3.faults = [refused(503, "SlowDown")]
    answer = store.put("x", b"1", "absent")
    assert (answer.st, answer.refused, answer.unknown) == (OK, True, False)


def test_a_conditional_put_is_not_sent_twice_behind_our_back(s3, store):
    """libcurl does that by itself when a connection that it kept turns out to be dead."""
    store.put("warm", b"1")
    s3.faults = [lost_after]
    answer = store.put("x", b"1", "absent")
    assert answer.unknown is True
    assert s3.methods().count("PUT") == 3  # warm, the lost one, ours that met it


@pytest.mark.parametrize("at", range(1, 6))
def test_an_upload_lost_at_each_of_its_requests(s3, store, at):
    """begin, three parts, the end"""
    content = some_bytes(3 * PART)
    s3.faults = [fine] * (at - 1) + [lost_after]
    answer = store.upload("u", content, "absent", chunk=700)
    if at < 5:
        assert (answer.st, answer.refused, answer.unknown) == (OK, False, False), answer.error
    else: # the parts are gone: it may have become the object
        assert (answer.st, answer.unknown) == (AGAIN, True), answer.error
    assert s3.content("u") == content


@pytest.mark.parametrize("at", range(1, 6))
def test_an_upload_that_cannot_go_on_leaves_nothing(s3, store, at):
    s3.faults = [fine] * (at - 1) + [refused(403, "AccessDenied")]
    answer = store.upload("u", some_bytes(3 * PART), "absent", chunk=700)
    assert (answer.st, answer.unknown) == (FATAL, False), answer.error
    assert s3.content("u") is None
    assert not s3.uploads


def test_an_upload_that_fails_behind_its_200(s3, store):
    s3.faults = [fine] * 4 + [late_error]
    content = some_bytes(3 * PART)
    answer = store.upload("u", content, "absent")
    assert (answer.st, answer.refused, answer.unknown) == (OK, False, False), answer.error
    assert s3.content("u") == content


def test_an_upload_that_is_refused_leaves_no_parts(s3, store):
    store.put("u", b"1")
    assert store.upload("u", some_bytes(3 * PART), "absent").refused is True
    assert not s3.uploads


# bytes that are not what they were

def test_a_changed_body_is_fetched_again(s3, store):
    store.put("x", b"0123456789")
    s3.faults = [changed]
    assert store.get("x").content == b"0123456789"
    s3.faults = [changed] * 3
    answer = store.get("x")
    assert answer.st == AGAIN
    assert "checksum" in answer.error


@pytest.mark.parametrize("n", [0, 1, 9])
def test_a_cut_body_is_fetched_again(s3, store, n):
    store.put("x", b"0123456789")
    s3.faults = [cut(n)] * 2
    assert store.get("x").content == b"0123456789"


def test_a_checksum_that_the_store_finds_wrong_is_sent_again(s3, store):
    s3.faults = [refused(400, "BadDigest"), refused(400, "XAmzContentSHA256Mismatch")]
    assert store.put("x", b"1").st == OK
    s3.faults = [refused(400, "BadDigest")] * 4
    answer = store.put("x", b"1", "absent")
    assert (answer.st, answer.unknown) == (AGAIN, False)
    assert "BadDigest" in answer.error


def test_another_range_than_asked_for(s3, store):
    store.put("x", b"0123456789")
    s3.faults = [bare(206, b"123", {"Content-Range": "bytes 1-3/10"})]
    answer = store.range("x", 5, 3)
    assert answer.st == AGAIN
    assert "another range" in answer.error
    s3.faults = [bare(200, b"0123456789")]  # knows no ranges
    assert store.range("x", 5, 3).content == b"567"


@pytest.mark.parametrize("body", [
    b"", b"<html>", b"<ListBucketResult>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><ListBucketResult/>", b"<a>" * 100,
    b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    b"<ListBucketResult><Contents><Key>some/prefix/a</Key><Size>many</Size></Contents></ListBucketResult>",
])
def test_a_list_that_is_none(s3, store, body):
    s3.faults = [bare(200, body)]
    answer = store.ask("list", "", "", 0)
    assert answer.st in (AGAIN, REJECT)
    assert answer.names == []


def test_a_list_that_goes_round_in_circles(s3, store):
    page = (b"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>")
    s3.faults = [bare(200, page)] * 10
    answer = store.ask("list", "", "", 0)
    assert answer.st == AGAIN
    assert len(s3.log) == 2


# credentials

class Giver:
    """Who gives credentials to machines: instance metadata, a container's endpoint, STS."""

    def __init__(self, keys):
        self.keys, self.log, self.lifetime, self.is_down = keys, [], 3600, False
        giver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                giver.log.append(f"{self.command} {self.path}")
                try:
                    status, text = (500, "down") if giver.is_down else (200, giver.answer(self.command, self.path, self.headers, body))
                except PermissionError as error:
                    status, text = 401, str(error)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_PUT = do_POST = handle_any

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.http.shutdown()
        self.http.server_close()

    def fields(self, token):
        ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.lifetime)
        key, secret, session = self.keys[0]
        return {"AccessKeyId": key, "SecretAccessKey": secret, token: session, "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}

    def answer(self, method, path, headers, body):
        roles = "/latest/meta-data/iam/security-credentials/"
        if (method, path) == ("PUT", "/latest/api/token"):
            assert 1 <= int(headers["x-aws-ec2-metadata-token-ttl-seconds"]) <= 21600
            return "metadata-token"
        if path.startswith(roles):
            if headers["x-aws-ec2-metadata-token"] != "metadata-token":
                raise PermissionError("IMDSv1")
            return "some-role\n" if path == roles else json.dumps({"Code": "Success", "Nested": {"AccessKeyId": "x"}, **self.fields("Token")})
        if path == "/container":
            if headers["Authorization"] != "container-token":
                raise PermissionError("no token")
            return json.dumps(self.fields("Token"))
        assert (method, path) == ("POST", "/")
        form = dict(urllib.parse.parse_qsl(body))
        assert form["Action"] == "AssumeRoleWithWebIdentity" and form["RoleArn"] == "arn:aws:iam::1:role/r" and form["RoleSessionName"]
        if form["WebIdentityToken"] != "web-token":
            raise PermissionError("no token")
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in self.fields("SessionToken").items())
        return ("<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult>"
                f"<Credentials>{inner}</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>")


@pytest.fixture(name="giver")
def giver_fixture(s3):
    keys = [("key1", "secret1", "session1"), ("key2", "secret2", "session2")]
    s3.keys = {key: (secret, session) for key, secret, session in keys}
    with Giver(keys) as giver:
        yield giver


def env_of(giver, kind, path):
    path.write_text("web-token\n" if kind == "web" else "container-token\n")
    return {"instance": {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": giver.url},
            "container": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": giver.url + "/container", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(path)},
            "web": {"AWS_WEB_IDENTITY_TOKEN_FILE": str(path), "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
                    "AWS_ENDPOINT_URL_STS": giver.url + "/"}}[kind]


KINDS = ["instance", "container", "web"]


@pytest.mark.parametrize("kind", KINDS)
def test_credentials_of_machines(s3, giver, tmp_path, kind):
    with Store(s3.url(), env_of(giver, kind, tmp_path / "token")) as store:
        assert store.put("x", b"1").st == OK
        n = len(giver.log)
        assert store.put("y", b"1").st == OK
        assert len(giver.log) == n  # they last


@pytest.mark.parametrize("kind", KINDS)
def test_credentials_are_fetched_anew_before_they_run_out(s3, giver, tmp_path, kind):
    giver.lifetime = 200  # less than five minutes
    with Store(s3.url(), env_of(giver, kind, tmp_path / "token")) as store:
        assert store.put("x", b"1").st == OK
        n = len(giver.log)
        del s3.keys["key1"]
        giver.keys = giver.keys[1:]
        assert store.put("y", b"1").st == OK
        assert len(giver.log) == 2 * n


@pytest.mark.parametrize("kind", KINDS)
def test_credentials_that_last_outlive_who_gives_them(s3, giver, tmp_path, kind):
    giver.lifetime = 200
    with Store(s3.url(), env_of(giver, kind, tmp_path / "token")) as store:
        assert store.put("x", b"1").st == OK
        giver.is_down = True
        assert store.put("y", b"1").st == OK
        n = len(giver.log)
        assert store.put("y", b"1").st == OK
        assert len(giver.log) == n  # nor is it asked for each request


@pytest.mark.parametrize("kind", KINDS)
def test_credentials_that_the_store_calls_outdated_are_fetched_anew_once(s3, giver, tmp_path, kind):
    with Store(s3.url(), env_of(giver, kind, tmp_path / "token")) as store:
        assert store.put("x", b"1").st == OK
        s3.expired.add("session1")
        giver.keys = giver.keys[1:]
        answer = store.put("y", b"1", "absent")
        assert (answer.st, answer.refused, answer.unknown) == (OK, False, False)
        s3.expired.add("session2")
        answer = store.put("z", b"1")
        assert answer.st == FATAL
        assert "run out" in answer.error


@pytest.mark.parametrize("kind", KINDS)
def test_who_gives_credentials_refuses(s3, giver, tmp_path, kind):
    env = env_of(giver, kind, tmp_path / "token")
    (tmp_path / "token").write_text("wrong")
    giver.is_down = kind == "instance"
    with Store(s3.url(), env) as store:
        answer = store.put("x", b"1")
    assert answer.st in (AGAIN, FATAL)
    assert {"instance": "instance metadata", "container": "container", "web": "STS"}[kind] in answer.error
    assert "wrong" not in answer.error
    assert s3.log == []


def test_a_containers_token_is_not_sent_to_just_anybody(s3):
    env = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.org/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret-token"}
    with Store(s3.url(), env) as store:
        answer = store.put("x", b"1")
    assert answer.st == FATAL
    assert "not https://" in answer.error


CREDENTIALS = f"""# a comment
[other]
aws_access_key_id = nobody
aws_secret_access_key = wrong
[ default ]
aws_access_key_id={KEY}
aws_secret_access_key =   {SECRET}
[token]
aws_access_key_id=key9
aws_secret_access_key=secret9
aws_session_token=session9
"""
CONFIG = f"""[default]
region = {REGION}
s3 =
    region = nonsense
[profile sso]
sso_session = x
region = {REGION}
[profile keys]
aws_access_key_id={KEY}
aws_secret_access_key={SECRET}
region = {REGION}
"""


@pytest.mark.parametrize("profile, wanted", [(None, OK), ("token", OK), ("keys", OK), ("other", FATAL), ("sso", FATAL), ("nobody", FATAL)])
@pytest.mark.parametrize("way", ["option", "environment"])
def test_profiles_of_the_shared_files(s3, tmp_path, profile, wanted, way):
    s3.keys["key9"] = ("secret9", "session9")
    s3.is_checking_region = profile in (None, "keys")
    (tmp_path / "credentials").write_text(CREDENTIALS)
    (tmp_path / "config").write_text(CONFIG)
    env = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_CONFIG_FILE": str(tmp_path / "config")}
    url = s3.url().replace(f"&region={REGION}", "")
    if profile and way == "environment":
        env["AWS_PROFILE"] = profile
    elif profile:
        url += f"&profile={profile}"
    with Store(url, env) as store:
        answer = store.put("x", b"1")
    assert answer.st == wanted, answer.error
    if profile == "sso":
        assert "sso_session" in answer.error


def test_files_where_they_are_usually(s3, tmp_path):
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(CREDENTIALS)
    with Store(s3.url(), {"HOME": str(tmp_path)}) as store:
        assert store.put("x", b"1").st == OK


def test_an_endpoint_of_the_environment(s3):
    env = {**s3.env(), "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3.port}", "AWS_REGION": REGION}
    with Store("s3://bucket", env) as store:
        assert store.put("x", b"1").st == OK
