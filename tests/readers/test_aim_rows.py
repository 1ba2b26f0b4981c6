"""The process that reads Aim puts rows in order of their steps, in the same memory however many."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

from runferry.python_apart import command_apart, environment_apart
from runferry.readers.aim import process

HOME = Path(process.__file__).parent
_SORTS = """
import json, resource, sys
sys.path.insert(0, sys.argv[1])
from child_columns import BATCH, Rows
count, width = int(sys.argv[2]), int(sys.argv[3])
rows = Rows([("step", "<i8"), ("millionths", "<i4"), ("value", "<f8")])
places = ((n * 2654435761) % count for n in range(count))
rows.fill((place // width - 7, place % width * 3, float(place)) for place in places)
following, largest = 0, 0
for block in rows.by_step():
    assert block["value"].tolist() == list(range(following, following + len(block)))
    following, largest = following + len(block), max(largest, len(block))
assert largest <= BATCH
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([following, peak / 1024]))
"""


def sorted_apart(count: int, width: int) -> float:
    """The peak in MB; `width` rows have the same whole step."""
    if importlib.util.find_spec("aim") is None:
        pytest.skip("aim is not installed")
    command = command_apart(_SORTS, str(HOME), str(count), str(width))
    ended = subprocess.run(
        command, env=environment_apart(), capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    found, peak = json.loads(ended.stdout)
    assert found == count
    return float(peak)


@pytest.mark.parametrize("width", [1, 7, 400_000])
def test_rows_come_back_by_step_whatever_part_of_it_they_differ_in(width: int) -> None:
    sorted_apart(300_000, width)


def test_ten_times_the_rows_take_the_same_memory() -> None:
    few, many = sorted_apart(100_000, 1), sorted_apart(1_000_000, 1)
    assert many - few < 25, (few, many)
