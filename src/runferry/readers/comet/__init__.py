"""Reads Comet's offline experiments: the source `comet`."""

from runferry.readers.comet.reader import CometReader

__all__ = ["CometReader"]
