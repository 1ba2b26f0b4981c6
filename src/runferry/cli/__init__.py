"""The command line: verbs, no logic."""


def main() -> None:
    """The `runferry` command."""
    from runferry.cli.streams import prepare
    from runferry.cli.verbs import app

    prepare()
    app(prog_name="runferry")
