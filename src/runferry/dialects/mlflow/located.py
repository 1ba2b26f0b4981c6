"""Which artifact folder stands behind an artifact URI."""

from __future__ import annotations

import sys
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote, urlsplit

from runferry.dialects.mlflow.artifacts import ArtifactFolder, NoFolder
from runferry.dialects.mlflow.local_folder import LocalFolder
from runferry.dialects.mlflow.vendor_folder import VendorFolder


def local_path(uri: str) -> Path | None:
    """The folder behind an artifact URI of this machine; None for any other place.

    A drive letter of another system's path is not a scheme, and not a path here either.
    """
    if PureWindowsPath(uri).drive and sys.platform != "win32":
        return None
    parts = urlsplit(uri)
    if parts.scheme == "file":
        path = unquote(parts.path)
        if sys.platform == "win32" or PureWindowsPath(path.lstrip("/")).drive:
            path = path.lstrip("/")
        return None if PureWindowsPath(path).drive and sys.platform != "win32" else Path(path)
    return Path(uri) if not parts.scheme or len(parts.scheme) == 1 else None


def folder_at(uri: str | None) -> ArtifactFolder:
    """The folder behind a run's artifact URI, when it is not served by a tracking server."""
    if not uri:
        return NoFolder("")
    path = local_path(uri)
    if path is not None:
        return LocalFolder(path)
    scheme = urlsplit(uri).scheme
    if scheme in ("mlflow-artifacts", "http", "https", "file", "") or len(scheme) == 1:
        return NoFolder(uri)
    return VendorFolder(uri)
