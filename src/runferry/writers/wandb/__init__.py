"""Writes runs as W&B's offline run folders, which its own tools show and upload."""

from runferry.writers.wandb.writer import WandbWriter

__all__ = ["WandbWriter"]
