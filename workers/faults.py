"""Faults: what is wrong with an image or a file of a job, as its caller is told."""

from __future__ import annotations

from typing import Any, Final

from workers.contract.contents import Found

LONGEST_ID: Final = 1_000


class InputRefused(Exception):
    """The file as a whole is not what it should be; the message tells the caller why."""


def unreadable(detail: str) -> dict[str, Any]:
    """What is told of an image that is none, as the front tells it (web/problems.py)."""
    return {
        "type": "urn:punctual:problem:image-unreadable",
        "title": "The image cannot be read",
        "status": 422,
        "detail": detail,
    }


def wrong(number: int, id_: str, detail: str) -> Found:
    """In the place of an image of this input: why it is not read."""
    return Found(number, id_[:LONGEST_ID], "", b"", unreadable(detail))
