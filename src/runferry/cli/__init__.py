"""The command line: verbs, no logic."""

import sys


def main() -> None:
    """The `runferry` command."""
    from runferry.cli.streams import prepare
    from runferry.cli.verbs import app

    prepare()
    spare_imports()
    app(prog_name="runferry")


def spare_imports() -> None:
    """Import less, in a process that is all ours.

    Neptune's client imports jsonschema, which would make a grammar of internationalised URIs in
    more than a second, for a check of formats that nobody asks for; it does without where the
    package is missing.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # blocks it
