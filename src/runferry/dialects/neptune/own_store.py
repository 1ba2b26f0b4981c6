"""What runferry keeps beside an archive of the exporter's format, where no loader looks.

    <root>/data/<project>/<run>_part_<n>.parquet   for everybody; the uid is in the file's metadata
    <root>/files/<project>/<run>/…                 for everybody
    <root>/runferry/                               ours: runs as plain files, exact
    <root>/runferry/runs/<name>/exported.json      which parts were made of this run

    <.neptune>/runferry/<project>/                 the same of runs in the client's offline queue

Ours counts as long as those parts are there as they were written: what somebody took out of `data`
or wrote anew there is not what is kept here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runferry.dialects.neptune.attribute_paths import RUNFERRY
from runferry.dialects.neptune.names import san
from runferry.dialects.neptune.places import ServerPlace, queue_folder
from runferry.dialects.plain_folder.notes import reading_note
from runferry.paths import inside

STORE: Final = "runferry"
STORE_MARK: Final = "neptune"
"""What `runferry.json` of the store says that it is: no source by itself."""
BUNDLE: Final = f"{RUNFERRY}/bundle"
"""On a server: the file set from which the exact run is restored."""
PLACES: Final = "places.json"
"""In it: which attribute and member has the bytes of each file that lies in none of the bundle."""
EXPORTED: Final = "exported.json"
UID_METADATA: Final = b"runferry.uid"
"""Of a part's Parquet schema: whose run it is."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was made of a run for everybody."""

    project_id: str
    run_id: str
    project_folder: str  # below `data`, and below `files`
    parts: tuple[tuple[str, int], ...]  # names, and sizes in bytes

    def text(self) -> str:
        """As `exported.json`."""
        return json.dumps(
            {
                "project_id": self.project_id,
                "run_id": self.run_id,
                "project_folder": self.project_folder,
                "parts": [list(part) for part in self.parts],
            },
            indent=2,
        )

    def stands(self, data: Path) -> bool:
        """Whether every part is there as it was written."""
        for name, size in self.parts:
            found = inside(data, f"{self.project_folder}/{name}")
            if found is None or found.stat().st_size != size:
                return False
        return bool(self.parts)


def offline_store(place: ServerPlace) -> Path:
    """Where exact runs lie whose queue waits for a project; their files are uploaded from it."""
    return queue_folder() / STORE / san(str(place))


def exported_in(folder: Path) -> Exported:
    """What `exported.json` in a run's folder says. Raises FileNotFoundError, Damaged."""
    path = folder / EXPORTED
    with reading_note(path):
        tree = json.loads(path.read_bytes())
        return Exported(
            str(tree["project_id"]),
            str(tree["run_id"]),
            str(tree["project_folder"]),
            tuple((str(name), int(size)) for name, size in tree["parts"]),
        )
