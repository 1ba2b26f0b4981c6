"""`./runs.archive`: the two runs of the examples, in an archive as version 1 of its format was."""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
from tests.archive.version_1 import make_version_1

source = Path(os.environ["EXAMPLES"], "wandb")
pull = [sys.executable, "-m", "runferry", "pull", str(source), "runs.archive", "--quiet"]
subprocess.run(pull, check=True)
make_version_1(Path("runs.archive"))
