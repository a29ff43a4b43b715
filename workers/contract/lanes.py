"""The lanes: how much a job may bring, and how long it may take."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class Lane(StrEnum):
    """By what a caller expects: an answer soon, or all of them some time."""

    ASYNCHRONOUS = "asynchronous"
    BATCH = "batch"


class Limits(NamedTuple):
    """Bytes in the request itself, bytes of an upload, and milliseconds; None: as many as it takes.

    What all jobs bring together has a limit of its own, JOBS_MAX_BYTES.
    """

    inline_bytes: int
    upload_bytes: int | None
    within_ms: int | None


# POST /inference is the lane before them: MAX_IMAGE_BYTES, and Prefer: wait.
LANES: Final = {
    Lane.ASYNCHRONOUS: Limits(6_000_000, 1_000_000_000, 15 * 60_000),
    Lane.BATCH: Limits(6_000_000, None, None),
}
