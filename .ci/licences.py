"""Fails when something that we ship or depend on has a licence we do not know to be permissive."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution

PERMISSIVE = re.compile(
    r"apache|\bmit\b|\bbsd|isc\b|mpl[- ]2|mozilla public license 2|psf|python software foundation"
    r"|unlicense|bsl[- ]1|zlib|unicode|cc0|0bsd|hpnd",
    re.IGNORECASE,
)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def python_packages(root: str) -> dict[str, str]:
    """What an installation without extras brings along, with its licence."""
    found: dict[str, str] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name.lower() in found:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:  # for another platform or Python
            continue
        found[name.lower()] = licence_of(package)
        for requirement in package.requires or ():
            if "extra ==" not in requirement and (match := _NAME.match(requirement)):
                waiting.append(match[0])
    return found


def licence_of(package: Distribution) -> str:
    """The licence as the package states it, in one of the three places where packages do."""
    stated = package.metadata
    classifiers = [c for c in stated.get_all("Classifier") or () if c.startswith("License ::")]
    text = stated.get("License-Expression") or stated.get("License") or ""
    return " / ".join(filter(None, [text.partition("\n")[0], *classifiers])) or "unknown"


def crates() -> dict[str, str]:
    """What the extension is built from, with its licence."""
    told = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked"],
        capture_output=True,
        check=True,
    )
    packages = json.loads(told.stdout)["packages"]
    return {f"{p['name']} (crate)": p["license"] or "unknown" for p in packages}


def main() -> int:
    """Print what is not known to be permissive; 1 if there is any."""
    licences = {**python_packages("runferry"), **crates()}
    strangers = {n: text for n, text in licences.items() if not PERMISSIVE.search(text)}
    for name, text in sorted(strangers.items()):
        print(f"{name}: {text}")
    print(f"{len(licences)} licences, {len(strangers)} not known to be permissive")
    return 1 if strangers else 0


if __name__ == "__main__":
    sys.exit(main())
