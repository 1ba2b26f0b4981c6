"""A run's node as a header and as attributes, by the same rules as a run's own folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from runferry.dialects.times import rfc3339, time_ns_of
from runferry.dialects.wandb.addresses import run_url
from runferry.dialects.wandb.marks import marked
from runferry.model import Run, RunKey, RunState, Tree
from runferry.readers.wandb.attributes import Assembly
from runferry.readers.wandb.facts import Facts
from runferry.readers.wandb.loose import Loose
from runferry.readers.wandb.metrics import Definitions
from runferry.readers.wandb.trees import parse_json

_INTERNAL: Final = "_wandb"
_STATES: Final[dict[str, RunState]] = {
    "running": "running",
    "pending": "running",
    "preempting": "running",
    "finished": "finished",
    "failed": "failed",
    "crashed": "failed",  # its client stopped to be heard of
    "killed": "killed",
    "preempted": "killed",
}
_ENDED: Final = frozenset({"finished", "failed", "killed"})  # the client said so
_RECORD_NAMES: Final = {"gpu": "gpu_type", "remote": "remote_url"}
"""Names of wandb-metadata.json that are others in the record that it is made from."""
_NUMBERS: Final = frozenset(
    {"total", "used", "memory_total", "swap_total_bytes", "ram_total_bytes"}
)
"""Of 64 bits, which JSON of protobuf has as texts."""
_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])([A-Z])")
_METRIC: Final = {
    "1": "name",
    "2": "glob_name",
    "4": "step_metric",
    "8": "goal",
}
_OPTIONS: Final = {1: "step_sync", 2: "hidden", 3: "defined"}
_RULES: Final = {
    1: "min", 2: "max", 3: "mean", 4: "best", 5: "last", 6: "none", 7: "copy", 8: "first",
}  # fmt: skip


def is_over(node: Mapping[str, Any]) -> bool:
    """Whether nobody logs to this run at the moment."""
    return _STATES.get(str(node.get("state"))) != "running"


def header(
    node: Mapping[str, Any],
    base_url: str,
    entity: str,
    project: str,
    *,
    metadata: Tree = None,
    summary: Mapping[str, Tree] | None = None,
    config: Mapping[str, Tree] | None = None,
) -> Run:
    """The header; what only config, summary and metadata tell is missing where they are."""
    status = str(node.get("state") or "")
    created = time_ns_of(node.get("createdAt"))
    facts = _stated(node, entity, project, (config or {}).get(_INTERNAL))
    loose = Loose(metadata=[metadata] if isinstance(metadata, dict) else [])
    whole = facts.beside(loose, dict(summary or {}))
    whole.state.setdefault("start_ns", created)
    if account := (node.get("user") or {}).get("username"):
        whole.state.setdefault("user", account)  # else the user of the machine, as in records
    if status in _ENDED:
        whole.state["exited"] = True
    run = whole.run(RunKey("wandb", project, str(node.get("name", ""))))
    tags, mark = marked(run.tags)
    return replace(
        run,
        tags=tags,
        origin_uid=None if mark is None else mark.uid,
        created_ns=created if created is not None else run.created_ns,
        ended_ns=_ended(run, node),
        status=status or None,
        state=_STATES.get(status, "unknown"),
        exit_code=0 if status == "finished" else None,
        source_url=run_url(base_url, entity, project, run.key.run_id),
    )


def _stated(node: Mapping[str, Any], entity: str, project: str, internal: Tree) -> Facts:
    """What the node says itself; what is blank there is not said."""
    facts = Facts()
    for name, value in (
        ("display_name", node.get("displayName")),
        ("project", project),
        ("entity", entity),
        ("run_group", node.get("group")),
        ("job_type", node.get("jobType")),
        ("sweep_id", node.get("sweepName")),
        ("notes", node.get("notes")),
        ("tags", list(node.get("tags") or ())),
    ):
        if value:
            facts.state[name] = value
    if isinstance(internal, dict) and isinstance(version := internal.get("cli_version"), str):
        facts.state["client"] = version
    return facts


def _ended(run: Run, node: Mapping[str, Any]) -> int | None:
    """When it ended; if nobody said so, when it was heard of last."""
    if run.ended_ns is not None or not is_over(node):
        return run.ended_ns
    heard = time_ns_of(node.get("heartbeatAt"))  # cut to seconds
    is_before = heard is not None and run.started_ns is not None and heard < run.started_ns
    return None if is_before else heard


def config_of(text: object) -> dict[str, Tree]:
    """The config without the `{"value": …}` around each entry."""
    found = mapping_of(text)
    return {
        name: item["value"] if isinstance(item, dict) and "value" in item else item
        for name, item in found.items()
        if name != "wandb_version"
    }


def mapping_of(text: object) -> dict[str, Tree]:
    """A mapping that is spelled as JSON; empty for anything else."""
    if isinstance(text, str):
        try:
            text = parse_json(text)
        except ValueError:
            return {}
    return dict(text) if isinstance(text, dict) else {}


def definitions_of(config: Mapping[str, Tree], assembly: Assembly) -> Definitions:
    """What `define_metric` said: W&B's client keeps it in the config, by the numbers of its fields.

    It is noted as the records of a run's own file are.
    """
    definitions = Definitions()
    internal = config.get(_INTERNAL)
    found = internal.get("m") if isinstance(internal, dict) else None
    items = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    for item in items:
        message = _definition(item, items)
        definitions.absorb(message)
        name = str(message.get("name") or message.get("glob_name") or "")
        assembly.note((_INTERNAL, "define_metric", name), message)
    return definitions


def _definition(item: dict[str, Tree], items: list[dict[str, Tree]]) -> dict[str, Tree]:
    """A metric record; its step metric may be the number, from 1 on, of another of the list."""
    message: dict[str, Tree] = {
        _METRIC[number]: value for number, value in item.items() if number in _METRIC
    }
    index = item.get("5")
    if isinstance(index, int) and 0 < index <= len(items):
        message.setdefault("step_metric", items[index - 1].get("1"))
    for number, name, names in (("6", "options", _OPTIONS), ("7", "summary", _RULES)):
        flags = item.get(number)
        if isinstance(flags, list) and flags:
            message[name] = {names[f]: True for f in flags if isinstance(f, int) and f in names}
    return message


def environment_of(metadata: Tree) -> dict[str, Tree]:
    """wandb-metadata.json in the words of the record that clients make it from.

    Its names are those of protobuf's JSON, and its 64-bit integers are texts.
    """
    if not isinstance(metadata, dict):
        return {}
    found: dict[str, Tree] = {}
    for name, value in metadata.items():
        plain = _CAPITAL.sub(_lowered, name) if name.isidentifier() else name
        plain = _RECORD_NAMES.get(plain, plain)
        found[plain] = _of_record(plain, value)
    return found


def _lowered(capital: re.Match[str]) -> str:
    return f"_{capital[1].lower()}"


def _of_record(name: str, value: Tree) -> Tree:
    if isinstance(value, dict):
        return environment_of(value)
    if isinstance(value, list):
        return [_of_record(name, item) for item in value]
    if name in _NUMBERS and isinstance(value, str) and value.isdigit():
        return int(value)
    if name == "started_at" and (moment := time_ns_of(value)) is not None:
        return rfc3339(moment)
    return value
