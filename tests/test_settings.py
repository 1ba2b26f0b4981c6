"""One stated precedence, and no typo that passes in silence."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from runferry import settings
from runferry.errors import BadSetting
from runferry.losses import Fate
from runferry.settings import PARSERS, Resolved, Settings, Value, resolve


@pytest.fixture
def places(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path


def resolved(
    places: Path,
    *,
    user: str = "",
    project: str = "",
    environ: dict[str, str] | None = None,
    **flags: Value | None,
) -> Resolved:
    user_file = places / "config.toml"
    if user:
        user_file.write_text(user, encoding="utf-8")
    if project:
        (places / "here" / "runferry.toml").write_text(project, encoding="utf-8")
    return resolve(flags, environ=environ or {}, folder=places / "here", user_file=user_file)


def test_an_empty_variable_is_not_set(places: Path) -> None:
    empty = {f"RUNFERRY_{name.upper()}": "" for name in PARSERS}
    assert resolved(places, environ=empty).settings == Settings()


def test_command_line_beats_environment_beats_project_beats_user_beats_default(
    places: Path,
) -> None:
    layers: dict[str, object] = {
        "user": "workers = 2",
        "project": "workers = 3",
        "environ": {"RUNFERRY_WORKERS": "4"},
        "workers": 5,
    }
    given: dict[str, object] = {}
    assert resolved(places).settings == Settings()
    for expected, (layer, value) in enumerate(layers.items(), 2):
        given[layer] = value
        found = resolved(places, **given)  # type: ignore[arg-type]
        assert found.settings.workers == expected
    assert resolved(places, **given, allow=None).origins["workers"] == "the command line"  # type: ignore[arg-type]


def test_every_setting_says_where_it_came_from(places: Path) -> None:
    found = resolved(places, user="# mine\nallow = 'rounded'", environ={"RUNFERRY_TIMEOUT": "5"})
    assert found.origins["allow"] == f"{places / 'config.toml'}, line 2"
    assert found.origins["timeout"] == "the environment"
    assert found.origins["workers"] == "default"
    assert list(found.origins) == [field.name for field in fields(Settings)]


def test_every_setting_can_be_given_as_text(places: Path) -> None:
    texts = {
        "archive": "a/b",
        "workers": "7",
        "allow": "dropped",
        "timezone": "Europe/Berlin",
        "reserve_bytes": "1.5 GiB",
        "timeout": "2.5",
        "patience": "10",
        "rate": "2.5",
        "ca_bundle": "ca.pem",
        "proxy": "http://user:pw@proxy:3128",
        "tensorboard_doubles": "true",
        "neptune_mode": "offline",
        "neptune_visibility": "private",
        "neptune_description": "Ours",
        "neptune_models": "models",
        "swanlab_dashboard": "true",
        "swanlab_project": "zoo",
        "swanlab_workspace": "team",
        "neptune_stage_as_tag": "true",
        "neptune_uploads": "anywhere",
        "aim_python": "aim-env/bin/python",
        "aim_environment": "off",
        "live_project": "zoo",
        "live_upload": "growing",
        "log_file": "run.log",
        "color": "never",
    }
    assert set(texts) == set(PARSERS) == {field.name for field in fields(Settings)}
    environ = {f"RUNFERRY_{name.upper()}": text for name, text in texts.items()}
    assert resolved(places, environ=environ).settings == Settings(
        archive=Path("a/b"),
        workers=7,
        allow=Fate.DROPPED,
        timezone=ZoneInfo("Europe/Berlin"),
        reserve_bytes=3 * 2**29,
        timeout=2.5,
        patience=10.0,
        rate=2.5,
        ca_bundle=Path("ca.pem"),
        proxy="http://user:pw@proxy:3128",
        tensorboard_doubles=True,
        neptune_mode="offline",
        neptune_visibility="private",
        neptune_description="Ours",
        neptune_models="models",
        swanlab_dashboard=True,
        swanlab_project="zoo",
        swanlab_workspace="team",
        neptune_stage_as_tag=True,
        neptune_uploads="anywhere",
        aim_python=Path("aim-env/bin/python"),
        aim_environment="off",
        live_project="zoo",
        live_upload="growing",
        log_file=Path("run.log"),
        color="never",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workers", "0"),
        ("workers", "many"),
        ("workers", "2.5"),
        ("allow", "some"),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("reserve_bytes", "-1"),
        ("reserve_bytes", "1 PB"),
        ("timeout", "0"),
        ("timeout", "nan"),
        ("patience", "inf"),
        ("rate", "0"),
        ("rate", "fast"),
        ("proxy", "proxy"),
        ("color", "red"),
        ("neptune_mode", "read-only"),
    ],
)
def test_an_impossible_value_is_refused_by_name(places: Path, name: str, value: str) -> None:
    variable = f"RUNFERRY_{name.upper()}"
    with pytest.raises(BadSetting, match=variable) as raised:
        resolved(places, environ={variable: value})
    assert raised.value.where == "the environment"
    assert raised.value.exit_code == 2


def test_a_wrong_type_in_a_file_is_refused_with_its_line(places: Path) -> None:
    for project in ("\n\nworkers = true", "\n\nworkers = [1]", "\n\n[workers]\nx = 1"):
        with pytest.raises(BadSetting, match="`workers`") as raised:
            resolved(places, project=project)
        assert raised.value.where.endswith("runferry.toml, line 3")


def test_an_unknown_name_is_refused_and_a_near_one_offered(places: Path) -> None:
    with pytest.raises(BadSetting, match="`worker`") as raised:
        resolved(places, project="allow = 'kept'\nworker = 1")
    assert "workers" in raised.value.hint
    assert raised.value.where.endswith("line 2")
    with pytest.raises(BadSetting, match="`RUNFERRY_ALOW`"):
        resolved(places, project="allow = 'kept'", environ={"RUNFERRY_ALOW": "kept"})


def test_a_file_that_is_no_toml_is_refused_with_its_line(places: Path) -> None:
    with pytest.raises(BadSetting, match="line 1"):
        resolved(places, project="workers : 3")
    (places / "here" / "runferry.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadSetting, match="cannot be read"):
        resolved(places)


def test_a_password_in_a_setting_is_not_repeated_in_the_message(places: Path) -> None:
    with pytest.raises(BadSetting) as raised:
        resolved(places, environ={"RUNFERRY_PROXY": "ftp://user:hunter2@proxy"})
    assert "hunter2" not in str(raised.value)


def test_home_is_understood_and_other_paths_are_seen_from_here(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(places))
    monkeypatch.setenv("USERPROFILE", str(places))
    assert resolved(places, archive="~/a").settings.archive == places / "a"
    assert resolved(places, project='archive = "../a"').settings.archive == Path("../a")


def test_the_process_has_one_set_of_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RUNFERRY_WORKERS", "9")
    settings.install(None)
    try:
        assert settings.current().workers == 9
        settings.install(Settings(workers=3))
        assert settings.current().workers == 3
    finally:
        settings.install(None)


def test_the_default_zone_is_utc() -> None:
    assert Settings().timezone is UTC
    assert UTC.utcoffset(None) == timedelta(0)
