"""The examples of CONTRIBUTING.md are code: they keep the laws of a reader and of a writer."""

from __future__ import annotations

import json
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
imported("my_package.jsonlines_writer", BLOCKS[2], Path(_FOLDER.name))
TestJsonLinesWriter = imported(
    "my_package.test_jsonlines_writer", BLOCKS[3], Path(_FOLDER.name)
).TestJsonLinesWriter


def test_the_example_keeps_every_number(tmp_path: Path) -> None:
    from runferry.chunks import Lost, Points
    from runferry.ports import Location, ReadOptions

    (tmp_path / "a.run.jsonl").write_text(
        '{"loss": 1, "epoch": 3, "ok": true, "big": 9007199254740993, "x": 0.5, "s": "t"}\n'
    )
    reader_class = sys.modules["my_package.jsonlines"].JsonLinesReader
    reader = reader_class.open(Location("jsonlines", str(tmp_path)), ReadOptions())
    (run,) = reader.runs()
    chunks = list(reader.read(run))
    rows = [row for c in chunks if isinstance(c, Points) for row in c.batch.to_pylist()]
    found = {row["key"]: (row["value_i64"] or row["value"], row["kind"]) for row in rows}
    assert found == {
        "loss": (1.0, "int"),
        "epoch": (3.0, "int"),
        "ok": (1.0, "bool"),
        "big": (9007199254740993, "int"),
        "x": (0.5, "float64"),
    }
    assert [c.loss.where for c in chunks if isinstance(c, Lost)] == ["s"]


def test_the_example_shows_what_was_logged_at_once_in_a_line(tmp_path: Path) -> None:
    from runferry.ports import Location
    from runferry.testing.recording import Recording
    from runferry.testing.samples import header

    run = Recording(header("shown"))
    run.log({"loss": 0.5, "epoch": 1, "ok": True, "word": "w"}, step=0)
    run.log({"loss": 0.25}, step=1)
    writer_class = sys.modules["my_package.jsonlines_writer"].JsonLinesWriter
    writer = writer_class.open(Location("jsonlines", str(tmp_path)))
    sample = run.sample()
    remote = writer.create(sample.run, sample.run.uid)
    for number, chunk in enumerate(sample.chunks):
        writer.append(remote, number, chunk)
    writer.seal(remote, sample.run)
    writer.close()
    (file,) = tmp_path.glob("shown-*.run.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines == [{"loss": 0.5, "epoch": 1, "ok": True}, {"loss": 0.25}]
