"""What the source said of its tags, for the metadata of ours: names to display, descriptions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from runferry.dialects.protobuf import field
from runferry.dialects.tensorboard.names import tag_path
from runferry.model import Attribute


@dataclass(slots=True)
class TagFacts:
    """Of one tag."""

    display_name: str = ""
    description: str = ""
    content: bytes = b""  # the plugin's own
    shape: tuple[int, ...] = ()  # of texts that are one element

    def spelled(self) -> bytes:
        """The fields of `SummaryMetadata` that are about neither plugin nor data class."""
        named = ((2, self.display_name), (3, self.description))
        return b"".join(field(number, text) for number, text in named if text)


def tag_facts(attributes: Iterable[Attribute]) -> dict[str, TagFacts]:
    """By tag, from what the reader has made attributes of."""
    found: dict[str, TagFacts] = {}
    place = tag_path("", "")
    for attribute in attributes:
        path = attribute.path
        if attribute.role != "other" or len(path) != len(place) or path[:-2] != place[:-2]:
            continue
        facts = found.setdefault(path[-2], TagFacts())
        match path[-1], attribute.value:
            case ("display_name" | "description") as fact, str(text):
                setattr(facts, fact, text)
            case "content", bytes(content):
                facts.content = content
            case "shape", [*sizes] if all(size == 1 for size in sizes):
                facts.shape = (1,) * len(sizes)
    return found
