"""GraphQL: the schema with its resolvers, and what is answered to a request.

A resolver is a function of (the parent's record, the service, the arguments in snake_case),
registered under `Type.field`. A field without one is the parent's column of that name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from http import HTTPStatus
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from runferry.errors import MissingExtra
from runferry.testing.wandb_service.refusals import Refusal

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLError, GraphQLSchema

    from runferry.testing.wandb_service.service import WandbService

Resolver = Callable[..., Any]

_resolvers: dict[str, Resolver] = {}
RESOLVING = (
    "accounts",
    "projects",
    "runs",
    "history",
    "files",
    "writing",
    "sweeps",
    "collections",
    "artifact_types",
    "artifacts",
    "artifact_files",
    "artifact_writing",
    "artifact_links",
)


def resolves(*fields: str) -> Callable[[Resolver], Resolver]:
    """Register a resolver for `Type.field`."""

    def register(resolver: Resolver) -> Resolver:
        for field in fields:
            _resolvers[field] = resolver
        return resolver

    return register


def snake(name: str) -> str:
    """`historyLineCount` → `history_line_count`, `artifactID` → `artifact_id`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@cache
def schema() -> GraphQLSchema:
    """The schema, each field with what resolves it. Raises MissingExtra without graphql-core."""
    try:
        from graphql import (
            GraphQLInputObjectType,
            GraphQLInterfaceType,
            GraphQLObjectType,
            build_schema,
        )
    except ImportError as error:
        raise MissingExtra("graphql-core", "test") from error
    folder = files(__package__).joinpath("schema")
    texts = [
        folder.joinpath(f"{name}.graphql").read_text("utf-8")
        for name in ("core", "artifacts", "writing")
    ]
    built = build_schema("\n".join(texts), assume_valid=True)
    for name in RESOLVING:
        import_module(f"{__package__}.resolvers.{name}")
    for type_name, kind in built.type_map.items():
        if type_name.startswith("__"):
            continue
        if isinstance(kind, GraphQLInterfaceType | GraphQLObjectType):
            for name, field in kind.fields.items():
                resolver = _resolvers.get(f"{type_name}.{name}")
                field.resolve = _column(snake(name)) if resolver is None else _called(resolver)
                for argument_name, argument in field.args.items():
                    argument.out_name = snake(argument_name)
        elif isinstance(kind, GraphQLInputObjectType):
            for name, given in kind.fields.items():
                given.out_name = snake(name)
    return built


def _column(name: str) -> Resolver:
    def resolve(source: Mapping[str, Any] | None, _info: Any) -> Any:
        return None if source is None else source.get(name)

    return resolve


def _called(resolver: Resolver) -> Resolver:
    def resolve(source: Any, info: Any, **arguments: Any) -> Any:
        return resolver(source, info.context, **arguments)

    return resolve


@lru_cache(maxsize=512)
def _document(text: str) -> tuple[DocumentNode | None, tuple[GraphQLError, ...]]:
    """A document, parsed and held against the schema once."""
    from graphql import GraphQLSyntaxError, parse, validate

    try:
        document = parse(text, no_location=True)
    except GraphQLSyntaxError as error:
        return None, (error,)
    return document, tuple(validate(schema(), document))


def operation_of(request: Mapping[str, Any]) -> str:
    """The name of the operation that a request asks for; `-` for one without a name."""
    if name := request.get("operationName"):
        return str(name)
    found = re.search(r"\b(?:query|mutation)\s+(\w+)", str(request.get("query", "")))
    return found.group(1) if found else "-"


def answer(service: WandbService, request: Mapping[str, Any]) -> tuple[HTTPStatus, bytes]:
    """Status and body. A refusal by a resolver is its status, with the data that there is."""
    from graphql import execute_sync

    document, errors = _document(str(request.get("query", "")))
    if document is None or errors:
        return HTTPStatus.BAD_REQUEST, _body({"errors": [_spelled(each) for each in errors]})
    variables = request.get("variables") or {}
    operation = request.get("operationName") or None
    result = execute_sync(
        schema(),
        document,
        context_value=service,
        variable_values=variables,
        operation_name=operation,
    )
    body: dict[str, Any] = {"data": result.data}
    status = HTTPStatus.OK
    if result.errors:
        body["errors"] = [_spelled(each) for each in result.errors]
        status = _status(result.errors[0])
        for error in result.errors:
            if _status(error) == HTTPStatus.INTERNAL_SERVER_ERROR and error.original_error:
                service.failed(error.original_error)
    return status, _body(body)


def _status(error: GraphQLError) -> HTTPStatus:
    from graphql import GraphQLError

    cause = error.original_error
    if isinstance(cause, Refusal):
        return cause.status
    if cause is None or isinstance(cause, GraphQLError):
        return HTTPStatus.BAD_REQUEST  # of a variable
    return HTTPStatus.INTERNAL_SERVER_ERROR


def _spelled(error: GraphQLError) -> dict[str, Any]:
    spelled: dict[str, Any] = {"message": error.message}
    if error.path:
        spelled["path"] = error.path
    if isinstance(error.original_error, Refusal):
        spelled["extensions"] = {"code": error.original_error.code}
    return spelled


def _body(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
