"""A manifest of the service that says nothing is an error: the members would be lost in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.readers.wandb_service_runs import gather, opened, served, the_run

from runferry.errors import Damaged
from runferry.testing.wandb_service.manifests import manifest_of

RUN = "lab/p/maker"


@pytest.mark.parametrize("content", [b"<html>", b"\xff\xfe\x00", b"[]", b""])
def test_a_manifest_that_is_no_json_mapping_is_told_with_its_artifact(
    tmp_path: Path, content: bytes
) -> None:
    with served(tmp_path / "home") as service:
        service.put_run(RUN)
        service.put_artifact("lab/p/net", "model", {"net.bin": b"weights"}, logged_by=RUN)
        manifest = manifest_of(service.store, 1)
        assert manifest is not None
        service.store.blob_path(manifest["blob"]).write_bytes(content)
        with opened(RUN) as reader, pytest.raises(Damaged, match="artifact net") as told:
            gather(reader, the_run(reader))
    assert told.value.where
    assert told.value.hint
