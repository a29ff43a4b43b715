"""What ``POST /inference`` tells of itself."""

from __future__ import annotations

from web.account_problems import Forbidden, QuotaExceeded
from web.openapi.examples import AWAY, BUNDLE, NAME, NO_WORKER, READ_ONLY, UNKNOWN
from web.openapi.jobs import PAGE
from web.openapi.operation import Body, Operation, Parameter, Reply, Value
from web.prefer import MAX_WAIT_MS, MIN_WAIT_MS
from web.problems import (
    AnswerLate,
    BodyLate,
    BodyTooLarge,
    EncodingUnknown,
    EngineFailed,
    FieldInvalid,
    FrontBusy,
    ImageUnreadable,
    LineFull,
    NotJson,
    UuidConflict,
)
from web.settings import WebSettings
from web.wire import InferenceFields, InferenceReply

_UUID = "6465e4f10a0b099c"
_TIMESTAMP = 1_763_627_409

# A handwritten 德, 40 by 40 in black and white.
_IMAGE = (
    "iVBORw0KGgoAAAANSUhEUgAAACgAAAAoAQAAAACkhYXAAAAAnUlEQVR42m3IsQ7BYABF4fPfVipiEJNBwuAhDBJ9Ir"
    "EZmcRbMXoIic5dEESJ/tdgE2f4hoOPtsVvwQDf/9ccBBfAMbHFqw1iPQc5AMKAYtgCT7O0ykcX0n49AnkxA96LwuZ9"
    "XdlU58wWm94LnRpFkguhvSpuYacBHcainoC45yBaHhIiARQjZxKm5aEfokt6KbRTiHWVWVFZk1AL+ACi1kCB1SATrw"
    "AAAABJRU5ErkJggg=="
)

_ASKED = {"esun_uuid": _UUID, "esun_timestamp": _TIMESTAMP, "image": _IMAGE, "retry": 2}
_ANSWERED: InferenceReply = {
    "esun_uuid": _UUID,
    "server_uuid": "78f509435550a48aff89265b8093bb50d79ff5edc6461560bce16e87c58008c6",
    "server_timestamp": _TIMESTAMP,
    "answer": "德",
}
_WHOLE: InferenceReply = {
    **_ANSWERED,
    "confidence": 0.9985,
    "alternatives": [{"text": "得", "confidence": 0.0006}],
}

_UUID_ECHO = {"Punctual-Uuid": Value("The `esun_uuid`, percent-encoded, where it was read.", _UUID)}
_APPLIED = {"Preference-Applied": Value("What was granted of `Prefer`.", "wait=5")}

_LIMITS = {
    "RateLimit-Policy": Value(
        "What the account may have: of `rate`, `q` new requests at once, which are there again "
        "after `w` seconds; of `quota`, `q` units in the `w` seconds of this month.",
        '"rate";q=20;w=2, "quota";q=100000;w=2592000',
    ),
    "RateLimit": Value(
        "What is left of it (`r`), and when all of it is there again (`t`, in seconds).",
        '"rate";r=19;t=1, "quota";r=99042;t=90000',
    ),
}

_HOW_IT_CAME_ABOUT = {
    "Punctual-Source": Value(
        "`computed` for the copy that started it, `joined` for one that shared it, `kept` for one "
        "that came after.",
        "computed",
        {"enum": ["computed", "joined", "kept"]},
    ),
    "Punctual-Bundle": Value("What answered: name and version.", BUNDLE),
    "Punctual-Members": Value(
        "How many members of the ensemble answered, of how many. `2/5;settled`: the others would "
        "not change it. `2/5` alone: time ran out, and a later re-send may get the whole answer. "
        "`1/5;express`: so many waited that a cheaper form of the first member answered.",
        "1/5;settled",
        {"type": "string", "pattern": "^[0-9]+/[0-9]+(;settled|;express)?$"},
    ),
    "Server-Timing": Value(
        "Milliseconds in the queue and in the engine; of a sheet also in its `detector` and "
        "`reader`.",
        "queue;dur=2, compute;dur=1.9",
    ),
}


def inference_operation(settings: WebSettings) -> Operation:
    """With and without a name in the path, of a front with these settings."""
    return Operation(
        "Read one image",
        "inference",
        (
            Reply(
                "The answer.",
                Body(InferenceReply, {"a 德": _ANSWERED, "the whole representation": _WHOLE}),
                {**_HOW_IT_CAME_ABOUT, **_UUID_ECHO, **_APPLIED, **_LIMITS},
            ),
        ),
        description=(
            "A uuid is one image: the first copy starts the computation, later copies share it, "
            "and its answer is kept for re-sends. Send a late one again, to any front.\n\n"
            "The body is read as JSON whatever its content type says. The image is at most "
            f"{settings.max_image_bytes:,} bytes, before base64. Without a name in the path the "
            "default algorithm answers. What reads sheets tells `pages` beside these fields; by "
            "`Accept` the text alone (`text/plain`), or a `page` with boxes drawn (`image/png`)."
        ),
        parameters=(
            Parameter("algorithm", "path", NAME),
            PAGE,
            Parameter(
                "Prefer",
                "header",
                Value(
                    f"`wait=N`: reply within N seconds, {MIN_WAIT_MS / 1000:g} to "
                    f"{MAX_WAIT_MS / 1000:g}; without it, {settings.answer_within_ms / 1000:g}. "
                    "`return=representation`: tell also how sure the answer is and what else it "
                    "could be (RFC 7240).",
                    "wait=5",
                ),
            ),
        ),
        body=Body(InferenceFields, {"a 德": _ASKED}),
        problems=(
            NotJson(
                "The body cannot be read as JSON (EOF while parsing a value at line 1 column 0). "
                "Send an object with esun_uuid, esun_timestamp, image and retry."
            ),
            UNKNOWN,
            BodyLate(),
            BodyTooLarge(settings.max_image_bytes),
            EncodingUnknown("gzip"),
            FieldInvalid("image: Field required. Correct the field and send the request again."),
            ImageUnreadable(
                "the picture cannot be decoded (UnidentifiedImageError). Send a JPEG or PNG file."
            ),
            UuidConflict(),
            EngineFailed("The engine failed. Send the same request again."),
            Forbidden("ask handwriting"),
            QuotaExceeded(90_000),
            NO_WORKER,
            LineFull(2),
            FrontBusy(),
            *AWAY,
            *READ_ONLY,
            AnswerLate(),
        ),
        problem_headers={**_UUID_ECHO, **_APPLIED, **_LIMITS},
    )
