# SPDX-License-Identifier: Apache-2.0
"""A small, strict S3 server of the tests' own: it verifies signatures (version 4), payload hashes, checksums and conditions, and fails
where it is told.

None of npm's has conditional writes (s3rver 3.7 looks at If-None-Match in GET only), and none looks at signatures as closely.
"""
import base64
import collections
import contextlib
import datetime
import hashlib
import hmac
import http.server
import socket
import threading
import urllib.parse
from xml.sax.saxutils import escape

KEY, SECRET, REGION = "testaccess", "testsecret/+123", "eu-test-1"


def quote(text, safe="-._~"):
    return urllib.parse.quote(text, safe=safe)


class Refusal(Exception):
    def __init__(self, status, code, text="no", headers=None, **more):
        super().__init__(code)
        self.status, self.code, self.text, self.headers, self.more = status, code, text, headers or {}, more


class Lost(Exception):
    """The connection ends without an answer."""


Stored = collections.namedtuple("Stored", "content etag checksum modified generation")


class S3Server:
    """faults: callables taken from the front, one for each request that `aims` at; they get the handler and what would be done."""

    def __init__(self, buckets=("bucket",), page=5, google=False, min_part=1000):
        self.keys = {KEY: (SECRET, "")}  # id: secret, session token
        self.objects = {bucket: {} for bucket in buckets}
        self.uploads, self.page, self.google, self.min_part = {}, page, google, min_part
        self.log, self.faults, self.n_made = [], [], 0
        self.clock_offset, self.expired = datetime.timedelta(0), set()
        self.is_checking_region = True
        self.lock = threading.Lock()
        server = self

        class Bound(Handler):
            s3 = server

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.http.shutdown()
        self.http.server_close()

    def url(self, bucket="bucket", prefix="/some/prefix", style="path", region=REGION, host="127.0.0.1", **more):
        options = {"endpoint": f"http://{host}:{self.port}", "region": region, "style": style, **more}
        return f"s3://{bucket}{prefix}?" + urllib.parse.urlencode(options)

    def env(self, key=KEY, secret=SECRET, **more):
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, **more}

    def content(self, name, bucket="bucket"):
        stored = self.objects[bucket].get("some/prefix/" + name)
        return stored and stored.content

    def methods(self):
        return [entry.split()[0] for entry in self.log]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    s3 = None

    def log_message(self, *args):
        pass

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def refuse(self, refusal):
        fields = {"Code": refusal.code, "Message": refusal.text, **refusal.more}
        body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error>" + "".join(
            f"<{name}>{escape(value)}</{name}>" for name, value in fields.items()) + "</Error>"
        self.reply(refusal.status, b"" if self.command == "HEAD" else body.encode(), refusal.headers)

    def reply(self, status, body=b"", headers=None, length=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_any(self):
        try:
            self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with self.s3.lock:
                self.s3.log.append(f"{self.command} {self.path}")
                fault = self.s3.faults.pop(0) if self.s3.faults else None
            try:
                if fault:
                    fault(self)
                else:
                    self.serve()
            except Refusal as refusal:
                self.refuse(refusal)
            self.__dict__.pop("reply", None)  # a fault's, for this request
        except (Lost, BrokenPipeError, ConnectionResetError):
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any

    # who asks

    def x(self, name):
        return self.headers.get(("x-goog-" if self.s3.google else "x-amz-") + name)

    def check_signature(self):
        google = self.s3.google
        algorithm, end, first = ("GOOG4-HMAC-SHA256", "goog4_request", "GOOG4") if google else ("AWS4-HMAC-SHA256", "aws4_request", "AWS4")
        kind, _, rest = (self.headers.get("Authorization") or "").partition(" ")
        if kind != algorithm:
            raise Refusal(403, "AccessDenied", f"Authorization begins with {kind}")
        parts = dict(part.strip().split("=", 1) for part in rest.split(","))
        key, day, region, service, last = parts["Credential"].split("/")
        if key not in self.s3.keys:
            raise Refusal(403, "InvalidAccessKeyId")
        secret, token = self.s3.keys[key]
        if token in self.s3.expired and token:
            raise Refusal(400, "ExpiredToken", "The provided token has expired.")
        if (self.x("security-token") or "") != token:
            raise Refusal(400, "InvalidToken")
        if service != ("storage" if google else "s3") or last != end:
            raise Refusal(400, "AuthorizationHeaderMalformed", "scope")
        if region != REGION and self.s3.is_checking_region:
            raise Refusal(400, "AuthorizationHeaderMalformed", f"the region '{region}' is wrong; expecting '{REGION}'", Region=REGION)
        date = self.x("date")
        now = datetime.datetime.now(datetime.timezone.utc) + self.s3.clock_offset
        then = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        if abs(now - then) > datetime.timedelta(minutes=15):
            raise Refusal(403, "RequestTimeTooSkewed", "The difference between the request time and the server's time is too large.",
                          ServerTime=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
        names = parts["SignedHeaders"].split(";")
        assert names == sorted(names)
        needed = {"host"} | {name.lower() for name in self.headers if name.lower().startswith(("x-amz-", "x-goog-"))}
        assert needed <= set(names), needed - set(names)
        path, _, query = self.path.partition("?")
        canonical_query = "&".join(sorted(f"{quote(name)}={quote(value)}" for name, value in
                                          urllib.parse.parse_qsl(query, keep_blank_values=True)))
        payload = self.x("content-sha256")
        canonical = "\n".join([self.command, quote(urllib.parse.unquote(path), "/-._~"), canonical_query,
                               *(f"{name}:{self.headers[name].strip()}" for name in names), "", ";".join(names), payload])
        scope = f"{day}/{region}/{service}/{end}"
        text = f"{algorithm}\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signing = (first + secret).encode()
        for part in (day, region, service, end):
            signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
        if hmac.new(signing, text.encode(), hashlib.sha256).hexdigest() != parts["Signature"] or not date.startswith(day):
            raise Refusal(403, "SignatureDoesNotMatch")
        if payload != hashlib.sha256(self.body).hexdigest():
            raise Refusal(400, "XAmzContentSHA256Mismatch")

    # what is asked

    def locate(self):
        """Bucket and key, by path or by host."""
        host = self.headers["Host"].rsplit(":", 1)[0]
        path = urllib.parse.unquote(self.path.partition("?")[0])
        if host.endswith(".localhost"):
            bucket, key = host[:-len(".localhost")], path[1:]
        else:
            bucket, _, key = path[1:].partition("/")
        if bucket not in self.s3.objects:
            raise Refusal(404, "NoSuchBucket")
        return bucket, key

    def serve(self):
        self.check_signature()
        bucket, key = self.locate()
        query = dict(urllib.parse.parse_qsl(self.path.partition("?")[2], keep_blank_values=True))
        with self.s3.lock:
            objects = self.s3.objects[bucket]
            if self.command in ("GET", "HEAD") and key == "":
                self.do_list(objects, query)
            elif self.command in ("GET", "HEAD"):
                self.do_fetch(objects, key)
            elif self.command == "PUT" and "uploadId" in query:
                self.do_part(query)
            elif self.command == "PUT":
                self.check_checksum(self.body)
                self.check_condition(objects, key)
                self.reply(200, headers=self.store(objects, key, self.body, hashlib.md5(self.body).hexdigest(), self.x("checksum-sha256")))
            elif self.command == "POST" and "uploads" in query:
                upload = f"up/{len(self.s3.uploads)}+="
                self.s3.uploads[upload] = {}
                self.reply(200, f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>".encode())
            elif self.command == "POST" and "uploadId" in query:
                self.do_complete(objects, key, query["uploadId"])
            elif self.command == "DELETE" and "uploadId" in query:
                self.s3.uploads.pop(query["uploadId"], None)
                self.reply(204)
            elif self.command == "DELETE":
                objects.pop(key, None)
                self.reply(204)
            else:
                raise Refusal(405, "MethodNotAllowed")

    def check_checksum(self, content):
        told = self.headers.get("x-amz-checksum-sha256")
        if told and told != base64.b64encode(hashlib.sha256(content).digest()).decode():
            raise Refusal(400, "BadDigest")

    def check_condition(self, objects, key):
        there = objects.get(key)
        generation = self.headers.get("x-goog-if-generation-match")
        if generation is not None and generation != str(there.generation if there else 0):
            raise Refusal(412, "PreconditionFailed")
        if self.headers.get("If-None-Match") == "*" and there:
            raise Refusal(412, "PreconditionFailed")
        if self.headers.get("If-Match") and not there:
            raise Refusal(404, "NoSuchKey")
        if self.headers.get("If-Match") and self.headers["If-Match"] != there.etag:
            raise Refusal(412, "PreconditionFailed")

    def store(self, objects, key, content, etag, checksum):
        self.s3.n_made += 1
        # as if it were encrypted: another one for each write
        etag = f'"{etag}-{self.s3.n_made}"'
        objects[key] = Stored(content, etag, checksum, datetime.datetime.now(datetime.timezone.utc), self.s3.n_made)
        return {"ETag": etag, "x-goog-generation": str(self.s3.n_made)}

    def do_fetch(self, objects, key):
        there = objects.get(key)
        if there is None:
            raise Refusal(404, "NoSuchKey")
        headers = {"ETag": there.etag, "Last-Modified": there.modified.strftime("%a, %d %b %Y %H:%M:%S GMT"),
                   "x-goog-generation": str(there.generation)}
        if self.headers.get("x-amz-checksum-mode") == "ENABLED" and there.checksum:
            headers["x-amz-checksum-sha256"] = there.checksum
        wanted = self.headers.get("Range")
        if self.command == "HEAD" or wanted is None:
            self.reply(200, there.content, headers)
            return
        start, end = map(int, wanted.removeprefix("bytes=").split("-"))
        if start >= len(there.content):
            raise Refusal(416, "InvalidRange")
        part = there.content[start:end + 1]
        headers["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{len(there.content)}"
        self.reply(206, part, headers)

    def do_list(self, objects, query):
        assert query["list-type"] == "2"
        prefix, after = query.get("prefix", ""), query.get("start-after", "")
        if "continuation-token" in query:
            after = base64.b64decode(query["continuation-token"]).decode()
        names = sorted((name for name in objects if name.startswith(prefix) and name.encode() > after.encode()), key=str.encode)
        page = names[:min(self.s3.page, int(query.get("max-keys", 1000)))]
        body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for name in page:
            there = objects[name]
            key = urllib.parse.quote_plus(name, safe="/") if query.get("encoding-type") == "url" else escape(name)
            body += (f"<Contents><Key>{key}</Key><LastModified>{there.modified.strftime('%Y-%m-%dT%H:%M:%S.000Z')}</LastModified>"
                     f"<ETag>{escape(there.etag, {chr(34): '&quot;'})}</ETag><Size>{len(there.content)}</Size>"
                     f"<Generation>{there.generation}</Generation><Owner><ID>x</ID></Owner></Contents>")
        if len(page) < len(names):
            body += ("<IsTruncated>true</IsTruncated><NextContinuationToken>"
                     f"{base64.b64encode(page[-1].encode()).decode()}</NextContinuationToken>")
        if query.get("encoding-type") == "url":
            body += "<EncodingType>url</EncodingType>"  # behind the objects, as it may be
        self.reply(200, (body + "</ListBucketResult>").encode())

    def do_part(self, query):
        if query["uploadId"] not in self.s3.uploads:
            raise Refusal(404, "NoSuchUpload")
        self.check_checksum(self.body)
        etag = f'"{hashlib.md5(self.body).hexdigest()}"'
        self.s3.uploads[query["uploadId"]][int(query["partNumber"])] = (etag, self.body, self.x("checksum-sha256"))
        self.reply(200, headers={"ETag": etag})

    def do_complete(self, objects, key, upload):
        import xml.etree.ElementTree as ElementTree
        if upload not in self.s3.uploads:
            raise Refusal(404, "NoSuchUpload")
        self.check_condition(objects, key)
        content, hashes, parts = b"", b"", self.s3.uploads[upload]
        told = list(ElementTree.fromstring(self.body).iter("Part"))
        for i, part in enumerate(told, 1):
            etag, piece, checksum = parts[i]
            assert part.findtext("PartNumber") == str(i)
            if part.findtext("ETag") != etag or (checksum and part.findtext("ChecksumSHA256") != checksum):
                raise Refusal(400, "InvalidPart")
            if len(piece) < self.s3.min_part and i < len(told):
                raise Refusal(400, "EntityTooSmall")
            content += piece
            hashes += hashlib.sha256(piece).digest()
        checksum = f"{base64.b64encode(hashlib.sha256(hashes).digest()).decode()}-{len(told)}"
        headers = self.store(objects, key, content, f"{hashlib.md5(hashes).hexdigest()}-{len(told)}", checksum)
        del self.s3.uploads[upload]
        self.reply(200, f"  <CompleteMultipartUploadResult><ETag>{escape(headers['ETag'])}</ETag></CompleteMultipartUploadResult>".encode(),
                   {"x-goog-generation": headers["x-goog-generation"]})


# faults

def refused(status, code, headers=None, **more):
    def fault(handler):
        raise Refusal(status, code, "as told", headers, **more)
    return fault


def bare(status, body=b"", headers=None):
    """An answer that is no S3 server's: of a proxy, say."""
    return lambda handler: handler.reply(status, body, headers)


def fine(handler):
    handler.serve()


def lost_before(handler):
    raise Lost


def lost_after(handler):
    """Done, but nobody is told."""
    handler.reply = lambda *args, **more: None
    with contextlib.suppress(Refusal):
        handler.serve()
    raise Lost


def failed_after(status):
    def fault(handler):
        reply, handler.reply = handler.reply, lambda *args, **more: None
        with contextlib.suppress(Refusal):
            handler.serve()
        handler.reply = reply
        raise Refusal(status, "InternalError")
    return fault


def cut(n):
    """So many bytes of the body, then no more."""
    def fault(handler):
        reply = handler.reply

        def shorter(status, body=b"", headers=None):
            reply(status, body[:n], headers, length=len(body))
            handler.wfile.flush()
            raise Lost
        handler.reply = shorter
        handler.serve()
    return fault


def changed(handler):
    """A bit of the body is another."""
    reply = handler.reply
    handler.reply = lambda status, body=b"", headers=None: reply(status, bytes([body[0] ^ 1]) + body[1:] if body else body, headers)
    handler.serve()


def late_error(handler):
    """200 is on its way already when it goes wrong."""
    handler.reply(200, b" \n<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>")
