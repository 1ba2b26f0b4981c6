"""The command line: verbs, no logic."""


def main() -> None:
    """The `runferry` command."""
    from runferry.cli.streams import prepare
    from runferry.cli.verbs import app
    from runferry.thrift import spare_work

    prepare()
    spare_work()
    app(prog_name="runferry")
