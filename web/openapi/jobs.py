"""What ``/jobs`` and ``/uploads`` tell of themselves."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from web.account_problems import QuotaExceeded
from web.job_problems import (
    ImageGone,
    InputTooLarge,
    ItemUnknown,
    JobConflict,
    JobsAway,
    JobsFull,
    JobUnknown,
    UploadConflict,
    UploadIncomplete,
    UploadTooLarge,
    UploadUnknown,
)
from web.job_wire import JobAsked, JobTold
from web.openapi.examples import ALGORITHM, AWAY, BUNDLE, NO_WORKER
from web.openapi.operation import Body, Operation, Parameter, Reply, Value
from web.problems import (
    AnswerLate,
    BodyLate,
    EncodingUnknown,
    EngineFailed,
    FieldInvalid,
    FrontBusy,
    ImageUnreadable,
    LineFull,
    NotJson,
)
from web.upload_wire import Completion, Ticket, UploadTold
from workers.contract.account import Right

_NAME = "0f3a6c1e"
_PATH = f"/jobs/{_NAME}"
_AT = "2026-11-29T10:21:43.730+00:00"

_JOB = Parameter("name", "path", Value("The id of a job.", _NAME))
_UPLOAD = Parameter("name", "path", Value("The id of an upload.", _NAME))
_PART = Parameter("number", "path", Value("Of a part, from 0 on.", "0", {"type": "integer"}))
_KEY = Parameter(
    "Idempotency-Key",
    "header",
    Value("The same key is the same thing, however often it is sent.", "a1b2c3"),
)

_TOLD: dict[str, Any] = {
    "id": _NAME,
    "algorithm": ALGORITHM,
    "lane": "batch",
    "state": "running",
    "counts": {"total": 10, "succeeded": 4, "failed": 1, "left_out": 0},
    "progress": 0.5,
    "created_at": _AT,
    "started_at": _AT,
    "ended_at": None,
    "expires_at": None,
    "kept_until": None,
    "problem": None,
    "result": f"{_PATH}/result",
}
_WHERE = {"Location": Value("Where to look.", _PATH)}
_AGAIN = {"Retry-After": Value("Seconds, while it has not ended.", "1")}
_ASKED = Body(
    JobAsked,
    {
        "an archive": {"input": {"zip": "UEsDBBQ="}},
        "several": {"input": [{"image": "/9j/4AAQ", "id": "mine"}, {"upload": _NAME}]},
    },
)
_DISK = (JobsAway(),)
_OF_BODIES = (NotJson(), BodyLate(), EncodingUnknown("gzip"), FrontBusy())
_OF_ORDERS = (
    *(*_OF_BODIES, FieldInvalid("input: Field required."), InputTooLarge(6_000_000)),
    *(UploadTooLarge(1_000_000_000, "asynchronous"), UploadUnknown(), JobConflict(), JobsFull()),
    QuotaExceeded(90_000),
    *(UploadIncomplete("Complete the upload, then send the job again."), NO_WORKER, *AWAY, *_DISK),
)
_ACCEPTED = Reply(
    "It was taken, now or before; look again later.",
    Body(JobTold, {"running": _TOLD}),
    _WHERE | _AGAIN,
    HTTPStatus.ACCEPTED,
)
_HOW = "All that callers do not want is read meanwhile. docs/HTTP.md tells what may go in."

PUT_JOB = Operation(
    "Have many images read",
    "jobs",
    (_ACCEPTED, Reply("It has ended before.", Body(JobTold, {"running": _TOLD}), _WHERE)),
    _HOW,
    (_JOB,),
    _ASKED,
    _OF_ORDERS,
    needs=Right.JOBS,
)
POST_JOB = Operation(
    "The same, under an id that is chosen here",
    "jobs",
    PUT_JOB.replies,
    _HOW,
    (_KEY,),
    _ASKED,
    _OF_ORDERS,
    needs=Right.JOBS,
)
GET_JOB = Operation(
    "How far is it?",
    "jobs",
    (Reply("Its state.", Body(JobTold, {"running": _TOLD}), _WHERE | _AGAIN),),
    parameters=(_JOB,),
    problems=(JobUnknown(), *_DISK),
    needs=Right.JOBS,
)
DELETE_JOB = Operation(
    "Cancel it",
    "jobs",
    (_ACCEPTED,),
    "It has ended within two seconds; what was read stays.",
    (_JOB,),
    problems=(JobUnknown(), *_DISK),
    needs=Right.JOBS,
)
_LINE = (
    f'{{"item":0,"id":"1.png","input":0,"answer":"德","members":"1/5;settled","bundle":"{BUNDLE}"}}'
)
GET_RESULT = Operation(
    "What was read so far?",
    "jobs",
    (Reply("A line of JSON for each image.", Body(None, {"one": _LINE}, "application/x-ndjson")),),
    parameters=(_JOB,),
    problems=(JobUnknown(), *_DISK),
    needs=Right.JOBS,
)
_NUMBER = Parameter("number", "path", Value("Of an item, from 0 on.", "0", {"type": "integer"}))
PAGE = Parameter(
    "page", "query", Value("Of a sheet, which is drawn; the first.", "1", {"type": "string"})
)
GET_ITEM = Operation(
    "What was read in one image?",
    "jobs",
    (
        Reply(
            "Its line of the result; by `Accept` its text, or of a sheet the picture with boxes.",
            Body(dict[str, Any], {"one": json.loads(_LINE)}),
        ),
    ),
    needs=Right.JOBS,
    parameters=(_JOB, _NUMBER, PAGE),
    problems=(
        *(JobUnknown(), ItemUnknown(), ImageGone(), ImageUnreadable("no image"), NO_WORKER),
        *(FieldInvalid("page: not a number."), LineFull(2), AnswerLate(), *AWAY, *_DISK),
        EngineFailed("The page could not be drawn."),
    ),
)
LIST_JOBS = Operation(
    "Which jobs are there?",
    "jobs",
    (
        Reply(
            "The latest first; `next` is the `cursor` of the next page.",
            Body(dict[str, Any], {"none": {"jobs": [], "next": None}}),
        ),
    ),
    parameters=(
        Parameter("limit", "query", Value("Of a page.", "20", {"type": "integer"})),
        Parameter("cursor", "query", Value("From a reply.", "17")),
    ),
    problems=(FieldInvalid("cursor: not a number."), *_DISK),
    needs=Right.JOBS,
)

_PARTS: dict[str, Any] = {
    "id": _NAME,
    "bytes": 5,
    "complete": False,
    "expires_at": _AT,
    "parts": [
        {
            "number": 0,
            "url": f"/uploads/{_NAME}/parts/0",
            "offset": 0,
            "bytes": 5,
            "arrived": False,
        }
    ],
    "completion": f"/uploads/{_NAME}/complete",
}
_UPLOAD_TOLD = Body(UploadTold, {"one part": _PARTS})
_NOTHING = Reply("Done.", None, status=HTTPStatus.NO_CONTENT)

BEGIN_UPLOAD = Operation(
    "Begin to bring what is too large for a request",
    "jobs",
    (Reply("Where its parts go.", _UPLOAD_TOLD, {}, HTTPStatus.CREATED),),
    parameters=(_KEY,),
    body=Body(Ticket, {"a gigabyte": {"bytes": 1_000_000_000}}),
    problems=(
        *(*_OF_BODIES, FieldInvalid("bytes: Field required.")),
        *(UploadTooLarge(1_000_000_000, "asynchronous"), UploadConflict(), JobsFull(), *_DISK),
    ),
    needs=Right.JOBS,
)
GET_UPLOAD = Operation(
    "Which parts have arrived?",
    "jobs",
    (Reply("All parts.", _UPLOAD_TOLD),),
    parameters=(_UPLOAD,),
    problems=(UploadUnknown(), *_DISK),
    needs=Right.JOBS,
)
DELETE_UPLOAD = Operation(
    "Give it up",
    "jobs",
    (_NOTHING,),
    parameters=(_UPLOAD,),
    problems=(UploadUnknown(), *_DISK),
    needs=Right.JOBS,
)
PUT_PART = Operation(
    "Bring a part",
    "jobs",
    (_NOTHING,),
    parameters=(_UPLOAD, _PART),
    body=Body(None, {"its bytes": "(its bytes)"}, "application/octet-stream"),
    problems=(UploadUnknown(), FieldInvalid("Part 0 has 5 bytes."), NotJson(), BodyLate(), *_DISK),
    needs=Right.JOBS,
)
COMPLETE_UPLOAD = Operation(
    "All parts are there",
    "jobs",
    (Reply("A job may take it.", _UPLOAD_TOLD),),
    parameters=(_UPLOAD,),
    body=Body(Completion, {"a digest": {"sha256": "0" * 64}}),
    problems=(
        *(*_OF_BODIES, UploadUnknown(), FieldInvalid("sha256: Field required.")),
        *(UploadIncomplete("These parts are missing: 1."), *_DISK),
    ),
    needs=Right.JOBS,
)
