"""The destination `clearml`: offline sessions in a folder, or a server by way of them."""

from runferry.writers.clearml.writer import ClearmlWriter

__all__ = ["ClearmlWriter"]
