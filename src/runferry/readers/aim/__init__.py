"""Reads Aim's repositories: the source `aim`."""

from runferry.readers.aim.reader import AimReader

__all__ = ["AimReader"]
