"""Which videos, molecules and 3D objects SwanLab shows, and clouds of points in its own form.

Its client takes GIF, PDB, binary glTF and `.swanlab.pts.json`, and nothing else
(`sdk/internal/run/transforms` of 0.10.3).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

POINTS_SUFFIX: Final = ".swanlab.pts.json"
_POINTS_AT_MOST: Final = 64 << 20
_GREY: Final = (128, 128, 128)
_MAGIC: Final = {"video": ((b"GIF87a", b"GIF89a"), ".gif"), "object3d": ((b"glTF",), ".glb")}
CHOOSY: Final = ("video", "object3d", "molecule")
"""Media of which some forms are shown."""
_PDB: Final = (
    b"HEADER",
    b"TITLE ",
    b"REMARK",
    b"COMPND",
    b"CRYST1",
    b"MODEL ",
    b"ATOM  ",
    b"HETATM",
)
_HUES: Final = 16
_VERSION: Final = "0.1"


def known_suffix(media_type: str, path: Path) -> str | None:
    """The ending by which SwanLab knows such a file; None where it does not show it."""
    with path.open("rb") as stream:
        head = stream.read(6)
    if media_type == "molecule":
        return ".pdb" if path.suffix.lower() == ".pdb" or head in _PDB else None
    magics, suffix = _MAGIC[media_type]
    return suffix if head.startswith(magics) else None


def points_form(path: Path) -> bytes | None:
    """Points of W&B's or SwanLab's JSON as SwanLab has them; None for what is none.

    These are lists of x, y, z, then nothing, a category, or red, green and blue.
    """
    if path.stat().st_size > _POINTS_AT_MOST:
        return None
    content = path.read_bytes()
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if isinstance(found, dict) and "version" in found and "points" in found:
        return content
    points = found.get("points") if isinstance(found, dict) else found
    if not isinstance(points, list) or not points or not all(map(_is_point, points)):
        return None
    boxes = found.get("boxes") or [] if isinstance(found, dict) else []
    shown = [box for box in boxes if isinstance(box, dict) and {"corners", "color"} <= box.keys()]
    form = {
        "version": _VERSION,
        "points": [[*point[:3], *_colour(point[3:])] for point in points],
        "boxes": [{**box, "label": str(box.get("label") or "")} for box in shown],
    }
    try:
        return json.dumps(form, allow_nan=False).encode()
    except ValueError:
        return None


def _is_point(point: Any) -> bool:
    is_long = isinstance(point, list) and len(point) in (3, 4, 6)
    return is_long and all(type(number) in (int, float) for number in point)


def _colour(rest: list[float]) -> tuple[float, ...]:
    if len(rest) == 1:
        from colorsys import hsv_to_rgb

        hue = (rest[0] % _HUES) / _HUES
        return tuple(round(255 * part) for part in hsv_to_rgb(hue, 0.7, 0.8))
    return tuple(rest) or _GREY
