"""Counts and sums of the sequences in a repository, by Aim's own queries.

Usage: aim_values.py FOLDER
"""

from __future__ import annotations

import math
import sys

import aim
from aim.sdk.index_manager import RepoIndexManager
from stopwatch import answer, stopwatch

sequences = {}
with stopwatch() as lap:
    repository = aim.Repo(sys.argv[1])
    for run_hash in repository.list_all_runs():  # queries find what `aim up` has indexed
        RepoIndexManager.get_index_manager(repository).index(run_hash)
    for metrics in repository.query_metrics("").iter_runs():
        for metric in metrics:
            values = metric.values.values_list()
            sequences[metric.name] = [len(values), math.fsum(values)]
sequences = {name: told for name, told in sequences.items() if name.startswith("train/")}
answer(lap, {"sequences": sequences})
