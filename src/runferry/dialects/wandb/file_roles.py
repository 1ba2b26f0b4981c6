"""What a file of a run of W&B is, judged by its name below `files/`."""

from __future__ import annotations

import re
from typing import Final

from runferry.model import FileRole

_CHECKPOINT: Final = re.compile(
    r"\.(ckpt|pth|pt|safetensors|h5|keras|pkl|joblib|onnx)$|checkpoint", re.I
)
_REQUIREMENTS: Final = {"requirements.txt", "conda-environment.yaml", "uv.lock", "poetry.lock"}
_SOURCE: Final = re.compile(r"(code/.*|(upstream_)?diff.*\.patch)")


def role_of(name: str) -> FileRole:
    """The role that W&B's own use of the name gives it."""
    if name == "output.log":
        return "console"
    if name in _REQUIREMENTS:
        return "requirements"
    if _SOURCE.fullmatch(name):
        return "source"
    return "checkpoint" if _CHECKPOINT.search(name) else "other"
