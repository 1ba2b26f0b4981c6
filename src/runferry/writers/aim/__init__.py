"""Writes repositories of Aim's: the destination `aim`."""

from runferry.writers.aim.writer import AimWriter

__all__ = ["AimWriter"]
