"""What goes wrong where evidence of a reply is asked for."""

from __future__ import annotations

from http import HTTPStatus

from web.problem import Problem


class EvidenceUnknown(Problem):
    """Nothing is known of a reply to this uuid."""

    status = HTTPStatus.NOT_FOUND
    type = "evidence-unknown"
    title = "No evidence of this uuid"

    def __init__(self, *, kept: bool) -> None:
        super().__init__(
            "There is none, or no more. Evidence of a reply is there about a second after it."
            if kept
            else "No evidence is kept here. Its operator can name a folder for it (EVIDENCE)."
        )


class EvidenceAway(Problem):
    """The logbook cannot be read just now."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "evidence-away"
    title = "The logbook is away"
    retry_after_s = 1
    detail = "The logbook cannot be read just now. Ask again."
