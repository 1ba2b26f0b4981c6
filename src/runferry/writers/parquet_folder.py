"""Writes Parquet: the destination `parquet`."""

from __future__ import annotations

from typing import ClassVar

from runferry.dialects.plain_folder.forms import Form
from runferry.dialects.plain_folder.parquet_form import ParquetForm
from runferry.writers.plain_folder import PlainFolderWriter


class ParquetFolderWriter(PlainFolderWriter):
    """Puts runs into a folder as Parquet."""

    name: ClassVar[str] = "parquet"
    form: ClassVar[Form] = ParquetForm()
