"""Writes runs into a folder that TensorBoard shows: one sub-folder and one event file a run."""

from runferry.writers.tensorboard.writer import TensorboardWriter

__all__ = ["TensorboardWriter"]
