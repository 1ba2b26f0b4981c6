"""The names of MLflow's tags and ours, what MLflow takes for a name, and how long things may be.

Facts from MLflow 3.17.2: `mlflow.utils.validation`, `mlflow.utils.mlflow_tags`.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

TRACKER: Final = "mlflow"

UID_TAG: Final = "runferry.uid"
PARENT_UID_TAG: Final = "runferry.parent_uid"
SEALED_TAG: Final = "runferry.sealed"
"""`SEALED` by the last step of a push, `UNSEALED` by the first one of growth; else half sent."""
SEALED: Final = "1"
UNSEALED: Final = "0"
CLAIM_TAG: Final = "runferry.sending"
"""Who is sending the run, while it is half sent."""
DELETED_TAG: Final = "runferry.deleted"
"""At runs that were deleted in their source, and so are here: a push finds and reads them all the
same. One that somebody deletes in MLflow has no such tag, and is gone."""
LIFECYCLE: Final = "mlflow.lifecycleStage"
"""The attribute of a deleted run that says so; MLflow has a column for it, and no tag."""

NAME_TAG: Final = "mlflow.runName"
USER_TAG: Final = "mlflow.user"
NOTE_TAG: Final = "mlflow.note.content"
PARENT_TAG: Final = "mlflow.parentRunId"
TABLES_TAG: Final = "mlflow.loggedArtifacts"
IMAGES_TAG: Final = "mlflow.loggedImages"

MAX_KEY: Final = 250
MAX_PARAM: Final = 6_000
MAX_TAG: Final = 8_000
MAX_NAME: Final = 250
MAX_EXPERIMENT: Final = 256  # validation allows 500, the column of `experiments` does not
KEY_CHARACTER: Final = r"[/\w.\- :]"
UPWARD: Final = ".."
"""No name begins so: `path_not_unique` takes even `..a` for a way out of the folder."""


def label_tag(label: str) -> str:
    """The tag that holds a label: itself where MLflow takes it, else an injective rewriting."""
    if is_key(label) and not label.startswith(("mlflow.", "runferry.")):
        return label
    # a trailing hash of the whole label keeps what was rewritten or cut apart
    mark = short_hash(label)
    readable = re.sub(r"[^\w.\- ]", "_", label)[: MAX_KEY - len(mark) - 16]
    return f"runferry.label.{readable}.{mark}"


def is_run_id(name: str) -> bool:
    """Whether a run can have this id: what MLflow asks of it, in the 32 characters of its column.

    PostgreSQL and MySQL refuse a longer one; sqlite would take it, until it is migrated.
    """
    return re.fullmatch(r"[a-zA-Z0-9][\w\-]{0,31}", name, re.ASCII) is not None


def is_key(name: str) -> bool:
    """Whether MLflow takes this name for a metric, param or tag."""
    return (
        len(name) <= MAX_KEY
        and re.fullmatch(KEY_CHARACTER + "+", name) is not None
        and not name.startswith(UPWARD)
        and not any(part in ("", ".", "..") for part in name.split("/"))
    )


def storable(text: str) -> str:
    """The text without what no database takes: lone surrogates and NUL become U+FFFD."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")


def short_hash(text: str) -> str:
    """What keeps names apart that were cut or rewritten."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
