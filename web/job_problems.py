"""What is told of jobs, their items and uploads."""

from __future__ import annotations

from http import HTTPStatus

from web.problem import Problem
from web.problems import BodyTooLarge


class InputTooLarge(BodyTooLarge):
    """What a job brings within its request is over the limit of its lane."""

    title = "The input is too large"

    def __init__(self, max_bytes: int) -> None:
        Problem.__init__(
            self,
            f"The input is over {max_bytes:,} bytes. Send less, or upload it: POST /uploads.",
        )


class UploadTooLarge(InputTooLarge):
    """An upload is over the limit of its lane, or of all."""

    title = "The upload is too large"

    def __init__(self, max_bytes: int, lane: str) -> None:
        Problem.__init__(
            self, f"An upload for the lane {lane} has at most {max_bytes:,} bytes. Send several."
        )


class JobUnknown(Problem):
    """There is no job of this id."""

    status = HTTPStatus.NOT_FOUND
    type = "job-unknown"
    title = "No such job"
    detail = "There is no job of this id, or it has been forgotten. GET /jobs lists what there is."


class JobConflict(Problem):
    """The same id came with another order before."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "job-conflict"
    title = "This id belongs to another job"
    detail = (
        "Another job came under this id or Idempotency-Key. Use a new one for a new job, and the "
        "same body for a re-send."
    )


class JobsFull(Problem):
    """What all jobs bring together has reached its limit."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "jobs-full"
    title = "There is no room for another job"
    retry_after_s = 60
    detail = (
        "So much waits to be read that there is no room for more. Send the same job again later."
    )


class JobsAway(Problem):
    """Jobs are not kept here, or the disk does not do its part."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "jobs-away"
    title = "Jobs cannot be reached"
    retry_after_s = 5
    detail = "The folder of the jobs cannot be read or written. Send the same request again."


class ItemUnknown(Problem):
    """A job has no such item, or it was not read yet."""

    status = HTTPStatus.NOT_FOUND
    type = "item-unknown"
    title = "There is no such item"
    detail = "There is no such item in this job, or it was not read yet. Look again later."


class ImageGone(Problem):
    """The image of an item is not kept."""

    status = HTTPStatus.NOT_FOUND
    type = "image-gone"
    title = "The image is gone"
    detail = (
        "Images of a job are removed at its end, unless it was ordered with keep_images. Ask for "
        "the JSON or the text instead."
    )


class UploadUnknown(Problem):
    """There is no upload of this id."""

    status = HTTPStatus.NOT_FOUND
    type = "upload-unknown"
    title = "No such upload"
    detail = (
        "There is no upload of this id: a job has taken it, or it has expired. Begin a new one: "
        "POST /uploads."
    )


class UploadConflict(Problem):
    """The same Idempotency-Key came with another size before."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    type = "upload-conflict"
    title = "This Idempotency-Key belongs to another upload"
    detail = (
        "An upload of another size came under this Idempotency-Key. Use a new one for another file."
    )


class UploadIncomplete(Problem):
    """Parts are missing, or the whole is not what it should be."""

    status = HTTPStatus.CONFLICT
    type = "upload-incomplete"
    title = "The upload is not complete"
