"""Settings: what they are, what they may be, and which of four places wins.

Command line > environment (`RUNFERRY_WORKERS`) > `./runferry.toml` > the user's own
`runferry/config.toml` > the defaults below. Relative paths are seen from the current folder.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Literal

from runferry.errors import BadSetting
from runferry.losses import Fate

PREFIX = "RUNFERRY_"
FLAGS: Mapping[str, str] = {
    "neptune_visibility": "--visibility",
    "neptune_description": "--description",
    "neptune_stage_as_tag": "--stage-as-tag",
}
"""Settings whose flags are not called as they are."""
PROJECT_FILE = "runferry.toml"
NOT_SETTINGS = frozenset({"RUNFERRY_CORPUS", "RUNFERRY_LIVE_JOURNAL", "RUNFERRY_LIVE_TO"})
"""Variables with our prefix that something else reads: the test suite, and `live`."""

Color = Literal["auto", "always", "never"]
NeptuneMode = Literal["async", "sync", "offline", "debug"]
NeptuneModels = Literal["runs", "models"]
NeptuneVisibility = Literal["workspace", "private", "public"]
NeptuneUploads = Literal["beside", "anywhere"]
AimEnvironment = Literal["auto", "off"]
LiveUpload = Literal["end", "growing"]


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting with its default."""

    archive: Path = Path(".runferry")
    """Where `convert` and `pull` keep their archive."""
    workers: int = min(4, os.cpu_count() or 1)
    """Runs that are moved at the same time."""
    allow: Fate = Fate.REENCODED
    """The worst fate that still counts as success."""
    timezone: tzinfo = UTC
    """How a source's naive times are read."""
    reserve_bytes: int = 256 * 1024**2
    """Disk space that pulling leaves free; `"2 GB"` is understood."""
    timeout: float = 60.0
    """Seconds of silence after which a connection counts as dead."""
    patience: float = 300.0
    """Seconds that one request is retried for before it counts as failed."""
    rate: float | None = None
    """Requests a second that one server is asked at most, by all workers together."""
    ca_bundle: Path | None = None
    """Certificate authorities (PEM) that are trusted besides the public ones."""
    proxy: str | None = None
    """The proxy for all requests, in place of `HTTPS_PROXY` and its kin."""
    tensorboard_doubles: bool = False
    """Write scalars that 32 bits would round as doubles: exact for every program, and not shown by
    TensorBoard unless it is started with `--load_fast=false`."""
    neptune_mode: NeptuneMode = "async"
    """How Neptune's client sends: `async`, `sync`, `offline` (a `.neptune` folder) or `debug`."""
    neptune_visibility: NeptuneVisibility = "workspace"
    """Who sees a project that is made in Neptune: `workspace`, `private` or `public`."""
    neptune_description: str | None = None
    """How a project that is made in Neptune is described; `Exported from URL` unless it is said."""
    neptune_models: NeptuneModels = "runs"
    """What models of Neptune become in an archive for it: `runs`, or `models` as they were."""
    neptune_stage_as_tag: bool = False
    """The stage of a model becomes a tag, which can be changed, instead of `old_sys/stage`."""
    neptune_uploads: NeptuneUploads = "beside"
    """Which files are read that a `.neptune` folder names by absolute paths: those `beside` it, or
    those `anywhere` on this machine."""
    aim_python: Path | None = None
    """The Python that has Aim, where it has an environment of its own."""
    aim_environment: AimEnvironment = "auto"
    """Whether an environment is made for Aim where it is not installed: `auto` or `off`."""
    swanlab_project: str | None = None
    """The project of SwanLab that all runs go into; else each its own."""
    swanlab_workspace: str | None = None
    """The workspace of SwanLab that runs go into; else the account's own."""
    swanlab_dashboard: bool = False
    """List runs that are written for SwanLab in its local dashboard too (`swanlab watch`)."""
    live_project: str = "runferry"
    """The project of experiments that `start_logging` begins without one."""
    live_upload: LiveUpload = "end"
    """When a mirrored run goes to SwanLab's cloud or a ClearML server: at its `end`, or while it is
    `growing`."""
    log_file: Path | None = None
    """Where the log is written."""
    color: Color = "auto"
    """`auto` colours a terminal unless `NO_COLOR` is set."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings that hold, and for each the place that it was taken from."""

    settings: Settings
    origins: Mapping[str, str]


