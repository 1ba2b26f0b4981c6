"""Reads trackio's databases: the source `trackio`."""

from runferry.readers.trackio.reader import TrackioReader

__all__ = ["TrackioReader"]
