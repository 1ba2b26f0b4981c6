"""The same `.wandb` file into an archive: two cores, every file synced."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from bench import child, generate
from bench.report import Row, verdict_on
from bench.scratch import scratch
from bench.size import Size

_TARGET = 1 / 3


def measure(size: Size) -> Iterator[Row]:
    """Against our own decoding of the same file to Arrow on one core, in turns."""
    file = generate.logged_run(size.decode_steps, 20)
    file.read_bytes()
    decoded, pulled = [], []
    for _ in range(5):
        decoded.append(child.ours("decode_native.py", file, on_cores=1))
        pulled.append(child.ours("pull.py", file, scratch("archive"), 1, on_cores=2))
    values = sum(count for count, _ in decoded[0].outcome["series"].values())
    seconds = median(lap.lap_wall_seconds for lap in pulled)
    decode_seconds = median(lap.lap_wall_seconds for lap in decoded)
    ratio = decode_seconds / seconds
    outcomes = [lap.outcome for lap in pulled]
    is_same = all(
        (outcome["points"], outcome["runs"], outcome["complete"]) == (values, 1, 1)
        and not outcome["failed"]
        for outcome in outcomes
    )
    yield Row(
        "archive",
        f".wandb, {size.decode_steps:,} steps × 20 metrics → archive, 2 cores, synced",
        f"{seconds:.3f} s, {values / seconds / 1e6:.1f} M points/s",
        f"our decoding alone, 1 core: {decode_seconds:.3f} s",
        ratio,
        "≥ 0.33 × the decode speed",
        verdict_on(ratio >= _TARGET) if is_same else "outputs differ",
        f"{values:,} points decoded and stored" if is_same else f"{values:,} ≠ {outcomes}",
        {
            "points": values,
            "wall_seconds": [lap.lap_wall_seconds for lap in pulled],
            "cpu_seconds": [lap.lap_cpu_seconds for lap in pulled],
            "decode_wall_seconds": [lap.lap_wall_seconds for lap in decoded],
        },
    )
