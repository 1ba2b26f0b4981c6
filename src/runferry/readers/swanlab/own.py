"""Gives back, exactly, the runs that we wrote beside what SwanLab reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runferry.dialects.plain_folder.folders import Folders
from runferry.dialects.plain_folder.layout import form_of
from runferry.dialects.plain_folder.run_file import read_run_file
from runferry.dialects.swanlab.names import STORE, STORE_MARK
from runferry.dialects.swanlab.own_store import shown_in
from runferry.paths import folders_below
from runferry.readers.plain_folder.own_folder import DamagedCopies, OwnFolder
from runferry.readers.swanlab.logged_run import LoggedRun


def own_runs(root: Path, damaged: DamagedCopies) -> Iterator[OwnFolder]:
    """Those at or below a folder, as long as what was made of them stands as it was written.

    One whose account of itself cannot be read is left to who reads anybody's.
    """
    homes = [folder.path for folder in folders_below(root) if STORE in folder.names]
    for home in homes:
        if form_of(home / STORE) != STORE_MARK:
            continue
        for folder in Folders(home / STORE).copies():
            shown = damaged.read(shown_in, folder, home.resolve())
            if shown is None or not shown.stands(home):
                continue
            made = home / shown.folder
            said = damaged.read(read_run_file, folder, made.resolve())
            if said is not None:
                log = made / shown.log
                yield OwnFolder(folder, (log,), said.run, LoggedRun.at(log))
