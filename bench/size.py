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


FULL = Size()
QUICK = Size(5_000, (20, 100), 50, 50_000, 5, 2_500, 1_250, 2_500, 50_000)
"""Shows in a minute that all of it works; its ratios mean nothing."""
