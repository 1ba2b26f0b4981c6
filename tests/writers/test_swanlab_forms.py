"""Videos, molecules and 3D objects for SwanLab: in a form that it shows, or told, as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.transfer.roads import pull_from

from runferry.archive.store import Archive
from runferry.losses import Fate
from runferry.model import Address, Blob, MediaItem
from runferry.ports import Location
from runferry.testing.recording import Recording
from runferry.testing.reference import record
from runferry.testing.samples import START_NS, header
from runferry.transfer.destination import ledger_key
from runferry.transfer.push import plan_all, push
from runferry.writers.swanlab.media_forms import known_suffix, points_form

BOX = {"corners": [[0, 0, 0]], "color": [1, 2, 3], "label": "car"}


@pytest.mark.parametrize(
    ("media_type", "name", "content", "suffix"),
    [
        ("video", "a.bin", b"GIF89a...", ".gif"),
        ("video", "a.gif", b"\x00\x00\x00 ftypmp42", None),
        ("object3d", "a.bin", b"glTF\x02", ".glb"),
        ("object3d", "a.obj", b"v 0 0 0", None),
        ("molecule", "a.pdb", b"", ".pdb"),
        ("molecule", "a.bin", b"ATOM      1  N", ".pdb"),
        ("molecule", "a.sdf", b"caffeine", None),
    ],
)
def test_a_file_is_shown_by_what_it_holds(
    tmp_path: Path, media_type: str, name: str, content: bytes, suffix: str | None
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert known_suffix(media_type, path) == suffix


def points(folder: Path, content: object) -> object:
    path = folder / "points.json"
    path.write_text(json.dumps(content))
    form = points_form(path)
    return None if form is None else json.loads(form)


def test_points_of_each_length_become_points_with_colours(tmp_path: Path) -> None:
    for rest in ([], [3], [255, 0, 9]):
        form = points(tmp_path, [[1, 2.5, 3, *rest]])
        assert isinstance(form, dict)
        assert (form["version"], form["boxes"]) == ("0.1", [])
        ((x, y, z, *colour),) = form["points"]
        assert (x, y, z, len(colour)) == (1, 2.5, 3, 3)
        assert colour == rest or len(rest) < 3


def test_boxes_stay_with_their_points(tmp_path: Path) -> None:
    form = points(tmp_path, {"type": "lidar/beta", "points": [[1, 2, 3]], "boxes": [BOX, {}]})
    assert isinstance(form, dict)
    assert form["boxes"] == [BOX]


@pytest.mark.parametrize("content", [{}, [], [[1, 2]], [[1, "2", 3]], [[1, 2, float("nan")]], 7])
def test_what_is_no_points_is_left_alone(tmp_path: Path, content: object) -> None:
    assert points(tmp_path, content) is None


def test_points_in_its_own_form_stay_as_they_are(tmp_path: Path) -> None:
    own = {"version": "0.1", "points": [[1, 2, 3, 4, 5, 6]], "more": True}
    assert points(tmp_path, own) == own


def test_what_is_not_shown_is_a_file_and_told(tmp_path: Path) -> None:
    cloud = Blob.from_bytes(b"[[1, 2, 3]]", "application/json")
    film = Blob.from_bytes(b"\x00\x00\x00 ftypmp42", "video/mp4")
    run = Recording(header("solid"))
    media = {
        "cloud": MediaItem("", Address(0), "object3d", cloud, metadata={"of": "a car"}),
        "film": MediaItem("", Address(0), "video", film, path="media/film.mp4"),
    }
    run.log(dict(media), step=1, time_ns=START_NS)
    archive = Archive.open(tmp_path / "archive", create=True, reserve=0)
    pull_from(record((run.sample(),), tmp_path / "origin"), archive)
    there = Location("swanlab", str(tmp_path / "there"))
    (planned,) = plan_all(archive, there).outcomes
    foretold = {(loss.code, loss.where, loss.count, loss.fate) for loss in planned.losses}
    assert ("media-metadata", "cloud", 1, Fate.REENCODED) in foretold
    assert ("media-path", "film", 1, Fate.REENCODED) in foretold
    (planned,) = plan_all(archive, Location("swanlab", "team/proj")).outcomes
    foretold = {(loss.code, loss.where, loss.count, loss.fate) for loss in planned.losses}
    assert ("media-metadata", "cloud", 1, Fate.DROPPED) in foretold
    assert not push(archive, there, allow=Fate.DROPPED).failures
    (shown,) = (tmp_path / "there").glob("run-*/media/object3d/*")
    assert shown.name.endswith(".swanlab.pts.json")
    assert not [*(tmp_path / "there").glob("run-*/media/video/*")]
    (listed,) = archive.records()
    delivery = archive.ledger.get(listed.run.uid, ledger_key(there))
    assert delivery is not None
    told = {(loss.code, loss.where, loss.count) for loss in delivery.losses}
    assert {("unshown-media", "film", 1), ("media-metadata", "cloud", 1)} <= told
