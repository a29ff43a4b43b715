"""``/uploads``: what is too large for a request comes in parts, and goes to the disk at once."""

from __future__ import annotations

import json
import os
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar

import gevent
from flask import Blueprint, Response, request
from gunicorn.http.errors import ParseException
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import ClientDisconnected

from web.aside import aside
from web.body import Bodies
from web.guard import own
from web.idempotency import name_by
from web.job_problems import (
    InputTooLarge,
    JobsFull,
    UploadConflict,
    UploadIncomplete,
    UploadTooLarge,
    UploadUnknown,
)
from web.lobby import Lobby
from web.openapi.jobs import (
    BEGIN_UPLOAD,
    COMPLETE_UPLOAD,
    DELETE_UPLOAD,
    GET_UPLOAD,
    PUT_PART,
)
from web.openapi.operation import describe
from web.problems import BodyLate, FieldInvalid, NotJson
from web.upload_wire import Completion, Ticket, told
from web.wire import faults, parsed
from workers.contract.files import NoRoom
from workers.contract.job import name_of
from workers.contract.lanes import LANES, Lane
from workers.contract.uploads import Incomplete, Upload, Uploads, WrongDigest

_BLOCK_BYTES = 1 << 17
# Between two of them others have their turn: a connection brings some 85 MB a second at the most.
_GIVES_WAY_S = 0.001
# A body of a few fields.
_FEW_BYTES = 1_000
_PATIENCE_S = 5.0
# For a part, which is given up sooner when it falls silent.
_WITHIN_S = 300.0

_SHOWN = 20


_WRONG_LENGTH = "The part did not arrive whole, or is too long. Send it again."


_Fields = TypeVar("_Fields", bound=BaseModel)


def uploads_blueprint(uploads: Uploads, max_bytes: int, lobby: Lobby) -> Blueprint:
    """docs/HTTP.md shows every exchange. ``max_bytes``: what all uploads may have together."""
    blueprint = Blueprint("uploads", __name__)
    bodies = Bodies(_FEW_BYTES, InputTooLarge)

    @blueprint.post("/uploads")
    @describe(BEGIN_UPLOAD)
    def begin() -> Response:
        ticket = _parsed(Ticket, bodies.read(request.environ, _PATIENCE_S), '{"bytes": 123456789}')
        lobby.leave()
        of_lane = LANES[Lane(ticket.lane)].upload_bytes
        limit = max_bytes if of_lane is None else min(of_lane, max_bytes)
        if ticket.bytes > limit:
            raise UploadTooLarge(limit, ticket.lane)
        try:
            name = own(name_by(request, "upload"))
            upload = aside(uploads.begin, name, ticket.bytes)
        except NoRoom as error:
            raise JobsFull from error
        if upload.size != ticket.bytes:
            raise UploadConflict
        return _reply(upload, HTTPStatus.CREATED)

    @blueprint.get("/uploads/<name>")
    @describe(GET_UPLOAD)
    def get(name: str) -> Response:
        return _reply(known(name), HTTPStatus.OK)

    @blueprint.delete("/uploads/<name>")
    @describe(DELETE_UPLOAD)
    def delete(name: str) -> Response:
        upload = known(name)
        aside(uploads.forget, upload)
        return _nothing()

    @blueprint.put("/uploads/<name>/parts/<int:number>")
    @describe(PUT_PART)
    def put(name: str, number: int) -> Response:
        upload = known(name)
        if number >= len(upload.parts):
            raise FieldInvalid(f"The parts of this upload are 0 to {len(upload.parts) - 1}.")
        part = upload.parts[number]
        if request.content_length not in {None, len(part)}:
            raise FieldInvalid(f"Part {number} has {len(part):,} bytes, no more and no fewer.")
        lobby.leave()
        if upload.sha256:
            # It is what it should be, and a part that comes late once more changes nothing.
            _receive(Path(os.devnull), part)
            return _nothing()
        _receive(uploads.file(upload), part)
        aside(uploads.arrived, upload, number)
        return _nothing()

    @blueprint.post("/uploads/<name>/complete")
    @describe(COMPLETE_UPLOAD)
    def complete(name: str) -> Response:
        upload = known(name)
        asked = _parsed(
            Completion, bodies.read(request.environ, _PATIENCE_S), '{"sha256": "0f3a..."}'
        )
        lobby.leave()
        _complete(uploads, upload, asked.sha256)
        return _reply(known(name), HTTPStatus.OK)

    def known(name: str) -> Upload:
        upload = aside(uploads.find, own(name))
        if upload is None:
            raise UploadUnknown
        return upload

    return blueprint


def _parsed(model: type[_Fields], body: bytes, example: str) -> _Fields:
    expected = f"an object such as {example}"
    try:
        return model.model_validate(parsed(body, expected))
    except ValidationError as error:
        raise FieldInvalid(f"{faults(error)}. Send {expected}.") from error


def _receive(path: Path, part: range) -> None:
    """The request's body into its place, block by block.

    Raises:
        BodyLate: 408, it falls silent or takes minutes.
        NotJson: 400, it has fewer or more bytes than it should.
    """
    file = aside(os.open, path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        with gevent.Timeout(_WITHIN_S, BodyLate()):
            at = part.start
            while block := request.stream.read(_BLOCK_BYTES):
                if at + len(block) > part.stop:
                    raise NotJson(_WRONG_LENGTH)
                aside(os.pwrite, file, block, at)
                at += len(block)
                gevent.sleep(_GIVES_WAY_S)
        if at < part.stop:
            raise NotJson(_WRONG_LENGTH)
    except TimeoutError as error:
        raise BodyLate from error
    except (OSError, ParseException, ClientDisconnected) as error:
        raise NotJson(_WRONG_LENGTH) from error
    finally:
        os.close(file)


def _complete(uploads: Uploads, upload: Upload, sha256: str) -> None:
    try:
        aside(uploads.complete, upload, sha256)
    except Incomplete as error:
        (missing,) = error.args
        shown = ", ".join(map(str, missing[:_SHOWN])) + ", ..." * (len(missing) > _SHOWN)
        raise UploadIncomplete(f"These parts are missing: {shown}. Send them.") from error
    except WrongDigest as error:
        raise UploadIncomplete(
            f"What has arrived has the SHA-256 {error}. Send again the parts that differ."
        ) from error


def _reply(upload: Upload, status: HTTPStatus) -> Response:
    response = Response(json.dumps(told(upload)), status, content_type="application/json")
    response.headers["Location"] = f"/uploads/{name_of(upload.id)}"
    return response


def _nothing() -> Response:
    """Which Flask would call HTML."""
    response = Response(status=HTTPStatus.NO_CONTENT)
    del response.headers["Content-Type"]
    return response
