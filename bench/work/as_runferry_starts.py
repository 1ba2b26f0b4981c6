"""Imported first: what the `runferry` command does before anything else."""

from __future__ import annotations

from runferry.cli import spare_imports

spare_imports()
