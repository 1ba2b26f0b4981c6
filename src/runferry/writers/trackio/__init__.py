"""Writes trackio's databases: the destination `trackio`."""

from runferry.writers.trackio.writer import TrackioWriter

__all__ = ["TrackioWriter"]
