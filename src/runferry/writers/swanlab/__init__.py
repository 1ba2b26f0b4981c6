"""The writer of SwanLab's run folders, and of its cloud by way of them."""

from runferry.writers.swanlab.writer import SwanlabWriter

__all__ = ["SwanlabWriter"]
