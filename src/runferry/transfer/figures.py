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


def again_after(seconds: float) -> str:
    """`trying again in 12 s`, `… in 0.5 s`, `trying again at once`."""
    if seconds < 0.05:
        return "trying again at once"
    return f"trying again in {seconds:.{0 if seconds >= 0.95 else 1}f} s"
