"""Writes Neptune: archives of its exporter's format, and runs by its client."""

from runferry.writers.neptune.writer import NeptuneWriter

__all__ = ["NeptuneWriter"]
