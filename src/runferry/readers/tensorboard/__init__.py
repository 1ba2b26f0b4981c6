"""Reads TensorBoard's folders of event files."""

from runferry.readers.tensorboard.reader import TensorboardReader

__all__ = ["TensorboardReader"]
