"""The example of CONTRIBUTING.md is code: it keeps the laws of a reader."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(
    r"^```python\n(.*?)^```$",
    (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
    re.DOTALL | re.MULTILINE,
)


def imported(name: str, source: str, folder: Path) -> ModuleType:
    file = folder / f"{name.rpartition('.')[2]}.py"
    file.write_text(source, encoding="utf-8")
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_FOLDER = TemporaryDirectory(prefix="contributing-")  # goes with this module
sys.modules.setdefault("my_package", ModuleType("my_package"))
imported("my_package.jsonlines", BLOCKS[0], Path(_FOLDER.name))
TestJsonLines = imported("my_package.test_jsonlines", BLOCKS[1], Path(_FOLDER.name)).TestJsonLines
