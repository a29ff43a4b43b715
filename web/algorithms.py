"""``GET /algorithms``: what is served here, under which names, and how it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated, Literal

from flask import Blueprint, Response, jsonify
from pydantic import BaseModel, Field
from redis import RedisError

from web.openapi.examples import ALGORITHM, AWAY, BUNDLE, NAME, UNKNOWN
from web.openapi.operation import Body, Operation, Parameter, Reply, describe
from web.outage import Outages
from web.problems import AlgorithmUnknown, OfHttp
from web.status import LatestStatus
from workers.contract.card import Card
from workers.contract.published import PublishedCards
from workers.contract.readiness import Status

# By how a picture's file begins.
_TYPES = {b"\x89": "image/png", b"\xff": "image/jpeg", b"G": "image/gif", b"R": "image/webp"}
_PICTURE_FOR_S = 300

State = Literal["ready", "loading", "absent"]


class Algorithm(Card):
    """An algorithm's card, and how it is."""

    state: Annotated[
        State,
        Field(description="loading: there are workers, and none has completed anything yet"),
    ]
    bundle: Annotated[
        str | None,
        Field(
            description="what answers new requests: name and version; null before it has workers"
        ),
    ]
    workers: Annotated[int, Field(description="processes with a loaded ensemble")]
    queue_length: Annotated[int, Field(description="requests that wait for one")]


class Algorithms(BaseModel):
    """What is served."""

    default: Annotated[
        str | None, Field(description="of callers who name none; null while no worker has come")
    ]
    algorithms: list[Algorithm]


_NAMED = Parameter("name", "path", NAME)
_EXAMPLE = Algorithm(
    **Card.of(ALGORITHM).model_dump(), state="ready", bundle=BUNDLE, workers=2, queue_length=0
)
_ALL = Operation(
    "What is served here?",
    "algorithms",
    (
        Reply(
            "Every algorithm, by name.",
            Body(
                Algorithms,
                {"one": Algorithms(default=ALGORITHM, algorithms=[_EXAMPLE]).model_dump()},
            ),
        ),
    ),
    problems=AWAY,
)
_ONE = Operation(
    "How is one of them?",
    "algorithms",
    (Reply("Its card, and how it is.", Body(Algorithm, {"ready": _EXAMPLE.model_dump()})),),
    parameters=(_NAMED,),
    problems=(UNKNOWN, *AWAY),
)
_PICTURE = Operation(
    "The picture of its card",
    "algorithms",
    (Reply("PNG, JPEG, GIF or WEBP.", Body(None, {"a PNG": "(its bytes)"}, "image/*")),),
    parameters=(_NAMED,),
    problems=AWAY,
)


def algorithms_blueprint(
    latest: LatestStatus, published: PublishedCards, outages: Outages
) -> Blueprint:
    """Their cards, with what is known of their lines."""
    blueprint = Blueprint("algorithms", __name__)

    @contextlib.contextmanager
    def asking_redis() -> Iterator[None]:
        try:
            yield
        except RedisError as error:
            raise outages.note(error) from error

    @blueprint.get("/algorithms")
    @describe(_ALL)
    def algorithms() -> Response:
        overview = latest.overview
        with asking_redis():
            cards = published.all()
        names = sorted(overview.statuses.keys() | cards.keys())
        told = [_told(name, overview.statuses.get(name), cards.get(name)) for name in names]
        return jsonify(Algorithms(default=overview.default, algorithms=told).model_dump())

    @blueprint.get("/algorithms/<name>")
    @describe(_ONE)
    def algorithm(name: str) -> Response:
        status = latest.overview.statuses.get(name)
        with asking_redis():
            card = published.of(name)
        if status is None and card is None:
            raise AlgorithmUnknown(name)
        return jsonify(_told(name, status, card).model_dump())

    @blueprint.get("/algorithms/<name>/image")
    @describe(_PICTURE)
    def picture(name: str) -> Response:
        with asking_redis():
            content = published.picture(name)
        if not content:
            raise OfHttp(HTTPStatus.NOT_FOUND, f"No picture was registered for {name!r}.")
        response = Response(content, content_type=_TYPES[content[:1]])
        response.cache_control.max_age = _PICTURE_FOR_S
        return response

    return blueprint


def _told(name: str, status: Status | None, card: Card | None) -> Algorithm:
    """Both, as far as there is either: a card may be registered before its workers come."""
    return Algorithm(
        **(card or Card.of(name)).model_dump(),
        state=_state(status),
        bundle=status.line if status else None,
        workers=status.workers if status else 0,
        queue_length=status.queue_length if status else 0,
    )


def _state(status: Status | None) -> State:
    """``ready``; ``loading`` with workers that have completed nothing yet; else ``absent``."""
    if status and status.ready:
        return "ready"
    return "loading" if status and status.workers else "absent"
