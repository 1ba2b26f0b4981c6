"""Workers of a DataLoader, forked or spawned: all that they and their parent log comes once."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from training import rows, settled, train

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed"),
]

SCRIPT = """
import sys
from runferry.live.interfaces import sync_tensorboard
sync_tensorboard(to="archive:./mirrored", root="runs")  # a spawned worker comes by here, too
from torch.utils.data import DataLoader, Dataset, get_worker_info
from torch.utils.tensorboard import SummaryWriter

class Numbers(Dataset):
    def __len__(self):
        return 24

    def __getitem__(self, index):
        worker = get_worker_info().id
        if not hasattr(self, "writer"):
            self.writer = SummaryWriter(f"runs/worker-{worker}")
        self.writer.add_scalar(f"read/{index}", index, worker)
        self.writer.flush()
        return index

if __name__ == "__main__":
    writer = SummaryWriter("runs/parent")
    writer.add_scalar("before", 1, 0)
    loader = DataLoader(Numbers(), batch_size=4, num_workers=2, multiprocessing_context=sys.argv[1])
    for epoch in range(2):
        for step, batch in enumerate(loader):
            writer.add_scalar("sum", int(batch.sum()), epoch * 6 + step)
    writer.close()
"""


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", ["fork", "spawn"])
def test_workers_of_a_loader_are_mirrored_each_point_once(tmp_path: Path, way: str) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    train(
        tmp_path,
        "import subprocess; "
        f"sys.exit(subprocess.call([sys.executable, '-W', 'ignore', 'script.py', {way!r}]))",
    )
    settled(tmp_path)
    found = rows(f"archive:{tmp_path / 'mirrored'}")
    sums = [sum(range(first, first + 4)) for first in range(0, 24, 4)]
    assert found.pop("sum") == [(step, float(value)) for step, value in enumerate(sums * 2)]
    assert found.pop("before") == [(0, 1.0)]
    batches = {index: index // 4 % 2 for index in range(24)}  # the loader's workers take turns
    expected = {f"read/{index}": [(worker, float(index))] * 2 for index, worker in batches.items()}
    assert found == expected
