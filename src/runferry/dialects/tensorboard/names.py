"""The names in TensorBoard's folders: event files, side files, tags that mean something."""

from __future__ import annotations

import re
from dataclasses import dataclass

from runferry.model import KeyPath

TRACKER = "tensorboard"
"""In the keys of the runs that are read from such folders."""
PLUGIN = "runferry"
"""The plugin of summary values that only we read: what TensorBoard has no place for."""
TAG_PREFIX = "runferry/"
"""What stands before the kind of chunk in the tags of these values."""
END_TAG = "runferry/end"
"""Marks that a chunk, by its number, is whole."""
BLOBS = "runferry_files"
"""The folder beside the event files whose files are named by their sha256."""
DRAFT_FOLDER = ".runferry-"
"""How a folder of ours begins that is not published yet."""
WRITER = "runferry"
"""How `source_metadata.writer` begins in files of ours; a blank and the version follow."""

EVENTS = "tfevents"
PROJECTOR = "projector_config.pbtxt"
PROFILE = ("plugins", "profile")
HPARAMS_TAG = "_hparams_/"

_NAMED = re.compile(r"events\.out\.tfevents\.(\d{1,12})\.(.+)")
_SUFFIXES = re.compile(r"(?:\.v2|\.profile-empty)+$")
_PROCESS = re.compile(r"(.+)\.\d+\.\d+(?:\.[A-Za-z][\w-]*)?")  # host.pid.count, and a suffix
_TIME = re.compile(r"\d{9,11}(?:\.\d{1,9})?")  # str(time.time()), of the years 1973 to 5138
_ILLEGAL = re.compile(r"[^-/\w.]")  # what torch and tensorboardX turn into `_` in tags


@dataclass(frozen=True, slots=True, order=True)
class EventFileName:
    """When a file was begun, in seconds since the epoch, and its name: the order of files."""

    seconds: int
    name: str

    @classmethod
    def of(cls, name: str) -> EventFileName:
        """A name without a time comes before those that have one."""
        named = _NAMED.search(name)
        return cls(int(named[1]) if named else 0, name)


def is_event_file(name: str) -> bool:
    """TensorBoard's own rule: any name with `tfevents` in it."""
    return EVENTS in name


def host_of(name: str) -> str | None:
    """The machine that an event file's name tells."""
    named = _NAMED.search(name)
    if named is None:
        return None
    rest = _SUFFIXES.sub("", named[2])
    with_process = _PROCESS.fullmatch(rest)
    return with_process[1] if with_process else rest or None


def is_time(name: str) -> bool:
    """Whether a folder is named as `add_hparams` does without a name: `str(time.time())`."""
    return _TIME.fullmatch(name) is not None


def member_of(folder: str, tag: str) -> str | None:
    """The name under which `add_scalars` wrote into `folder`, if it did so for `tag`.

    `folder` is the path below the writer's own. torch spells it `<main_tag, / as _>_<name>`,
    tensorboardX `<main_tag>/<name>`; both write with the main tag, in which characters that were
    not allowed have become `_`, and leading slashes are gone.
    """
    cleaned = _ILLEGAL.sub("_", folder)
    for prefix in (f"{tag}/", f"{tag.replace('/', '_')}_"):
        if tag and cleaned.startswith(prefix) and len(folder) > len(prefix):
            return folder[len(prefix) :]
    return None


def tag_path(key: str, fact: str) -> KeyPath:
    """Where a fact of a tag's metadata stands among the attributes of role "other".

    Facts are `plugin`, `display_name`, `description`, `data_class`, `content` (bytes) and `shape`
    (of texts of one element): only those that are not what TensorBoard would take them to be.
    """
    return ("tensorboard", "tags", key, fact)


def session_path(*parts: str) -> KeyPath:
    """Where what hparams say of a session stands, among the attributes of role "other".

    That is `model_uri` and `monitor_url`; values that a later file states otherwise, below its
    label; and those of files beside, below "beside".
    """
    return ("tensorboard", "hparams", *parts)


def file_fact_path(fact: str) -> KeyPath:
    """Where `file_version` and `writer` stand among the attributes of role "environment"."""
    return ("tensorboard", fact)


_SCALAR, _TENSOR, _BLOB_SEQUENCE = 1, 2, 3  # `DataClass` of `summary.proto`
_DATA_CLASSES = {
    "": _SCALAR,
    "scalars": _SCALAR,
    "histograms": _TENSOR,
    "distributions": _TENSOR,
    "text": _TENSOR,
    "pr_curves": _TENSOR,
    "mesh": _TENSOR,
    "images": _BLOB_SEQUENCE,
    "audio": _BLOB_SEQUENCE,
    "graphs": _BLOB_SEQUENCE,
    "graph_run_metadata": _BLOB_SEQUENCE,
    "graph_run_metadata_graph": _BLOB_SEQUENCE,
    "graph_keras_model": _BLOB_SEQUENCE,
}
"""By plugin, as `dataclass_compat.py` of TensorBoard 2.21 has them for tags that state none."""
_CONTENT_ELSEWHERE = {"pr_curves", "mesh"}  # in the metadata of their media


def is_default(tag: str, plugin: str, fact: str, value: object) -> bool:
    """Whether TensorBoard would take a tag to have this fact if nobody had stated it."""
    match fact:
        case "plugin":
            return value in _DATA_CLASSES
        case "display_name":
            return value in ("", tag)
        case "data_class":
            return value in (0, _DATA_CLASSES.get(plugin))  # 0: unknown
        case "content":
            return not value or plugin in _CONTENT_ELSEWHERE
        case _:
            return not value
