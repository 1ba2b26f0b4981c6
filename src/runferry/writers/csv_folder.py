"""Writes CSV: the destination `csv`."""

from __future__ import annotations

from typing import ClassVar

from runferry.dialects.plain_folder.csv_form import CsvForm
from runferry.dialects.plain_folder.forms import Form
from runferry.writers.plain_folder import PlainFolderWriter


class CsvFolderWriter(PlainFolderWriter):
    """Puts runs into a folder as CSV."""

    name: ClassVar[str] = "csv"
    form: ClassVar[Form] = CsvForm()
