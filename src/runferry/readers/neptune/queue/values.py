"""What the attributes of a container hold after the operations so far: all but values of series."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal

from runferry.dialects.json_trees import is_leaf
from runferry.dialects.neptune.names import role_of
from runferry.model import Attribute, KeyPath, Tree
from runferry.readers.neptune.queue.logs import Operation

Kind = Literal["atom", "set", "file", "file set", "artifact", "range"]
_KINDS: Final[tuple[Kind, ...]] = ("atom", "set", "file", "file set", "artifact", "range")


class Unreplayable(ValueError):  # noqa: N818  the field's word, not the suffix
    """An operation that cannot be carried out; says why."""


@dataclass(frozen=True, slots=True)
class Held:
    """What one attribute holds."""

    kind: Kind
    value: Tree


@dataclass
class Values:
    """The attributes by path, in the order in which they were first assigned."""

    container_id: str
    held: dict[KeyPath, Held] = field(default_factory=dict)

    def takes(self, kind: str) -> bool:
        """Whether operations of this kind are about what is held here."""
        return kind in _DO

    def apply(self, operation: Operation) -> None:
        """Carry out an operation. Raises Unreplayable."""
        _DO[operation.kind](self, operation)

    def remove(self, path: KeyPath) -> None:
        """Forget an attribute, if it is there."""
        self.held.pop(path, None)

    def attributes(self) -> Iterator[Attribute]:
        """Single values, sets of strings, and the ranges that are told of series."""
        for path, one in self.held.items():
            if one.kind in ("atom", "set"):
                yield Attribute(path, role_of(path), one.value)
            elif one.kind == "range":
                yield Attribute(("neptune", "series", *path), "other", one.value)

    def tree(self) -> Tree:
        """As a cursor's; see `restored`."""
        return [[list(path), one.kind, one.value] for path, one in self.held.items()]

    @classmethod
    def restored(cls, container_id: str, tree: Tree) -> Values:
        """The inverse of `tree`. Raises TypeError for anything else."""
        values = cls(container_id)
        for row in tree if isinstance(tree, list) else [None]:
            match row:
                case [list(path), str(stated), value]:
                    kind = next((one for one in _KINDS if one == stated), None)
                    if kind is None or not all(isinstance(name, str) for name in path):
                        raise TypeError("not what was held")
                    values.held[tuple(str(name) for name in path)] = Held(kind, value)
                case _:
                    raise TypeError("not what was held")
        return values

    # --- the operations

    def _assign(self, operation: Operation) -> None:
        value = operation.fields.get("value")
        wanted = _ATOMS[operation.kind]
        if operation.kind == "AssignFloat" and isinstance(value, int):
            value = _float(value)
        if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
            raise Unreplayable(f"no {wanted.__name__} is assigned")
        self.held[operation.path] = Held("atom", value)

    def _assign_time(self, operation: Operation) -> None:
        value = operation.fields.get("value")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Unreplayable("no time is assigned")
        try:
            time = datetime.fromtimestamp(value / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            raise Unreplayable("a time beyond all years") from None
        self.held[operation.path] = Held("atom", time)

    def _strings(self, operation: Operation) -> None:
        values = _texts(operation.fields.get("values"))
        known = self._list(operation.path, "set")
        if operation.kind == "AddStrings":
            known = [*known, *(one for one in dict.fromkeys(values) if one not in known)]
        else:
            known = [one for one in known if one not in values]
        self.held[operation.path] = Held("set", known)

    def _clear_strings(self, operation: Operation) -> None:
        self.held[operation.path] = Held("set", [])

    def _range(self, operation: Operation) -> None:
        names = ("min", "max", "unit")
        told: dict[str, Tree] = {name: operation.fields.get(name) for name in names}
        if not all(map(is_leaf, told.values())):
            raise Unreplayable("no range of a series")
        self.held[operation.path] = Held("range", told)

    def _upload(self, operation: Operation) -> None:
        told = {name: operation.fields.get(name) for name in ("ext", "file_path", "tmp_file_name")}
        if not (isinstance(told["file_path"], str) or isinstance(told["tmp_file_name"], str)):
            raise Unreplayable("an upload that names no file")
        self.held[operation.path] = Held("file", {**told})

    def _content(self, operation: Operation) -> None:
        content = operation.fields.get("file_content")
        if not isinstance(content, str):
            raise Unreplayable("an upload without content")
        line = operation.line
        at: dict[str, Tree] = {
            "ext": operation.fields.get("ext"),
            "log": line.name,
            "offset": line.offset,
            "size": len(content) * 3 // 4 - content[-2:].count("="),
        }
        self.held[operation.path] = Held("file", at)

    def _file_set(self, operation: Operation) -> None:
        steps = self._list(operation.path, "file set")
        if operation.kind == "DeleteFiles":
            steps = [*steps, ["delete", *sorted(_texts(operation.fields.get("file_paths")))]]
        else:
            is_anew = operation.fields.get("reset") not in ("False", False)
            found = _texts(operation.fields.get("file_globs"))
            steps = [*([] if is_anew else steps), ["add", *found]]
        self.held[operation.path] = Held("file set", steps)

    def _artifact(self, operation: Operation) -> None:
        known = self.held.get(operation.path)
        told = known.value if known is not None and known.kind == "artifact" else None
        entries = told.get("entries") if isinstance(told, dict) else None
        match operation.kind:
            case "AssignArtifact":
                self.held[operation.path] = Held("artifact", {"hash": operation.fields.get("hash")})
            case "ClearArtifact":
                self.held[operation.path] = Held("artifact", {"entries": []})
            case _:
                added = operation.fields.get("entries")
                if not isinstance(added, list):
                    raise Unreplayable("no list of what is tracked")
                before = entries if isinstance(entries, list) else []
                self.held[operation.path] = Held("artifact", {"entries": [*before, *added]})

    def _copy(self, operation: Operation) -> None:
        source = operation.fields.get("source_path")
        if operation.fields.get("container_id") != self.container_id:
            raise Unreplayable("a copy of what another container holds")
        known = self.held.get(tuple(_texts(source)))
        if known is None:
            raise Unreplayable("a copy of an attribute that is not in these logs")
        self.held[operation.path] = known

    def _list(self, path: KeyPath, kind: Kind) -> list[Tree]:
        known = self.held.get(path)
        if known is None or known.kind != kind or not isinstance(known.value, list):
            return []
        return known.value


def _texts(value: Tree) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Unreplayable("no list of texts")
    return [str(one) for one in value]


def _float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise Unreplayable("a number beyond a double") from None


_ATOMS: Final[dict[str, type]] = {
    "AssignFloat": float,
    "AssignInt": int,
    "AssignBool": bool,
    "AssignString": str,
}
_DO: Final[dict[str, Callable[[Values, Operation], None]]] = {
    **dict.fromkeys(_ATOMS, Values._assign),
    "AssignDatetime": Values._assign_time,
    "AddStrings": Values._strings,
    "RemoveStrings": Values._strings,
    "ClearStringSet": Values._clear_strings,
    "ConfigFloatSeries": Values._range,
    "UploadFile": Values._upload,
    "UploadFileContent": Values._content,
    "UploadFileSet": Values._file_set,
    "DeleteFiles": Values._file_set,
    "AssignArtifact": Values._artifact,
    "TrackFilesToArtifact": Values._artifact,
    "ClearArtifact": Values._artifact,
    "CopyAttribute": Values._copy,
}
