# SPDX-License-Identifier: Apache-2.0
"""An object store as tests drive it, through tests/object_tool.c; and what every kind of store must do alike."""
import json
import os
import pathlib
import subprocess
import tempfile

OK, AGAIN, REJECT, FATAL = range(4)
TOOL = os.environ.get("GECKOTAPE_OBJECT_TOOL", "build/tests/object_tool")


class Answer:
    def __init__(self, fields, content=None):
        self.__dict__.update(fields)
        self.content = content

    def __repr__(self):
        return repr(self.__dict__)


class Store:
    """env: the whole environment but PATH and the like; setup: tries, pause_ms, stall_ms, part."""

    def __init__(self, url, env=None, **setup):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="geckotape-objects-", dir="/tmp"))
        base = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AZURE_", "IDENTITY_"))}
        base.update(HOME=str(self.dir), no_proxy="*", AWS_EC2_METADATA_DISABLED="true")
        setup = {"pause_ms": 5, "tries": 4, **setup}
        self.process = subprocess.Popen([TOOL, url, *(f"{name}={value}" for name, value in setup.items())], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**base, **(env or {})}, text=True)
        self.opened = self.answer()

    def __enter__(self):
        assert self.opened.st == OK, self.opened.error
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        said = self.process.stderr.read()
        code = self.process.wait(60)
        for path in self.dir.iterdir():
            path.unlink()
        self.dir.rmdir()
        assert code == 0, said

    def answer(self, content=None):
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return Answer(json.loads(line), content)

    def ask(self, *words):
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def file(self, content):
        path = self.dir / "in"
        path.write_bytes(content)
        return path

    def put(self, name, content, condition="always", etag=""):
        return self.ask("put", name, condition, etag, self.file(content))

    def upload(self, name, content, condition="always", etag="", chunk=1000):
        return self.ask("upload", name, condition, etag, self.file(content), chunk)

    def abort(self, name, content):
        return self.ask("abort", name, self.file(content))

    def get(self, name, ceiling=1 << 30):
        return self.fetched(self.ask("get", name, self.dir / "out", ceiling))

    def range(self, name, start, length):
        return self.fetched(self.ask("range", name, start, length, self.dir / "out"))

    def fetched(self, answer):
        answer.content = (self.dir / "out").read_bytes() if answer.st == OK and answer.there else None
        return answer

    def stat(self, name):
        return self.ask("stat", name)

    def delete(self, name):
        return self.ask("delete", name)

    def list(self, prefix="", after="", most=0):
        answer = self.ask("list", prefix, after, most)
        assert answer.st == OK, answer.error
        return [name for name, *_ in answer.names]


def some_bytes(n):
    return bytes((i * 7 + i // 251) & 255 for i in range(n))


def check_all(store, part):
    """What every store does alike. part: bytes of one part of its uploads."""
    # put, get, stat, range
    assert store.get("a/b=1/é x.txt").there is False
    assert store.stat("a/b=1/é x.txt").there is False
    answer = store.put("a/b=1/é x.txt", b"hello")
    assert (answer.st, answer.refused, answer.unknown) == (OK, False, False), answer.error
    got = store.get("a/b=1/é x.txt")
    assert (got.content, got.size, got.etag) == (b"hello", 5, answer.put_etag)
    seen = store.stat("a/b=1/é x.txt")
    assert (seen.there, seen.size, seen.etag) == (True, 5, answer.put_etag)
    assert seen.modified > 1_700_000_000_000_000
    part_of = store.range("a/b=1/é x.txt", 1, 3)
    assert part_of.content == b"ell", part_of.error
    assert store.range("a/b=1/é x.txt", 3, 100).content == b"lo"
    ends = store.range("a/b=1/é x.txt", 5, 1)
    assert (ends.st, ends.there, ends.content) == (OK, True, b"")
    assert store.range("missing", 0, 1).there is False
    assert store.get("a/b=1/é x.txt", ceiling=4).st == REJECT
    assert store.put("empty", b"").st == OK
    assert store.get("empty").content == b""

    # names that are text, whatever is in them
    odd = ["odd/a+b", "odd/a%2Fb", "odd/a b", "odd/~*'()!", "odd/a&b=c?d#e", "odd/日本", "odd/a;b,c:d@e$f"]
    for name in odd:
        assert store.put(name, name.encode()).st == OK, name
    for name in odd:
        assert store.get(name).content == name.encode()
    assert store.list("odd/") == sorted(odd, key=str.encode)

    # conditions
    assert store.put("log/1", b"one", "absent").refused is False
    second = store.put("log/1", b"two", "absent")
    assert (second.st, second.refused, second.unknown, second.put_etag) == (OK, True, False, "")
    assert store.get("log/1").content == b"one"
    etag = store.stat("log/1").etag
    third = store.put("log/1", b"three", "match", etag)
    assert (third.st, third.refused) == (OK, False), third.error
    assert third.put_etag != etag
    assert store.put("log/1", b"four", "match", etag).refused is True
    assert store.put("log/none", b"four", "match", etag).refused is True
    assert store.get("log/1").content == b"three"

    # uploads: less than a part, whole parts, parts and a rest
    for name, size in (("small", 1000), ("whole", 2 * part), ("rest", 2 * part + 12345)):
        content = some_bytes(size)
        answer = store.upload(f"up/{name}", content, "absent", chunk=100_000)
        assert (answer.st, answer.refused) == (OK, False), answer.error
        got = store.get(f"up/{name}")
        assert got.content == content
        assert got.etag == answer.put_etag
        assert store.upload(f"up/{name}", b"x" + content, "absent", chunk=100_000).refused is True
        assert store.get(f"up/{name}").content == content
    assert store.range("up/rest", part - 10, 20).content == some_bytes(2 * part)[part - 10:part + 10]
    assert store.abort("up/aborted", some_bytes(part + 1)).st == OK
    assert store.stat("up/aborted").there is False

    # lists
    names = [f"list/{i:02}/x" for i in range(12)] + ["list/03-x", "list/03.y", "list0"]
    for name in names:
        assert store.put(name, b"12").st == OK
    inside = sorted((name for name in names if name.startswith("list/")), key=str.encode)
    assert store.list("list/") == inside
    assert store.list("list/", after="list/03/x") == [name for name in inside if name > "list/03/x"]
    assert store.list("list/", after="list/zz") == []
    assert store.list("list/", most=3) == inside[:3]
    assert store.list("list/1") == ["list/10/x", "list/11/x"]
    assert store.list("nothing") == []

    # deletes
    assert store.delete("list0").st == OK
    assert store.delete("list0").st == OK
    assert store.stat("list0").there is False
    assert store.put("list0", b"again", "absent").refused is False
