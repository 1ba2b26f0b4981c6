"""`./offline`: an experiment that Comet's own client logged."""

import subprocess
import sys
from pathlib import Path

import tests

Path("offline").mkdir()
script = Path(next(iter(tests.__path__)), "readers", "comet_script.py")
subprocess.run([sys.executable, "-P", str(script), "offline"], check=True, capture_output=True)
Path("offline/plain.txt").unlink()
