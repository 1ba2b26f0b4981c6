"""How much of each piece of work is done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """The sizes of all rows; the defaults are those of the stated targets."""

    decode_steps: int = 200_000
    memory_mb: tuple[int, int] = (200, 2_000)
    small_runs: int = 1_000
    points: int = 1_000_000
    help_runs: int = 10
    simple_steps: int = 100_000  # × 20 tags: 2 M simple values
    tensor_steps: int = 50_000  # × 20 tags: 1 M tensor scalars
    mixed_steps: int = 100_000  # 300 MB: 2 M scalars, 16,000 histograms and 800 images
    written_points: int = 1_000_000
    history_rows: int = 100_000  # × 25 columns
    served_runs: tuple[int, int] = (500, 5_000)
    allowed: tuple[int, int] = (250, 5)  # requests in so many seconds
    operated_runs: tuple[int, int] = (1_000, 10_000)
    headline_runs: int = 32  # in a quarter as many projects
    models_mb: int = 510  # of 86 models and versions
    authored_steps: int = 50_000  # × 20 metrics
    live_calls: tuple[int, int] = (300, 40)  # calls in a block, and blocks with the hook


FULL = Size()
QUICK = Size(
    decode_steps=5_000,
    memory_mb=(20, 100),
    small_runs=50,
    points=50_000,
    help_runs=5,
    simple_steps=2_500,
    tensor_steps=1_250,
    mixed_steps=2_500,
    written_points=50_000,
    history_rows=3_000,
    served_runs=(10, 40),
    allowed=(20, 1),
    operated_runs=(20, 60),
    headline_runs=8,
    models_mb=10,
    authored_steps=1_000,
    live_calls=(50, 4),
)
"""Shows in a minute that all of it works; its ratios mean nothing."""
