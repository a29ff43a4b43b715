"""``GET /evidence/<uuid>``: what was replied to a uuid, as the logbook has it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, get_type_hints

import gevent
from flask import Blueprint, Response, jsonify
from gevent.threadpool import ThreadPool
from pydantic import create_model
from werkzeug.routing import BaseConverter

from web.evidence_problems import EvidenceAway, EvidenceUnknown
from web.guard import account_of_request
from web.openapi.operation import Body, Operation, Parameter, Reply, Value, describe
from workers.contract.account import Right
from workers.contract.evidence import Evidence
from workers.contract.logbook import Logbook

# A look takes a fifth of a millisecond, unless the disk hangs or the logbook is locked.
_WITHIN_S = 0.5
_LOCKED_MS = 100
# Copies and re-sends of one uuid; nobody needs the first of thousands.
_MOST = 100

_UUID = "6465e4f1"
_EXAMPLE = Evidence(
    *(_UUID, "handwriting", 1_763_627_409_120, 1_763_627_409_128, 200, "answered", "host:4711"),
    source="computed",
    answer="德",
    members=1,
    of_members=5,
    stopped="settled",
    bundle="handwriting/4",
    worker="host:4720",
    queued_ms=1_763_627_409_122,
    begun_ms=1_763_627_409_124,
    ended_ms=1_763_627_409_126,
)
# On the wire a reply has names where a tuple has places.
_COLUMNS: Any = {name: (kind, ...) for name, kind in get_type_hints(Evidence).items()}
_Told: Any = create_model("EvidenceOfReply", **_COLUMNS)
_Found: Any = create_model("FoundEvidence", esun_uuid=(str, ...), evidence=(list[_Told], ...))
_FIND = Operation(
    "What was replied to a uuid?",
    "operation",
    (
        Reply(
            "The latest 100 replies, the oldest of them first.",
            Body(_Found, {"one": {"esun_uuid": _UUID, "evidence": [_EXAMPLE._asdict()]}}),
        ),
    ),
    "Evidence of a reply is there about a second after it. docs/HTTP.md tells what it says. An "
    "account sees the replies that it had itself.",
    parameters=(Parameter("uuid", "path", Value("The `esun_uuid`, percent-encoded.", _UUID)),),
    problems=(EvidenceUnknown(kept=True), EvidenceAway()),
)


class _Anything(BaseConverter):
    """A uuid may begin with a slash and have two of them in a row."""

    regex = "(?s:.+)"
    part_isolating = False


def evidence_blueprint(folder: str) -> Blueprint:
    """Looked up in a thread: a disk that hangs may not hold up those who wait for their answers."""
    blueprint = Blueprint("evidence", __name__)
    looks = ThreadPool(1)

    blueprint.record_once(lambda state: state.app.url_map.converters.update(anything=_Anything))

    @blueprint.get("/evidence/<anything:uuid>", merge_slashes=False)
    @describe(_FIND)
    def evidence(uuid: str) -> Response:
        found: list[Evidence] = []
        asks = account_of_request()
        whose = None if asks is None or asks.has(Right.OPERATE) else asks.name
        if folder:
            try:
                with gevent.Timeout(_WITHIN_S, EvidenceAway()):
                    found = looks.spawn(_look, Path(folder), uuid, whose).get()
            except sqlite3.Error as error:
                raise EvidenceAway from error
        if not found:
            raise EvidenceUnknown(kept=bool(folder))
        return jsonify(esun_uuid=uuid, evidence=[each._asdict() for each in found])

    return blueprint


def _look(folder: Path, uuid: str, account: str | None) -> list[Evidence]:
    with Logbook(folder, _LOCKED_MS) as logbook:
        return logbook.of(uuid, _MOST, account)
