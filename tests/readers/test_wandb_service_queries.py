"""The questions to the service: nothing that W&B's own client does not ask for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runferry.readers.wandb.service import queries

wandb = pytest.importorskip("wandb")

QUESTIONS = {
    name: text
    for name, text in vars(queries).items()
    if name.isupper() and not name.startswith("_") and isinstance(text, str)
}


@pytest.fixture(scope="module")
def vendors() -> bytes:
    """All that the vendor's client consists of, among it the questions that it asks."""
    home = Path(wandb.__file__).parent
    sources = [*home.glob("apis/**/*.py"), *home.glob("sdk/artifacts/_generated/*.py")]
    parts = [path.read_bytes() for path in (*sources, home / "bin" / "wandb-core")]
    return b"\n".join(parts)


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_field_and_argument_is_one_that_the_vendors_client_asks_for(
    name: str, vendors: bytes
) -> None:
    body = QUESTIONS[name].partition("{")[2]
    body = re.sub(r"\$\w+|fragment \w+|\.\.\.\w+|\"[^\"]*\"", " ", body)
    words = set(re.findall(r"\b[A-Za-z_]\w*\b", body))
    assert words
    missing = [word for word in sorted(words) if not re.search(rb"\b%b\b" % word.encode(), vendors)]
    assert not missing
