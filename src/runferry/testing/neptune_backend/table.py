"""A table of containers: its cells, and the conditions that a row has to meet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from neptune.exceptions import MetadataInconsistency
from neptune.internal.backends.api_model import AttributeType, AttributeWithProperties

from runferry.testing.neptune_backend.server import leaves

_TERM: Final = re.compile(
    r'`(?P<path>[^`]+)`:\w+ (?P<is_not>!?)= (?:"(?P<text>[^"]*)"|(?P<word>\w+))'
)
_ATOMS: Final = {
    "Boolean": AttributeType.BOOL,
    "Datetime": AttributeType.DATETIME,
    "Float": AttributeType.FLOAT,
    "Integer": AttributeType.INT,
    "String": AttributeType.STRING,
}
_FALSE_BY_DEFAULT: Final = "sys/trashed"


class Conditions:
    """A query in NQL, as far as the client's own and ours go: comparisons joined by AND."""

    def __init__(self, query: object) -> None:
        """Raises NotImplementedError for any other."""
        text = "" if query is None else str(query)
        rest = re.sub(r"\bAND\b|[()\s]", "", _TERM.sub("", text))
        if rest:
            raise NotImplementedError(f"a query with {rest!r}: {text}")
        self._terms = list(_TERM.finditer(text))

    def hold(self, container: Any) -> bool:
        """Whether a row is meant; an attribute that it lacks meets no condition."""
        return all(self._holds(term, container) for term in self._terms)

    def _holds(self, term: re.Match[str], container: Any) -> bool:
        wanted = term["text"] if term["word"] is None else term["word"]
        attribute = _attribute(container, term["path"])
        if attribute is None and term["path"] != _FALSE_BY_DEFAULT:
            return False
        found = False if attribute is None else attribute.value
        text = str(found).lower() if isinstance(found, bool) else str(found)
        return (text == wanted) != bool(term["is_not"])


def cells(container: Any, columns: Iterable[str] | None) -> Iterator[AttributeWithProperties]:
    """The single values and sets of a row, as the server sends them; without columns all."""
    paths = columns or (path for path, _ in leaves(container.get_structure()))
    for path in paths:
        value = _attribute(container, path)
        kind = type(value).__name__
        if kind == "StringSet":
            told = {"values": sorted(value.values)}
            yield AttributeWithProperties(path, AttributeType.STRING_SET, told)
        elif kind in _ATOMS:
            cell = value.value
            if kind == "Datetime":
                cell = cell.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            yield AttributeWithProperties(path, _ATOMS[kind], {"value": cell})


def _attribute(container: Any, path: str) -> Any:
    """What stands at a path; None for nothing and for a namespace."""
    try:
        found = container.get(path.split("/"))
    except MetadataInconsistency:  # below an attribute
        return None
    return None if isinstance(found, dict) else found
