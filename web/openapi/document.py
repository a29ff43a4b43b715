"""The document, made of the routes of an application and of what their views tell."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from itertools import groupby
from typing import Any

from flask import Flask
from werkzeug.routing import Rule

from web.account_problems import AccountsAway, Forbidden, RateLimited, Unauthorized
from web.openapi.operation import Operation, Parameter, Reply, Value, operation_of
from web.openapi.schemas import Schemas
from web.problem import Problem
from web.problems import OfHttp

# Of the package (setup.cfg), which is not installed in the containers.
VERSION = "0.1.0"

_DESCRIPTION = """\
A heavy ensemble behind `POST /inference`, answered on the caller's clock.

**Every error is a problem document** (RFC 9457): its `type` is stable, its `detail` says what to
do. Whatever came of a request, it may be sent again under the same `esun_uuid` with the same image:
it is computed once.

**While there are accounts**, all but pages, documents, `/livez` and `/readyz` needs a key. What an
account may ask is limited by a rate and a quota of the month (`RateLimit`, `RateLimit-Policy`).

Behind nginx some replies are its own, as problem documents too: `429 too-many-at-once`,
`503 no-front`, and what says that a request is no HTTP/1.1 (400, 414, 431, 501, 505).
"""

# In the order in which pages show them.
_TAGS = {
    "inference": "Images in, answers out.",
    "jobs": "Many images under one name, read while no caller waits.",
    "algorithms": "What answers.",
    "operation": "For whoever runs the service.",
    "documents": "This document, and pages that show it.",
}

_CONVERTER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
# What Flask adds to every route.
_IMPLIED = {"HEAD", "OPTIONS"}

_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
# The last of them: without accounts, none is needed.
_SECURED: list[dict[str, list[str]]] = [{"bearer": []}, {"key": []}, {}]
_GUARDED = (Unauthorized(), RateLimited(3), AccountsAway())

_RETRY_AFTER = Value("Seconds after which to send it again.", "1", {"type": "integer"})


def document(app: Flask) -> bytes:
    """The document of what this application serves, as JSON."""
    described = list(_described(app))
    schemas = Schemas(operation for *_, operation in described)
    paths: dict[str, dict[str, Any]] = {}
    for path, method, operation in described:
        paths.setdefault(path, {})[method] = _operation(path, method, operation, schemas)
    openapi = {
        "openapi": "3.1.0",
        "info": {
            "title": "Punctual",
            "version": VERSION,
            "summary": "An inference service that answers on time.",
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # Whatever lies between: it is where the document came from.
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": told} for name, told in _TAGS.items()],
        "paths": paths,
        "components": {"schemas": schemas.definitions, "securitySchemes": _KEYS},
    }
    return json.dumps(openapi, ensure_ascii=False).encode()


def _described(app: Flask) -> Iterator[tuple[str, str, Operation]]:
    """Path, method and operation of each route that has one, in the order of their paths."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        operation = operation_of(app.view_functions[rule.endpoint])
        if operation is not None:
            for method in sorted(methods_of(rule)):
                yield path_of(rule), method.lower(), operation


def path_of(rule: Rule) -> str:
    """As OpenAPI writes it."""
    return _CONVERTER.sub(r"{\1}", rule.rule)


def methods_of(rule: Rule) -> set[str]:
    """Those that a view was given."""
    return (rule.methods or set()) - _IMPLIED


def _operation(path: str, method: str, operation: Operation, schemas: Schemas) -> dict[str, Any]:
    parameters = [one for one in operation.parameters if one.place != "path" or _has(path, one)]
    told: dict[str, Any] = {
        "operationId": f"{method}{re.sub(r'[^a-z]+', '_', path)}".strip("_"),
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.description,
        "parameters": [
            {
                **{"name": one.name, "in": one.place, "required": one.place == "path"},
                **_value(one.value),
            }
            for one in parameters
        ],
        "responses": {
            str(reply.status.value): _reply(reply, schemas) for reply in operation.replies
        },
    }
    if operation.body is not None:
        told["requestBody"] = {
            "required": True,
            "content": schemas.content(operation.body, "validation"),
        }
    possible = [*operation.problems, Problem()]
    if not operation.is_open:
        told["security"] = _SECURED
        possible += _GUARDED
    if operation.needs is not None:
        told["description"] = (
            f"{operation.description} A key needs the right `{operation.needs}`.".strip()
        )
        possible.append(Forbidden("do this"))
    if any(one.place == "path" for one in parameters):
        possible.append(OfHttp(HTTPStatus.NOT_FOUND, "The path has a name that nothing can have."))
    for status, kinds in groupby(sorted(possible, key=_status), _status):
        told["responses"][str(status)] = _problems(list(kinds), operation.problem_headers, schemas)
    return told


def _has(path: str, parameter: Parameter) -> bool:
    return f"{{{parameter.name}}}" in path


def _status(problem: Problem) -> int:
    return problem.status.value


def _value(value: Value) -> dict[str, Any]:
    return {"description": value.description, "schema": value.schema, "example": value.example}


def _reply(reply: Reply, schemas: Schemas) -> dict[str, Any]:
    told: dict[str, Any] = {
        "description": reply.description,
        "headers": {name: _value(value) for name, value in reply.headers.items()},
    }
    if reply.body is not None:
        told["content"] = schemas.content(reply.body, "serialization")
    return told


def _problems(kinds: list[Problem], headers: dict[str, Value], schemas: Schemas) -> dict[str, Any]:
    if any(problem.retry_after_s is not None for problem in kinds):
        headers = {"Retry-After": _RETRY_AFTER, **headers}
    return {
        "description": "; ".join(f"`{problem.type}`: {problem.title}" for problem in kinds),
        "headers": {name: _value(value) for name, value in headers.items()},
        "content": schemas.problems(kinds),
    }
