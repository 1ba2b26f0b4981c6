"""Found first on the path of what `runferry run` starts: puts the hooks on, and steps aside.

Whatever goes wrong here, the program runs as it would have without us.
"""

import contextlib
import sys
from pathlib import Path

_HERE = str(Path(__file__).resolve().parent)
_PACKAGES = str(Path(__file__).resolve().parents[3])


def _others() -> None:
    """The `sitecustomize` that would have been found without this one."""
    import importlib.util

    sys.path[:] = [entry for entry in sys.path if entry != _HERE]
    ours = sys.modules.pop("sitecustomize")
    try:
        found = importlib.util.find_spec("sitecustomize")
        if found is not None and found.loader is not None:
            module = importlib.util.module_from_spec(found)
            sys.modules["sitecustomize"] = module
            found.loader.exec_module(module)
    finally:
        sys.modules.setdefault("sitecustomize", ours)  # whoever imports it looks for it there


def _ours() -> None:
    added = _PACKAGES not in sys.path
    if added:
        sys.path.append(_PACKAGES)
    try:
        from runferry.live.joining import join

        join()
    finally:
        if added:
            sys.path.remove(_PACKAGES)


with contextlib.suppress(Exception):
    _ours()
with contextlib.suppress(ImportError):
    _others()
