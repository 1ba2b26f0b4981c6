"""The configuration that stands beside a run's records, whatever wrote those.

Lightning puts `hparams.yaml` beside its logs; Hydra puts `.hydra/{config,hydra,overrides}.yaml`
into the folder that a job runs in.
"""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass, field
from pathlib import Path

from runferry.dialects.json_trees import leaves
from runferry.dialects.yaml_scalars import Flavour
from runferry.dialects.yaml_trees import YamlTree, parse_yaml
from runferry.losses import Fate, Loss
from runferry.model import Attribute, KeyPath, Role, Tree, same_value
from runferry.paths import regular

HYDRA = ".hydra"
HPARAMS = "hparams.yaml"
_BYTES_AT_MOST = 64 << 20  # of a file that is read as a whole


@dataclass
class Beside:
    """What files beside a run say; those that were read, by their names in its folder."""

    attributes: list[Attribute] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def add(self, label: str, tree: YamlTree, role: Role) -> None:
        """Take in the document that `label` names.

        A path that an earlier one has given another value is told under the label instead.
        """
        self._note(label, tree)
        given = {(item.role, item.path): item.value for item in self.attributes}
        moved = 0
        for path, value in _top(label, tree.value):
            if (role, path) not in given:
                self.attributes.append(Attribute(path, role, value))
            elif not same_value(given[role, path], value):
                self.attributes.append(Attribute((label, *path), "other", value))
                moved += 1
        if moved:
            detail = f"an earlier file says otherwise; these are attributes below {label}"
            self.losses.append(Loss("stated-twice", Fate.RENAMED, label, moved, detail))

    def _note(self, label: str, tree: YamlTree) -> None:
        for kind, tags in (("yaml tags", tree.tags), ("yaml key tags", tree.key_tags)):
            self.attributes.extend(
                Attribute((kind, label, *path), "other", tag) for path, tag in tags
            )
        detail = "tags of YAML are kept as attributes, and never acted on"
        self._count("yaml-tag", Fate.REENCODED, label, len(tree.tags + tree.key_tags), detail)
        detail = "a key comes again in one mapping; its last value was taken"
        self._count("repeated-key", Fate.DROPPED, label, len(tree.repeated), detail)
        detail = "a value of `<<: {…}`, where another value of the same key was taken"
        self._count("overridden-value", Fate.DROPPED, label, tree.overridden, detail)

    def _count(self, code: str, fate: Fate, label: str, count: int, detail: str) -> None:
        if count:
            self.losses.append(Loss(code, fate, label, count, detail))


def _top(label: str, value: Tree) -> list[tuple[KeyPath, Tree]]:
    """The values of a whole document; one that is no mapping is a value named by its file."""
    if value is None or value == {}:
        return []
    return list(leaves(value)) if isinstance(value, dict) else [((label,), value)]


def config_beside(folder: Path) -> Beside:
    """`hparams.yaml` and `.hydra/*.yaml` of this folder, as attributes.

    The config is of role `config`. Hydra's own settings (all below "hydra") and the list of
    overrides (at ".hydra/overrides.yaml") are of role `other`. A file that cannot be read is a
    loss, and so is a link that leads out of the folder.
    """
    found = Beside()
    read_yaml(found, folder, HPARAMS, "config")
    read_yaml(found, folder, f"{HYDRA}/config.yaml", "config", flavour="omegaconf")
    for name in ("hydra", "overrides"):
        read_yaml(found, folder, f"{HYDRA}/{name}.yaml", "other", flavour="omegaconf")
    return found


def read_yaml(
    found: Beside,
    folder: Path,
    name: str,
    role: Role,
    flavour: Flavour = "1.1",
) -> None:
    """Add the file `name` of the folder to what was found, if it is there."""
    text = text_beside(folder, name)
    if isinstance(text, Loss):
        found.losses.append(text)
    if not isinstance(text, Text):
        return
    if text.mended:
        detail = "bytes that are no UTF-8 became U+FFFD"
        found.losses.append(Loss("bad-utf8", Fate.ROUNDED, name, text.mended, detail))
    try:
        tree = parse_yaml(text.text, flavour)
    except ValueError as error:
        found.losses.append(unreadable(name, f"no YAML: {error}"))
        return
    found.files.append(name)
    found.add(name, tree, role)


@dataclass(frozen=True, slots=True)
class Text:
    """A small file's text, and how many places of it were no UTF-8."""

    text: str
    mended: int = 0


def file_beside(folder: Path, name: str) -> Path | Loss | None:
    """A regular file of this folder; None if there is none, a Loss if it is not this folder's."""
    path = folder / name
    if regular(path) is None:
        return None
    if not path.resolve().is_relative_to(folder.resolve()):
        return unreadable(name, "a link that leads out of the run's folder")
    return path


def text_beside(folder: Path, name: str, at_most: int = _BYTES_AT_MOST) -> Text | Loss | None:
    """The text of a file of this folder; None if there is none, a Loss if it is not read."""
    path = file_beside(folder, name)
    if not isinstance(path, Path):
        return path
    try:
        size = path.stat().st_size
        if size > at_most:
            return unreadable(name, f"{size:,} bytes are more than such a file has")
        content = path.read_bytes()
    except OSError as error:
        return unreadable(name, str(error.strerror))
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return unreadable(name, f"it is UTF-16: iconv -f UTF-16 -t UTF-8 {name}")
    try:
        return Text(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        text = content.decode("utf-8-sig", "replace")
        return Text(text, text.count("\N{REPLACEMENT CHARACTER}"))


def unreadable(name: str, why: str) -> Loss:
    """A file of a run's folder that is not taken."""
    return Loss("unreadable-file", Fate.DROPPED, name, 1, why)
