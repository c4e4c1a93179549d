# SPDX-License-Identifier: Apache-2.0
"""The directory store does what the others do, and leaves nothing of what does not fit on the disk."""
import json
import subprocess

from objects import AGAIN, OK, TOOL, Store, check_all


def test_what_every_store_does(tmp_path):
    with Store(f"file:{tmp_path}/root") as store:
        check_all(store, 5000)


def test_a_file_that_cannot_be_written_whole_is_not_to_be_seen(tmp_path):
    content = tmp_path / "content"
    content.write_bytes(bytes(100_000))
    script = f"trap '' XFSZ; ulimit -f 64; exec {TOOL} file:{tmp_path}/root"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, input=f"put\ta/b\talways\t\t{content}\nlist\t\t\t0\n")
    opened, put, listed = map(json.loads, done.stdout.splitlines())
    assert (opened["st"], put["st"], put["unknown"]) == (OK, AGAIN, False)
    assert listed["names"] == []
    assert not list((tmp_path / "root" / ".geckotape").glob("tmp-*"))
