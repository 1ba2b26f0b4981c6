"""Whether what pip would install together fits together, as `pip check` asks of an environment.

    pip install --dry-run --ignore-installed --quiet --report FILE '.[all]'
    python .ci/together.py FILE

That resolves all of it anew, whatever is installed here, and installs nothing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def main(file: Path) -> int:
    """Print what is broken; 1 if anything is."""
    report = json.loads(file.read_text())
    problems = list(broken(report["install"], report["environment"]))
    for problem in problems:
        print(problem)
    print(f"{len(report['install'])} packages together: {len(problems)} broken requirements")
    return 1 if problems else 0


def broken(items: list[Any], environment: dict[str, str]) -> Iterator[str]:
    """Requirements that the chosen versions do not meet, those of extras that are asked for too."""
    chosen = {canonicalize_name(item["metadata"]["name"]): item["metadata"] for item in items}
    pending = [
        (canonicalize_name(item["metadata"]["name"]), extra)
        for item in items
        for extra in ("", *item.get("requested_extras", ()))
    ]
    seen = set(pending)
    while pending:
        name, extra = pending.pop()
        for stated in chosen[name].get("requires_dist", ()):
            wanted = Requirement(stated)
            if wanted.marker and not wanted.marker.evaluate(environment | {"extra": extra}):
                continue
            needed = canonicalize_name(wanted.name)
            if needed not in chosen:
                yield f"{name} requires {stated}, which is not chosen"
                continue
            version = chosen[needed]["version"]
            if not wanted.specifier.contains(version, prereleases=True):
                yield f"{name} requires {stated}, but {needed} {version} is chosen"
            new = {(needed, it) for it in wanted.extras} - seen
            seen |= new
            pending += new


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
