"""Which artifact folder stands behind an artifact URI."""

from __future__ import annotations

import posixpath
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


def below(uri: str, *names: str) -> str:
    """The URI of what is below a folder; a query stays behind the path.

    The same as `append_to_uri_path` of mlflow 3.17.
    """
    path, rest = _split(uri)
    return posixpath.join(path, *names) + rest


def above(uri: str, name: str) -> str | None:
    """The folder that holds this one; None where this one has another name."""
    path, rest = _split(uri)
    return path.removesuffix(f"/{name}") + rest if path.endswith(f"/{name}") else None


def _split(uri: str) -> tuple[str, str]:
    """A path of this machine has no query: there, `?` and `#` are letters like any other."""
    if not urlsplit(uri).scheme:
        return uri, ""
    at = min((i for i in (uri.find("?"), uri.find("#")) if i >= 0), default=len(uri))
    return uri[:at], uri[at:]


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
