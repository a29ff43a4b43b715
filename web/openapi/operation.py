"""What a view tells of itself, beside what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, TypeVar

from web.problem import Problem
from workers.contract.account import Right

View = TypeVar("View", bound=Callable[..., Any])

_ATTRIBUTE = "operation"


@dataclass(frozen=True)
class Value:
    """Of a header or a parameter: what it means, an example, its JSON schema.

    Descriptions are Markdown here, as everywhere in the document.
    """

    description: str
    example: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True)
class Parameter:
    """What a caller may say outside of the body, or must, in the path."""

    name: str
    place: Literal["path", "query", "header"]
    value: Value


@dataclass(frozen=True)
class Body:
    """What a body holds: its type, as pydantic takes them, and examples by their names.

    They are tiny: whoever opens the page of an operation sees all of them. Without a type it is
    text, and an example is what it looks like.
    """

    type: Any
    examples: dict[str, Any]
    media_type: str = "application/json"


@dataclass(frozen=True)
class Reply:
    """One that is no problem; without a body, of a 204."""

    description: str
    body: Body | None
    headers: dict[str, Value] = field(default_factory=dict)
    status: HTTPStatus = HTTPStatus.OK


@dataclass(frozen=True)
class Operation:
    """All that a caller has to know of one route.

    While there are accounts a key is needed, unless it ``is_open``, and what the key ``needs``.
    ``problems`` are examples of those that it replies with, and ``problem_headers`` come with any
    of them. What is always possible need not be among them: 500 ``internal``. Of a view that has
    several paths, parameters in the path are told where the path has them.
    """

    summary: str
    tag: str
    replies: tuple[Reply, ...]
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    problems: tuple[Problem, ...] = ()
    problem_headers: dict[str, Value] = field(default_factory=dict)
    is_open: bool = False
    needs: Right | None = None


def describe(operation: Operation) -> Callable[[View], View]:
    """Have a view tell this of itself. Calls of it go straight to it, as before."""

    def told(view: View) -> View:
        setattr(view, _ATTRIBUTE, operation)
        return view

    return told


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """What it tells, if anything."""
    return getattr(view, _ATTRIBUTE, None)
