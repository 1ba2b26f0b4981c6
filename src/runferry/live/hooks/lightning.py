"""Lightning, under both names of its package: what a training logs, whatever its loggers are.

`_LoggerConnector.log_metrics` is the one way from a training to its loggers, and is gone through
where there is none too; `Fabric.log_dict` is that of Fabric. What is said to a logger directly goes
through the methods of its own class, which are covered when a training has one. Where a logger's
SDK has a hook (W&B, TensorBoard, MLflow) the points are captured there, and not here.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary, ref

from runferry.live.frames import Kind
from runferry.live.hooks.hook import PatchingHook
from runferry.live.hooks.lightning_facts import (
    facts_of,
    hyperparameters,
    is_first_rank,
    is_silent,
    step_of,
)
from runferry.live.journal import Journal
from runferry.live.parameters import plain

NAME: Final = "lightning"
_PACKAGES: Final = ("lightning.pytorch", "pytorch_lightning")
_FABRICS: Final = ("lightning.fabric.fabric", "lightning_fabric.fabric")
_HOOKED: Final = {
    "WandbLogger": "wandb",
    "TensorBoardLogger": "tensorboard",
    "MLFlowLogger": "mlflow",
}


@dataclass
class _Training:
    """A run: what one trainer logs, to however many loggers."""

    facts: Callable[[], dict[str, object]]  # called once there is something to say
    is_covered: bool  # by the hook of a logger's SDK
    owner: Callable[[], Any]  # the trainer, for as long as it is there
    source: str = ""
    said: int = 0  # how often it was told metrics
    last: tuple[int, object, object] = (0, None, None)  # logger, step, metrics
    owners: list[int] = field(default_factory=list)  # the loggers that it was met with


class LightningHook(PatchingHook):
    """Captures trainings, those too that go on already."""

    name = NAME

    def __init__(
        self, journal: Journal, is_hooked: Callable[[str], bool], source: str | None = None
    ) -> None:
        """`is_hooked` tells which SDKs are captured for the same destinations.

        With a source, that of an experiment of ours, all that is captured belongs to that.
        """
        super().__init__(journal)
        self._is_hooked = is_hooked
        self._source = source
        self._trainings: WeakKeyDictionary[Any, _Training] = WeakKeyDictionary()
        self._here = threading.local()  # in Lightning's own calls of its loggers
        for package in _PACKAGES:
            module = f"{package}.trainer.connectors.logger_connector.logger_connector"
            for kind in ("_LoggerConnector", "LoggerConnector"):  # the latter before 2.0
                self._patches.around(module, kind, "log_metrics", self._logging, self._logged)
            trainer = f"{package}.trainer.trainer"
            self._patches.before(trainer, "Trainer", "_run", self._begins)
            self._patches.before(trainer, "Trainer", "_run_stage", self._configured)
            self._patches.after(trainer, "Trainer", "_teardown", self._ended)
        for module in _FABRICS:
            self._patches.around(module, "Fabric", "log_dict", self._fabric_logs, self._of_fabric)

    # --- what a training says ---------------------------------------------------------------------

    def _begins(self, trainer: Any, *_: object, **__: object) -> None:
        self._met(trainer)

    def _configured(self, trainer: Any, *_: object, **__: object) -> None:
        """What Lightning gives to loggers, where there are any."""
        training = self._met(trainer)
        if not training.is_covered and trainer.is_global_zero and not is_silent(trainer):
            self._config(training, hyperparameters(trainer))

    def _logging(self, connector: Any, *_: object, **__: object) -> None:
        self._here.is_inside = True
        self._met(connector.trainer)

    def _logged(
        self, connector: Any, result: object, metrics: Mapping[str, Any], step: int | None = None
    ) -> None:
        """With the step and the epoch that Lightning gives to loggers."""
        self._here.is_inside = False
        trainer = connector.trainer
        training = self._met(trainer)
        if training.is_covered or not metrics or not trainer.is_global_zero or is_silent(trainer):
            return
        given = dict(metrics)
        if step is None:
            stated = given.pop("step", None)
            if stated is None:
                given.setdefault("epoch", trainer.current_epoch)
            step = step_of(trainer) if stated is None else int(stated)
        self._metrics(training, given, step)

    def _ended(self, trainer: Any, *_: object, **__: object) -> None:
        self._here.is_inside = False
        training = self._trainings.get(trainer)
        if training is None or not training.source or self._source is not None:
            return
        is_broken = str(trainer.state.status).rpartition(".")[2].lower() == "interrupted"
        status, now = "FAILED" if is_broken else "FINISHED", time.time_ns() // 1_000_000
        self._call(training, {"op": "update", "status": status, "end_ms": now, "name": None})

    def _fabric_logs(self, fabric: Any, *_: object, **__: object) -> None:
        self._here.is_inside = True
        self._met(fabric)

    def _of_fabric(
        self, fabric: Any, result: object, metrics: Mapping[str, Any], step: int | None = None
    ) -> None:
        self._here.is_inside = False
        training = self._met(fabric)
        if not training.is_covered and fabric.is_global_zero:
            self._metrics(training, metrics, step)

    # --- what is said to a logger directly --------------------------------------------------------

    def _direct_metrics(
        self,
        kind: type,
        logger: Any,
        result: object,
        metrics: Mapping[str, Any],
        step: int | None = None,
        *_: object,
        **__: object,
    ) -> None:
        """Several loggers of one training that are told the same, one after the other, are one
        point; it is not ours if the first of them has a hook of its own.
        """
        training = self._direct(kind, "log_metrics", logger)
        if training is None:
            return
        told = id(logger), step, dict(metrics)
        if training.last[0] in (0, id(logger)) or training.last[1:] != told[1:]:
            training.last = told
            if not self._has_hook(logger):
                self._metrics(training, metrics, step)

    def _direct_params(
        self, kind: type, logger: Any, result: object, params: Any = None, *_: object, **__: object
    ) -> None:
        training = self._direct(kind, "log_hyperparams", logger)
        if training is None or params is None:
            return
        given = plain(params if isinstance(params, Mapping) else vars(params))
        if training.is_covered:  # what Lightning gives to all loggers is captured already
            said = plain(hyperparameters(training.owner()))
            given = {name: value for name, value in given.items() if said.get(name) != value}
        self._config(training, given)

    def _direct(self, kind: type, method: str, logger: Any) -> _Training | None:
        """None for Lightning's own calls, those of a class above, and other ranks."""
        if getattr(self._here, "is_inside", False) or not is_first_rank():
            return None
        named = next(one for one in type(logger).__mro__ if method in one.__dict__)
        return self._trainings.get(logger) if named is kind else None

    # --- runs -------------------------------------------------------------------------------------

    def _met(self, owner: Any) -> _Training:
        """The training of a trainer, or of Fabric, with the loggers that it has by now."""
        loggers: list[Any] = list(getattr(owner, "loggers", None) or ())
        owners = [id(logger) for logger in loggers]
        training = self._trainings.get(owner)
        if training is not None and training.owners == owners:
            return training
        free = [logger for logger in loggers if not self._has_hook(logger)]
        known = next((self._trainings[one] for one in free if one in self._trainings), None)
        facts = partial(facts_of, free[0] if free else None, ref(owner))
        training = known or _Training(facts, False, ref(owner))
        training.is_covered, training.owners = len(free) < len(loggers), owners
        for one in (owner, *loggers):
            self._trainings[one] = training
        for kind in dict.fromkeys(above for one in loggers for above in type(one).__mro__):
            self._patches.cover(kind, "log_metrics", partial(self._direct_metrics, kind))
        for kind in dict.fromkeys(above for one in free for above in type(one).__mro__):
            self._patches.cover(kind, "log_hyperparams", partial(self._direct_params, kind))
        return training

    def _has_hook(self, logger: Any) -> bool:
        names = {kind.__name__ for kind in type(logger).__mro__}
        return any(name in names and self._is_hooked(hook) for name, hook in _HOOKED.items())

    # --- records ----------------------------------------------------------------------------------

    def _metrics(self, training: _Training, metrics: Mapping[str, Any], step: int | None) -> None:
        now, rows = time.time_ns() // 1_000_000, list[list[object]]()
        step = training.said if step is None else int(step)
        training.said += 1
        for name, value in metrics.items():
            try:
                rows.append([str(name), float(value), now, step])
            except (TypeError, ValueError):  # no number, nor one element of a tensor
                self._journal.drop(NAME)
        if rows:
            self._call(training, {"op": "batch", "metrics": rows})

    def _config(self, training: _Training, params: Mapping[Any, Any]) -> None:
        if params:
            self._call(training, {"op": "config", "values": plain(params)})

    def _call(self, training: _Training, call: dict[str, object]) -> None:
        if not training.source:
            facts = training.facts()
            run = {"tracker": NAME, "store": "", "run": facts.pop("run")}
            training.source = self._source or json.dumps(run)
            if self._source is None:
                self._append(training, {"op": "run", "status": "RUNNING", "tags": {}, **facts})
        self._append(training, call)

    def _append(self, training: _Training, call: dict[str, object]) -> None:
        self._journal.append(NAME, Kind.CALL, training.source, json.dumps(call).encode())
