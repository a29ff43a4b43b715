"""The wire of uploads: what is asked, and what is told. Knows no HTTP."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from web.job_wire import time_of
from workers.contract.job import name_of
from workers.contract.uploads import Upload

_SHA256 = re.compile("[0-9a-f]{64}")


class Ticket(BaseModel):
    """How large it will be."""

    model_config = ConfigDict(strict=True, extra="forbid")

    bytes: Annotated[int, Field(ge=1)]
    lane: Literal["asynchronous", "batch"] = "batch"


class Completion(BaseModel):
    """What the whole is to be."""

    model_config = ConfigDict(strict=True, extra="forbid")

    sha256: Annotated[str, Field(pattern=_SHA256)]


class Part(TypedDict):
    """Where some of its bytes go, and whether they have."""

    number: int
    url: str
    offset: int
    bytes: int
    arrived: bool


class UploadTold(TypedDict):
    """An upload, and all its parts."""

    id: str
    bytes: int
    complete: bool
    expires_at: str | None
    parts: list[Part]
    completion: str


def told(upload: Upload) -> UploadTold:
    """What a caller is told of an upload."""
    name = name_of(upload.id)
    base = f"/uploads/{name}"
    return {
        "id": name,
        "bytes": upload.size,
        "complete": upload.sha256 is not None,
        "expires_at": time_of(upload.expires_ms),
        "parts": [
            {
                "number": number,
                "url": f"{base}/parts/{number}",
                "offset": part.start,
                "bytes": len(part),
                "arrived": number in upload.arrived,
            }
            for number, part in enumerate(upload.parts)
        ],
        "completion": f"{base}/complete",
    }