Value = str | int | float | bool | Path | Fate | tzinfo
"""What a setting may be given as: text from outside, or its own type from Python."""


def _path(value: Value) -> Path:
    if not isinstance(value, (str, Path)) or not str(value):
        raise ValueError("a path is wanted")
    return Path(value).expanduser()


def workers_of(value: Value) -> int:
    """A number of workers. Raises ValueError."""
    count = _whole(value)
    if not 1 <= count <= 256:
        raise ValueError("a whole number from 1 to 256 is wanted")
    return count


def _whole(value: Value) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError("a whole number is wanted")
    try:
        return int(value)
    except ValueError:
        raise ValueError("a whole number is wanted") from None


def _seconds(value: Value) -> float:
    wanted = "a number of seconds above 0 is wanted"
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(wanted)
    try:
        seconds = float(value)
    except ValueError:
        raise ValueError(wanted) from None
    if not 0 < seconds < float("inf"):
        raise ValueError(wanted)
    return seconds


def _rate(value: Value) -> float:
    try:
        return _seconds(value)
    except ValueError:
        raise ValueError("a number of requests a second above 0 is wanted") from None


_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)


def _bytes(value: Value) -> int:
    match = _SIZE.fullmatch(str(value).strip())
    if isinstance(value, bool) or match is None:
        raise ValueError('a size such as 1000000 or "2 GB" is wanted')
    power = " kmgt".index(match[2].lower() or " ")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** power)


def _fate(value: Value) -> Fate:
    if isinstance(value, Fate):
        return value
    try:
        return Fate.parse(str(value))
    except ValueError:
        raise ValueError(f"one of {', '.join(f.label for f in Fate)} is wanted") from None


def _timezone(value: Value) -> tzinfo:
    if isinstance(value, tzinfo):
        return value
    if str(value).upper() in ("UTC", "Z"):
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("the name of a time zone such as Europe/Berlin is wanted") from None


def _truth(value: Value) -> bool:
    match str(value).lower():
        case "true" | "1" | "yes":
            return True
        case "false" | "0" | "no":
            return False
    raise ValueError("true or false is wanted")


def _proxy(value: Value) -> str:
    if not re.match(r"(https?|socks5h?)://[^/\s]+", str(value)):
        raise ValueError("a URL such as http://proxy:3128 is wanted")
    return str(value)


def _words(value: Value) -> str:
    if not isinstance(value, str):
        raise ValueError("text is wanted")
    return value


def _color(value: Value) -> Color:
    match str(value).lower():
        case "auto":
            return "auto"
        case "always":
            return "always"
        case "never":
            return "never"
    raise ValueError("one of auto, always, never is wanted")


def _one_of(*words: str) -> Callable[[Value], str]:
    def parsed(value: Value) -> str:
        if str(value).lower() not in words:
            raise ValueError(f"one of {', '.join(words)} is wanted")
        return str(value).lower()

    return parsed


