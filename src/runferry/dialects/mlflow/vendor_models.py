"""Logged models as the vendor's own entities tell them."""

from __future__ import annotations

from typing import Any

from runferry.dialects.mlflow.logged import LoggedModel, ModelMetric


def as_model(entity: Any) -> LoggedModel:
    """`mlflow.entities.LoggedModel` in our words."""
    return LoggedModel(
        model_id=entity.model_id,
        name=entity.name,
        status=str(getattr(entity.status, "value", entity.status)),
        model_type=entity.model_type or None,
        created_ms=entity.creation_timestamp,
        updated_ms=entity.last_updated_timestamp,
        status_message=entity.status_message or None,
        tags=dict(entity.tags),
        params=dict(entity.params),
        metrics=tuple(
            ModelMetric(
                m.key, m.value, m.timestamp, m.step, m.run_id or "", m.dataset_name,
                m.dataset_digest,
            )
            for m in entity.metrics or ()
        ),
        source_run=entity.source_run_id or None,
        location=entity.artifact_location,
    )  # fmt: skip
