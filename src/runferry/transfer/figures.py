"""Figures as people read them."""

from __future__ import annotations


def size(size_bytes: int) -> str:
    """`0 B`, `12.3 kB`, `4.0 GB`."""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
