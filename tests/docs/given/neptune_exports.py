"""`./exports`: what neptune-exporter leaves of a project of Neptune 3 and of one of Neptune 2."""

from pathlib import Path

from tests.readers.neptune_exports import full_run, old_run

full_run(Path("exports/data"), "swift-owl")
full_run(Path("exports/data"), "calm-crow")
old_run(Path("exports/data"), "VIS-7")
