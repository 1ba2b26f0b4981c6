"""The command line: verbs, no logic."""

import sys


def main() -> None:
    """The `runferry` command."""
    from runferry.cli.failure import tell
    from runferry.cli.pipes import Unwritten
    from runferry.cli.streams import prepare
    from runferry.cli.verbs import app
    from runferry.thrift import spare_work

    prepare()
    spare_work()
    try:
        try:
            app(prog_name="runferry")
        finally:
            sys.stdout.flush()  # here its reader's absence is an exit code, later it is a traceback
    except Unwritten as error:
        tell(error.told)
        raise
