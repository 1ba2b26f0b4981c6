"""Reads back, exactly, the archives of the exporter's format that runferry wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runferry.dialects.neptune.export_files import DATA
from runferry.dialects.neptune.names import TRACKER
from runferry.dialects.neptune.own_store import STORE, STORE_MARK, exported_in, offline_store
from runferry.dialects.neptune.places import ServerPlace
from runferry.dialects.plain_folder.folders import Folders
from runferry.dialects.plain_folder.layout import form_of
from runferry.dialects.plain_folder.run_file import read_run_file
from runferry.errors import Damaged
from runferry.model import Run, RunKey
from runferry.paths import folders_below
from runferry.readers.plain_folder.own_folder import DamagedCopies, OwnFolder


def own_exported(root: Path, damaged: DamagedCopies) -> Iterator[OwnFolder]:
    """Those of the archives at or below a folder, or around it where it is their `data`.

    One whose account of itself cannot be read is left to who reads anybody's.
    """
    homes = [root.parent] if root.name == DATA else []
    homes += [folder.path for folder in folders_below(root) if STORE in folder.names]
    for home in homes:
        if form_of(home / STORE) != STORE_MARK:
            continue
        for folder in Folders(home / STORE).copies():
            data = (home / DATA).resolve()
            exported = damaged.read(exported_in, folder, data)
            if exported is None or not exported.stands(data):
                continue
            parts = home / DATA / exported.project_folder
            sources = tuple(parts / name for name, _ in exported.parts)
            said = damaged.read(read_run_file, folder, sources[0].resolve())
            if said is not None:
                yield OwnFolder(folder, sources, said.run)


def own_queued(place: ServerPlace) -> Iterator[OwnFolder]:
    """Those that wait in the client's offline queue to be sent to a place.

    There is nothing else to read of one that is damaged: it is listed, and reading it tells why.
    """
    for folder in Folders(offline_store(place)).complete():
        try:
            run = read_run_file(folder).run
        except FileNotFoundError:
            continue  # on its way out
        except Damaged:
            run = Run(RunKey(TRACKER, "damaged", folder.name), name="(damaged)")
        yield OwnFolder(folder, (), run)
