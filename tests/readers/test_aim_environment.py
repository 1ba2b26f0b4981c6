"""The environment that is made for a package which cannot live in everybody's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from runferry.dialects.aim.environment import NoEnvironment, OwnEnvironment, environments
from runferry.python_apart import command_apart, environment_apart

MAKING = """
import sys
from runferry.dialects.aim.environment import OwnEnvironment
versions = (sys.version_info[:2],)
packages = ("tiny==1.0",)
print(OwnEnvironment("Tiny", "1.0", packages, versions, ("-c", sys.argv[1]), "", "").python())
"""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that has one small package."""
    (tmp_path / "wheels").mkdir()
    about = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
    how = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(tmp_path / "wheels" / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        for name, text in (("METADATA", about), ("WHEEL", how), ("RECORD", "")):
            wheel.writestr(f"tiny-1.0.dist-info/{name}", text)
        wheel.writestr("tiny.py", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))


def tiny(
    package: str = "tiny==1.0", tried: str = "import tiny", version: tuple[int, int] | None = None
) -> OwnEnvironment:
    versions = (version or sys.version_info[:2],)
    return OwnEnvironment("Tiny", "1.0", (package,), versions, ("-c", tried), "", "see its page")


def making(tried: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command_apart(MAKING, tried), env=environment_apart(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.usefixtures("wheels")
def test_after_a_kill_half_way_two_at_once_make_one_environment() -> None:
    """What the killed one has started is waited for, since it may still write there."""
    with making("import time; time.sleep(2)") as first:
        while not list(environments().glob("*/lib/python*/site-packages/tiny.py")):
            assert first.poll() is None
            time.sleep(0.02)
        first.kill()
    assert [path.name.count(".") for path in environments().iterdir() if path.is_dir()] == [2]
    rivals = [making("import tiny") for _ in range(2)]
    told = [rival.communicate(timeout=120) for rival in rivals]
    home = tiny().home
    assert {out.strip() for out, _ in told} == {str(home / "bin" / "python")}
    assert sorted(path.name for path in environments().iterdir()) == [
        home.name, f"{home.name}.lock"
    ]  # fmt: skip
    said = "".join(err for _, err in told).splitlines()
    assert [line.partition(", once")[0] for line in said] == [
        "making an environment of its own for Tiny 1.0"
    ]


@pytest.mark.usefixtures("wheels")
def test_an_environment_whose_python_is_gone_is_made_anew() -> None:
    python = tiny().home / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to("removed")
    assert tiny().python() == python
    subprocess.run([python, "-c", "import tiny"], check=True, timeout=60)


@pytest.mark.usefixtures("wheels")
@pytest.mark.parametrize(
    ("made", "why"),
    [
        (tiny("absent==1.0"), "No matching distribution"),
        (tiny(tried="import absent"), "No module named 'absent'"),
    ],
)
def test_what_cannot_be_installed_or_does_not_run_is_told_and_leaves_nothing(
    made: OwnEnvironment, why: str
) -> None:
    with pytest.raises(NoEnvironment) as caught:
        made.python()
    assert why in caught.value.what
    assert caught.value.where == str(made.home)
    assert "see its page" in caught.value.hint
    assert [path.suffix for path in environments().iterdir()] == [".lock"]


def test_where_no_python_is_of_its_versions_uv_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(NoEnvironment) as caught:
        tiny(version=(3, 2)).python()
    assert "wants Python 3.2" in caught.value.what
    assert "`uv`" in caught.value.hint


def test_a_cache_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(NoEnvironment) as caught:
        tiny().python()
    assert "XDG_CACHE_HOME" in caught.value.hint
