"""No part of a secret survives in what is printed or kept; what holds none stays readable."""

from __future__ import annotations

import io
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runferry.dialects.mlflow.artifacts import NoFolder
from runferry.errors import Damaged, RunferryError
from runferry.ports import Location
from runferry.redact import without_credentials

RAW = "Hu7terZwei"
"""No form below holds any two letters of it by itself, so that half of it is found too."""

PARTS = [RAW[begin : begin + 3] for begin in range(len(RAW) - 2)]

NASTY = [
    RAW,
    "Hu7/terZwei",
    "Hu7@terZwei",
    "Hu7:terZ@w/ei",
    "Hu7?terZwei",
    "Hu7#ter?Zw/ei",
    "/Hu7terZwei/",
    "Hu7%2FterZwei",
    "Hu7;terZwei",
    "Hu7='terZwei\"",
    "Hu7…terZwei",
]

USER_PARTS = [
    "mysql://me:{}@host/db",
    "mysql+pymysql://me:{}@host:3306/db?charset=utf8mb4",
    "postgresql://{}@host/db",
    "postgresql+psycopg2://:{}@/db?host=/var/run/postgresql",
    "mssql+pyodbc://sa:{}@host/db?driver=ODBC+Driver+18+for+SQL+Server",
    "mongodb://me:{}@one:27017,two:27017/db?replicaSet=rs",
    "https://me:{}@mlflow.example.org/api/2.0?page=2",
    "http://{}:x-oauth-basic@127.0.0.1:5000",
    "socks5h://me:{}@proxy:1080",
    "sqlite+pysqlcipher://:{}@/foo.db?cipher=aes-256-cfb",
    "s3a://AKIAX:{}@bucket/path",
    "ftp://me:{}@host/p",
    "mysql:///me:{}@host/db",
]

PARAMETERS = [
    "mssql+pyodbc://host/db?driver=x&UID=me&PWD={}",
    "mysql://host/db?user=me&passwd={}&charset=utf8",
    "mysql://host/db?pwd={}",
    "postgresql:///db?host=h&password={}",
    "postgresql://host/db?sslmode=require&sslpassword={}",
    "https://host/p?auth={}",
    "https://host/p?auth_token={}&x=1",
    "https://a.blob.core.windows.net/c/b?sv=2022-11-02&sr=b&sig={}&se=2026",
    "https://a.blob.core.windows.net/c/b?SAS={}",
    "https://s3.amazonaws.com/b/k?X-Amz-Algorithm=A&X-Amz-Credential={}&X-Amz-Expires=1",
    "https://s3.amazonaws.com/b/k?X-Amz-Security-Token={}",
    "https://s3.amazonaws.com/b/k?AWSAccessKeyId={}",
    "https://storage.googleapis.com/b/o?X-Goog-Signature={}",
    "https://host/p?apikey={}",
    "https://host/p?access_token={}#f",
    "https://host/p?client_secret={}",
    "https://host/p?jwt={}",
    "jdbc:sqlserver://host:1433;databaseName=x;user=sa;password={}",
    "mlflow:mssql+pyodbc://host/db?trusted=no;Pwd={}",
]

ESCAPED = [
    "mssql+pyodbc:///?odbc_connect=Driver%3DODBC%3BServer%3Dh%3BUID%3Dme%3BPWD%3D{}",
    "mssql+pyodbc:///?dsn_text=Driver%3DODBC%3BServer%3Dh%3BUID%3Dme%3BPWD%3D{}&x=1",
    "https://host/login?next=mysql%3A%2F%2Fme%3A{}%40host%2Fdb",
    "https://host/login?next=https%3A%2F%2Fhost%2F%3Ftoken%3D{}",
]


def survivors(text: str) -> list[str]:
    return [part for part in PARTS if part in text]


def spelled(form: str, secret: str) -> str:
    return form.replace("{}", secret)


@pytest.mark.parametrize("form", [*USER_PARTS, *PARAMETERS])
@pytest.mark.parametrize("secret", NASTY)
def test_no_part_of_a_secret_survives_in_a_location(form: str, secret: str) -> None:
    place = Location("mlflow", spelled(form, secret))
    assert survivors(str(place)) == []
    assert survivors(repr(place)) == []
    error = RunferryError(
        f"cannot open {place.where} now", where=place.where, hint=f"runferry ls {place.where}"
    )
    for told in (error.what, error.where, error.hint, str(error), repr(error)):
        assert survivors(told) == []
    assert survivors(str(Damaged(place.where))) == []


@pytest.mark.parametrize("form", [*USER_PARTS, *PARAMETERS])
def test_a_location_ends_at_its_end_and_not_at_a_space(form: str) -> None:
    assert survivors(str(Location("mlflow", spelled(form, "Hu7 ter\tZwei")))) == []


@pytest.mark.parametrize("form", [*USER_PARTS, *PARAMETERS, *ESCAPED])
@pytest.mark.parametrize("secret", NASTY)
@pytest.mark.parametrize("escape", [quote, quote_plus])
def test_no_part_of_an_escaped_secret_survives(form: str, secret: str, escape: object) -> None:
    assert callable(escape)
    url = spelled(form, escape(secret, safe=""))
    assert survivors(without_credentials(url)) == []
    assert survivors(without_credentials(f"it said: '{url}' is not there, ask a@b.c")) == []


@given(
    form=st.sampled_from(USER_PARTS),
    secret=st.text(st.sampled_from("aZ9/@:#%;!$'()*+,-._~[]\\^|\"<>"), min_size=6),
)
def test_whatever_the_password_nothing_before_the_host_is_left(form: str, secret: str) -> None:
    begin, _, end = form.partition("@")
    scheme = begin.partition("://")[0]
    assert without_credentials(spelled(form, secret)) == f"{scheme}://{end}"


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:////home/me@work/lr=0.1,key=3/runs.db",
        r"sqlite:///C:\Users\me@work\runs.db",
        "sqlite:///C:/Users/a=b@c/runs.db",
        "file:///srv/me@work/a=b/artifacts",
        r"C:\Users\me@work\token=5\runs",
        r"\\server\share@home\key=1",
        "wandb:./wandb/run@2/key=value/password",
        "/data/me@work/lr=0.1/passwords.txt",
        "s3://bucket/me@work/run=1/model.bin",
        "abfss://container@account.dfs.core.windows.net/path",
        "mlflow:http://127.0.0.1:5000",
        "http://[::1]:5000/?mail=a@b.c",
        "https://wandb.ai/team/project/runs/abc?workspace=user-me",
        "https://host/p?author=me&step=3&design=2&compass=n&workers=2",
        "me@example.org and you@example.org, key=loss",
        "name:where, or a path: wandb:./wandb",
    ],
)
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert without_credentials(text) == text
    assert without_credentials(text, is_location=True) == text


def test_two_databases_stay_two_places() -> None:
    forms = ("one/db", "two/db", "one/other", "one/db?charset=utf8")
    assert len({str(Location("mlflow", f"mysql://me:{RAW}@{form}")) for form in forms}) == 4


def test_a_header_is_not_told() -> None:
    assert survivors(without_credentials(f"sent Authorization: Bearer {RAW}")) == []
    assert survivors(without_credentials(f'{{"authorization": "Basic {RAW}"}}')) == []


def test_an_artifact_folder_that_nobody_can_reach_is_named_without_its_password() -> None:
    with pytest.raises(RunferryError) as refused:
        NoFolder(f"mlflow-artifacts://me:{RAW}@host/1").put("a", io.BytesIO())
    assert survivors(str(refused.value)) == survivors(repr(refused.value)) == []
    assert "host/1" in str(refused.value)
