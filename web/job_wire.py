"""The wire of jobs: what a request for one says, and what is told of it. Knows no HTTP."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from typing_extensions import TypedDict

from web.job_problems import InputTooLarge
from web.problems import FieldInvalid
from web.wire import decoded, faults, parsed
from workers.contract.job import Input, Job, Order, name_of
from workers.contract.jobs import UploadGone
from workers.contract.lanes import LANES, Lane
from workers.contract.uploads import Upload

_EXPECTED = 'an object with algorithm and input, such as {"input": {"zip": "UEsDB..."}}'
_MAX_INPUTS = 1_000
_KINDS = ("image", "pdf", "zip", "csv", "upload")


class _Input(BaseModel):
    """One of the kinds; ``id`` is what the caller calls an image, ``upload`` that of an upload."""

    model_config = ConfigDict(strict=True, extra="forbid")

    image: str | None = None
    pdf: str | None = None
    zip: str | None = None
    csv: str | None = None
    upload: str | None = None
    id: Annotated[str, Field(max_length=1_000)] = ""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(getattr(self, kind) is not None for kind in _KINDS) != 1:
            raise ValueError(f"must have one of {', '.join(_KINDS)}")
        return self

    @property
    def kind(self) -> str:
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)

    def content(self, number: int) -> bytes | str:
        """The file, or the id of the upload that it is."""
        if self.upload is not None:
            return self.upload
        return decoded(getattr(self, self.kind), f"input.{number}.{self.kind}")


class JobAsked(BaseModel):
    """A misspelt field would be silently without effect, so that none is ignored."""

    model_config = ConfigDict(strict=True, extra="forbid")

    algorithm: str | None = None
    lane: Literal["asynchronous", "batch"] = "batch"
    keep_images: Annotated[
        bool, Field(description="for as long as the result, so that boxes can be drawn in them")
    ] = False
    input: Annotated[
        list[_Input],
        Field(min_length=1, max_length=_MAX_INPUTS),
        BeforeValidator(lambda given: [given] if isinstance(given, dict) else given),
        WithJsonSchema({"type": ["object", "array"], "description": "one of them, or a list"}),
    ]


@dataclass
class JobRequest:
    """What a job is to be: ``contents`` are its inputs' files, in their order.

    That of an upload is its id. ``algorithm`` is None for the default one. ``keeps``: its images
    stay with the result.
    """

    algorithm: str | None
    lane: Lane
    inputs: tuple[Input, ...]
    contents: tuple[bytes | str, ...]
    keeps: bool = False

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read a body as JSON.

        Raises:
            NotJson: 400.
            FieldInvalid: 422, a field is missing, unknown or wrong, or the base64 is.
            InputTooLarge: 413, the inputs together are over the limit of the lane.
        """
        document = parsed(body, _EXPECTED)
        if not isinstance(document, dict):
            raise FieldInvalid(f"The body must be {_EXPECTED}.")
        try:
            fields = JobAsked.model_validate(document)
        except ValidationError as error:
            raise FieldInvalid(
                f"{faults(error)}. Correct the field and send the request again."
            ) from error
        inputs = tuple(
            Input(each.kind, f"input-{number}", each.id) for number, each in enumerate(fields.input)
        )
        contents = tuple(each.content(number) for number, each in enumerate(fields.input))
        asked = cls(fields.algorithm, Lane(fields.lane), inputs, contents, fields.keep_images)
        if len(set(asked.uploads)) < len(asked.uploads):
            raise FieldInvalid("input: an upload is named twice. Name it once.")
        limit = LANES[asked.lane].inline_bytes
        if asked._inline_bytes > limit:
            raise InputTooLarge(limit)
        return asked

    @classmethod
    def of_image(cls, algorithm: str | None, id_: str, image: bytes) -> Self:
        """One image, for a caller who comes back for it soon."""
        return cls(algorithm, Lane.ASYNCHRONOUS, (Input("image", "input-0", id_),), (image,))

    @property
    def uploads(self) -> list[str]:
        """The ids of those that it names."""
        return [content for content in self.contents if isinstance(content, str)]

    @property
    def _inline_bytes(self) -> int:
        return sum(len(content) for content in self.contents if isinstance(content, bytes))

    def order(self, id_: str, algorithm: str, uploads: Sequence[Upload]) -> Order:
        """The same order has the same digest, however it was written.

        ``id_`` is filed. ``uploads``: those that it names and that are there.
        """
        told = [
            (
                *(each.kind, each.id),
                content if isinstance(content, str) else hashlib.sha256(content).hexdigest(),
            )
            for each, content in zip(self.inputs, self.contents, strict=True)
        ]
        told_all = [algorithm, self.lane, told, *(["keeps"] if self.keeps else [])]
        digest = hashlib.sha256(json.dumps(told_all).encode()).hexdigest()
        size = self._inline_bytes + sum(upload.size for upload in uploads)
        taken = tuple(upload.id for upload in uploads)
        return Order(id_, digest, algorithm, self.lane, self.inputs, size, taken, self.keeps)

    def bring(self, folder: Path, uploaded: Mapping[str, Path]) -> None:
        """Put the inputs into a folder; of what was uploaded it takes the file.

        Raises:
            UploadGone: there is none of that name.
        """
        for each, content in zip(self.inputs, self.contents, strict=True):
            if isinstance(content, bytes):
                (folder / each.file).write_bytes(content)
            elif content in uploaded:
                (folder / each.file).hardlink_to(uploaded[content])
            else:
                raise UploadGone(content)


class Counts(TypedDict):
    """Of images; ``total`` is null until all inputs were looked through."""

    total: int | None
    succeeded: int
    failed: int
    left_out: int


class JobTold(TypedDict):
    """A job as it is."""

    id: str
    algorithm: str
    lane: Literal["asynchronous", "batch"]
    state: Literal["queued", "running", "cancelling", "succeeded", "failed", "cancelled", "expired"]
    counts: Counts
    progress: float
    created_at: str | None
    started_at: str | None
    ended_at: str | None
    expires_at: str | None
    kept_until: str | None
    problem: dict[str, Any] | None
    result: str


def told(job: Job) -> JobTold:
    """What a caller is told of a job."""
    done, name = job.succeeded + job.failed, name_of(job.id)
    return {
        "id": name,
        "algorithm": job.algorithm,
        "lane": job.lane.value,
        "state": job.state.value,
        "counts": {
            "total": job.total,
            "succeeded": job.succeeded,
            "failed": job.failed,
            "left_out": job.left_out,
        },
        "progress": round(done / job.total, 4) if job.total else 0,
        "created_at": time_of(job.created_ms),
        "started_at": time_of(job.started_ms),
        "ended_at": time_of(job.ended_ms),
        "expires_at": time_of(job.deadline_ms),
        "kept_until": time_of(job.kept_until_ms),
        "problem": None if job.problem is None else _failed(job.problem),
        "result": f"/jobs/{name}/result",
    }


def _failed(detail: str) -> dict[str, Any]:
    return {
        "type": "urn:punctual:problem:job-failed",
        "title": "The job cannot be done",
        "status": 422,
        "detail": detail,
    }


def time_of(at_ms: int | None) -> str | None:
    """As RFC 3339 has it, in UTC."""
    if at_ms is None:
        return None
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
