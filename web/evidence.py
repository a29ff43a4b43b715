"""``GET /evidence``: what was replied to a uuid, or with an answer, to an account, at a time."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import gevent
from flask import Blueprint, Response, jsonify, request
from gevent.threadpool import ThreadPool
from werkzeug.routing import BaseConverter

from web.account_problems import Forbidden
from web.evidence_problems import EvidenceAway, EvidenceUnknown
from web.guard import account_of_request
from web.openapi.evidence import FIND_EVIDENCE, SEARCH_EVIDENCE
from web.openapi.operation import describe
from web.problems import FieldInvalid
from web.query import number, require_known
from workers.contract.account import Right
from workers.contract.logbook import Logbook, Position

_Seen = TypeVar("_Seen")

# A look takes a fifth of a millisecond, unless the disk hangs or the logbook is locked.
_WITHIN_S = 0.5
_LOCKED_MS = 100
# Copies and re-sends of one uuid; nobody needs the first of thousands.
_MOST = 100
_PAGE, _MAX_PAGE = 100, 200
# After every reply; SQLite's integers end there.
_LATEST_MS = 2**63 - 1
_CURSOR = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")
_ASKED = [parameter.name for parameter in SEARCH_EVIDENCE.parameters]


class _Anything(BaseConverter):
    """A uuid may begin with a slash and have two of them in a row."""

    regex = "(?s:.+)"
    part_isolating = False


class Looks:
    """In a thread: a disk that hangs may not hold up those who wait for their answers."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._threads = ThreadPool(1)

    def look(self, at: Callable[[Logbook], _Seen]) -> _Seen:
        """What is seen there.

        Raises:
            EvidenceUnknown: none is kept here.
            EvidenceAway: the logbook cannot be read just now.
        """
        if not self._folder:
            raise EvidenceUnknown(kept=False)
        try:
            with gevent.Timeout(_WITHIN_S, EvidenceAway()):
                seen: _Seen = self._threads.spawn(_look, Path(self._folder), at).get()
        except sqlite3.Error as error:
            raise EvidenceAway from error
        return seen


def evidence_blueprint(folder: str) -> Blueprint:
    """``folder``: where the logbook lies; empty where there is none."""
    blueprint = Blueprint("evidence", __name__)
    looks = Looks(folder)

    blueprint.record_once(lambda state: state.app.url_map.converters.update(anything=_Anything))

    @blueprint.get("/evidence/<anything:uuid>", merge_slashes=False)
    @describe(FIND_EVIDENCE)
    def find(uuid: str) -> Response:
        whose = _whose()
        found = looks.look(lambda logbook: logbook.of(uuid, _MOST, whose))
        if not found:
            raise EvidenceUnknown(kept=True)
        return jsonify(esun_uuid=uuid, evidence=[each._asdict() for each in found])

    @blueprint.get("/evidence")
    @describe(SEARCH_EVIDENCE)
    def search() -> Response:
        require_known(_ASKED)
        most = number("limit", _PAGE, _MAX_PAGE)
        matching = partial(
            Logbook.search,
            most=most + 1,
            answer=request.args.get("answer"),
            account=_whose(request.args.get("account")),
            since_ms=number("since_ms", 1, _LATEST_MS),
            until_ms=number("until_ms", _LATEST_MS, _LATEST_MS),
            before=_position(request.args.get("cursor")),
        )
        found = looks.look(lambda logbook: [*matching(logbook)])
        page = found[:most]
        more = "{}.{}".format(*page[-1].position) if len(found) > len(page) else None
        return jsonify(evidence=[each.evidence._asdict() for each in page], next=more)

    return blueprint


def _look(folder: Path, at: Callable[[Logbook], _Seen]) -> _Seen:
    with Logbook(folder, _LOCKED_MS) as logbook:
        return at(logbook)


def _whose(account: str | None = None) -> str | None:
    """Whose replies are looked at, of those whom the question names; None are all.

    Raises:
        Forbidden: they are others'.
    """
    asks = account_of_request()
    if asks is None or asks.has(Right.OPERATE):
        return account
    if account not in (None, asks.name):
        raise Forbidden("look at what others were replied")
    return asks.name


def _position(cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    parts = _CURSOR.fullmatch(cursor)
    if parts is None:
        raise FieldInvalid("cursor: none of this search. Take it from the page before.")
    return Position(int(parts[1]), int(parts[2]))
