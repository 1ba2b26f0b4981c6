"""Uploads of large files in parts, put together when all came."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from runferry.testing.wandb_service.refusals import Missing
from runferry.testing.wandb_service.store import Record, Store

if TYPE_CHECKING:
    from runferry.testing.wandb_service.service import WandbService


def _part(blob: str, number: int) -> str:
    return f"{blob}-part{number}"


def urls_of_parts(service: WandbService, blob: str, numbers: Iterable[int]) -> Record:
    """Signed URLs, one a part, as the schema's `UploadMultipartUrls`."""
    return {
        "upload_id": blob,
        "upload_url_parts": [
            {
                "part_number": number,
                "upload_url": service.signed(
                    _part(blob, number), f"parts/{blob}/{number}", method="PUT"
                ),
            }
            for number in numbers
        ],
    }


def join(store: Store, blob: str, numbers: Iterable[int]) -> str:
    """Put the parts together; the base64 of the whole's MD5. Raises Missing."""
    digest = hashlib.md5(usedforsecurity=False)
    with store.blob_path(blob).open("wb") as whole:
        for number in numbers:
            part = store.blob_path(_part(blob, number))
            if not part.is_file():
                raise Missing(f"part {number} of the upload has not come")
            content = part.read_bytes()
            digest.update(content)
            whole.write(content)
            part.unlink()
    return base64.b64encode(digest.digest()).decode()
