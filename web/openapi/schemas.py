"""What bodies are of: JSON schemas of the types that the service reads and replies with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from web.openapi.operation import Body, Operation
from web.problem import CONTENT_TYPE, Problem, ProblemDocument, document

_Mode = Literal["validation", "serialization"]
_TEMPLATE = "#/components/schemas/{model}"


class Schemas:
    """The schemas of all types that bodies are of, under their names."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        types: set[tuple[Any, _Mode]] = {(ProblemDocument, "serialization")}
        for operation in operations:
            if operation.body is not None:
                types.add((operation.body.type, "validation"))
            bodies = [reply.body for reply in operation.replies if reply.body is not None]
            types |= {(body.type, "serialization") for body in bodies}
        self._references, told = TypeAdapter.json_schemas(
            [(one, mode, TypeAdapter(one)) for one, mode in types if one is not None],
            ref_template=_TEMPLATE,
            schema_generator=_Untitled,
        )
        self.definitions: dict[str, Any] = told.get("$defs", {})

    def content(self, body: Body, mode: _Mode) -> dict[str, Any]:
        """What a request or a reply carries."""
        schema = {"type": "string"} if body.type is None else self._references[body.type, mode]
        examples = {name: {"value": value} for name, value in body.examples.items()}
        return {body.media_type: {"schema": schema, "examples": examples}}

    def problems(self, kinds: list[Problem]) -> dict[str, Any]:
        """What a reply carries that can be any of these, all of one status."""
        schema = {
            **self._references[ProblemDocument, "serialization"],
            "properties": {
                "type": {"enum": sorted({problem.urn for problem in kinds})},
                "status": {"const": kinds[0].status.value},
            },
        }
        examples = {
            problem.type: {
                "summary": problem.title,
                "value": json.loads(document(problem, None)),
            }
            for problem in kinds
        }
        return {CONTENT_TYPE: {"schema": schema, "examples": examples}}


class _Untitled(GenerateJsonSchema):
    """Without titles that only say a field's name in other letters."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's own
        return False
