"""Prints what Aim's own container says of each sequence of a run, one look-up for each number.

argv: the folder of the run's header, that of its rows, its hash. As JSON: by name, rows of step,
value, epoch and time, by step; a value without a step is left out.
"""

import json
import sys

from aim.storage.rockscontainer import RocksContainer

meta, seqs, run_hash = sys.argv[1:]
header, rows = (
    RocksContainer(path, read_only=True, skip_read_optimization=True).tree()
    for path in (meta, seqs)
)
run = header.subtree(("meta", "chunks", run_hash))
found = {}
for context in run["contexts"]:
    for name in run["traces", context]:
        series = rows.subtree(("seqs", "v2", "chunks", run_hash, context, name))
        columns = [series.array(column) for column in ("step", "val", "epoch", "time")]
        steps, places = (set(column.sparse_list()[0]) for column in columns[:2])
        found[name] = sorted([column[place] for column in columns] for place in places & steps)
print(json.dumps(found))
