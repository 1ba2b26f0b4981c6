"""Imported first: what the `runferry` command does before anything else."""

from __future__ import annotations

from runferry.dialects.neptune.client import client
from runferry.thrift import spare_work

spare_work()
client()
