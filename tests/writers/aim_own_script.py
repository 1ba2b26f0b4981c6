"""Logs with Aim's own `Run` what runferry wrote, and prints which records of the two differ.

argv: the `.aim` folder of runferry's, the hash of its run, an empty folder, and rows as JSON: name,
context, step, epoch, time and value; a value may be {"text": …} or {"images": [hex …]}.
"""

import io
import json
import sys
from pathlib import Path

import aim
from aim.storage.rockscontainer import RocksContainer
from aim.storage.types import BLOB
from PIL import Image


def image(content):
    made = aim.Image(Image.open(io.BytesIO(content)))
    made.storage["data"] = BLOB(data=content)  # Aim's constructor writes it anew
    made.storage["format"] = made.storage["format"].lower()
    return made


def value_of(told):
    match told:
        case {"text": text}:
            return aim.Text(text)
        case {"images": contents}:
            return [image(bytes.fromhex(content)) for content in contents]
    return told


def records(home, part, run_hash):
    container = RocksContainer(f"{home}/{part}/chunks/{run_hash}", read_only=True)
    own = ("contexts", "traces", "typed_traces", "traces_types")
    found = dict(container.items())
    return {
        key: bytes(value)
        for key, value in found.items()
        if part == "seqs" or (b"attrs" not in key and any(one.encode() in key for one in own))
    }


ours, run_hash, other, rows = sys.argv[1:]
aim.Repo(other, init=True)
Path(other, ".aim", "meta", "chunks", run_hash).mkdir(parents=True)  # or Aim chooses the hash
run = aim.Run(
    run_hash, repo=other, system_tracking_interval=None, log_system_params=False,
    capture_terminal_logs=False,
)  # fmt: skip
for name, context, step, epoch, time, told in json.loads(rows):
    run._tracker._track(value_of(told), time, name, step, epoch, context=context)
run.close()
different = []
for part in ("meta", "seqs"):
    theirs, mine = records(f"{other}/.aim", part, run_hash), records(ours, part, run_hash)
    assert theirs, part
    for key in theirs.keys() | mine.keys():
        if theirs.get(key) != mine.get(key):
            different.append([part, repr(key), repr(theirs.get(key)), repr(mine.get(key))])
print(json.dumps(different))
