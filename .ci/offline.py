"""Fails when a page of the site asks anybody else for a script, a style, a font or a picture.

Usage: offline.py SITE
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path


class Fetched(HTMLParser):
    """Gathers what a browser fetches for a page, links to other pages left out."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element."""
        stated = dict(attrs)
        place = stated.get("href" if tag == "link" else "src")
        if place and tag != "a" and stated.get("rel") not in ("canonical", "prev", "next"):
            self.places.append(place)


def main() -> int:
    """Look through all pages."""
    pages = sorted(Path(sys.argv[1]).rglob("*.html"))
    found: dict[str, str] = {}
    for page in pages:
        fetched = Fetched()
        fetched.feed(page.read_text(encoding="utf-8"))
        found |= {p: page.name for p in fetched.places if p.startswith(("http:", "https:", "//"))}
    for place, page in found.items():
        print(f"{page} fetches {place}")
    return 1 if found or not pages else 0


if __name__ == "__main__":
    sys.exit(main())
