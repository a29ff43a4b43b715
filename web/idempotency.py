"""Idempotency-Key: who sends a request again under the same key means the same thing."""

from __future__ import annotations

import hashlib
import uuid

from flask import Request

from web.problems import FieldInvalid

_MAX_CHARACTERS = 255


def name_by(request: Request, kind: str) -> str:
    """What to call that which the request brings into being: the same for the same key.

    So a re-send leads there without a list of keys. What differs in ``kind`` is called differently.

    Raises:
        FieldInvalid: 422, the key is too long.
    """
    key = request.headers.get("Idempotency-Key")
    if not key:
        return uuid.uuid4().hex
    if len(key) > _MAX_CHARACTERS:
        raise FieldInvalid(f"Idempotency-Key: over {_MAX_CHARACTERS} characters.")
    return hashlib.sha256(f"{kind} {key}".encode()).hexdigest()[:32]
