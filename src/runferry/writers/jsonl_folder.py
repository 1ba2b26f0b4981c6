"""Writes JSON lines: the destination `jsonl`."""

from __future__ import annotations

from typing import ClassVar

from runferry.dialects.plain_folder.forms import Form
from runferry.dialects.plain_folder.jsonl_form import JsonLinesForm
from runferry.writers.plain_folder import PlainFolderWriter


class JsonLinesFolderWriter(PlainFolderWriter):
    """Puts runs into a folder as JSON lines."""

    name: ClassVar[str] = "jsonl"
    form: ClassVar[Form] = JsonLinesForm()