PARSERS: Mapping[str, Callable[[Value], object]] = {
    "archive": _path,
    "workers": workers_of,
    "allow": _fate,
    "timezone": _timezone,
    "reserve_bytes": _bytes,
    "timeout": _seconds,
    "patience": _seconds,
    "rate": _rate,
    "ca_bundle": _path,
    "proxy": _proxy,
    "tensorboard_doubles": _truth,
    "neptune_mode": _one_of("async", "sync", "offline", "debug"),
    "neptune_visibility": _one_of("workspace", "private", "public"),
    "neptune_description": _words,
    "neptune_models": _one_of("runs", "models"),
    "neptune_stage_as_tag": _truth,
    "neptune_uploads": _one_of("beside", "anywhere"),
    "aim_python": _path,
    "aim_environment": _one_of("auto", "off"),
    "swanlab_project": _words,
    "swanlab_workspace": _words,
    "swanlab_dashboard": _truth,
    "live_project": _words,
    "live_upload": _one_of("end", "growing"),
    "log_file": _path,
    "color": _color,
}


def resolve(
    flags: Mapping[str, Value | None] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    user_file: Path | None = None,
) -> Resolved:
    """The settings that hold here and now; a flag that is None was not given.

    Raises BadSetting, which names the flag, the variable, or the file and its line.
    """
    values: dict[str, object] = {}
    origins = {field.name: "default" for field in fields(Settings)}

    def take(name: str, value: Value, origin: str, spelled: str) -> None:
        values[name] = _parsed(name, value, spelled=spelled, where=origin)
        origins[name] = origin

    for file in (user_file or user_config(), (folder or Path()) / PROJECT_FILE):
        text = _text(file)
        for name, value in _tables(file, text).items():
            origin = f"{file}, line {_line(text, name)}"
            _known(name, name, origin)
            take(name, value, origin, name)
    environment = os.environ if environ is None else environ
    for variable in sorted(environment):
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS:
            name = variable.removeprefix(PREFIX).lower()
            _known(name, variable, "the environment")
            if environment[variable]:  # `VARIABLE=` is how a shell script takes one away
                take(name, environment[variable], "the environment", variable)
    for name, flag in (flags or {}).items():
        if flag is not None:
            spelled = FLAGS.get(name, f"--{name.replace('_', '-')}")
            take(name, flag, "the command line", spelled)
    return Resolved(Settings(**values), origins)  # type: ignore[arg-type]  # parsed one by one


def user_config() -> Path:
    """The user's own settings file, whether it is there or not."""
    import platformdirs

    return platformdirs.user_config_path("runferry", appauthor=False) / "config.toml"


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(
            "this settings file cannot be read",
            where=f"{file}: {error}",
            hint=f"ls -l {shlex.quote(str(file))}",
        ) from error


def _tables(file: Path, text: str) -> Mapping[str, Value]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadSetting(f"this settings file is not TOML: {error}", where=str(file)) from error


def _line(text: str, name: str) -> int:
    """The line that sets `name`; tomllib does not tell."""
    setting = re.compile(rf"""\s*\[?\s*["']?{re.escape(name)}\b""")
    return next((n for n, line in enumerate(text.splitlines(), 1) if setting.match(line)), 1)


def _known(name: str, spelled: str, origin: str) -> None:
    if name in PARSERS:
        return
    near = difflib.get_close_matches(name, PARSERS, 1)
    raise BadSetting(
        f"there is no setting `{spelled}`",
        where=origin,
        hint=f"did you mean `{near[0]}`?" if near else "runferry settings",
    )


def _parsed(name: str, value: Value, *, spelled: str, where: str) -> object:
    try:
        return PARSERS[name](value)
    except ValueError as error:
        from runferry.redact import without_credentials

        shown = without_credentials(str(value))
        raise BadSetting(f"`{spelled}` cannot be {shown!r}: {error}", where=where) from None


class _Ambient:
    """The settings of this process, looked up once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.settings: Settings | None = None


_ambient = _Ambient()


def current() -> Settings:
    """The settings of this process: those installed, else what environment and files say.

    Readers and writers are opened from a location alone, so what they need besides is here.
    """
    with _ambient.lock:
        if _ambient.settings is None:
            _ambient.settings = resolve().settings
        return _ambient.settings


def install(settings: Settings | None) -> None:
    """Make these the settings of this process; None forgets them."""
    with _ambient.lock:
        _ambient.settings = settings
