"""The Prefer header (RFC 7240): how long a caller wants to wait, and how much to be told."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from urllib.request import parse_http_list

RESPOND_ASYNC = "respond-async"

MIN_WAIT_MS = 50
MAX_WAIT_MS = 30_000

_WAIT = re.compile(r'("?)\s*wait\s*=\s*("?)([0-9]+(?:\.[0-9]+)?)\2\s*(?:;.*)?\1', re.IGNORECASE)
_RETURN = re.compile(r'("?)\s*return\s*=\s*("?)([a-z]+)\2\s*(?:;.*)?\1', re.IGNORECASE)


def preferred_wait_ms(headers: Iterable[str]) -> int | None:
    """The first ``wait=N`` (seconds, decimals allowed) among the Prefer headers.

    Out of range means the nearest limit. What cannot be understood is ignored, as the RFC asks.
    """
    for header in headers:
        for preference in parse_http_list(header):
            if match := _WAIT.fullmatch(preference):
                wait_ms = min(float(match[3]) * 1000, MAX_WAIT_MS)
                return max(MIN_WAIT_MS, math.floor(wait_ms))
    return None


def prefers_async(headers: Iterable[str]) -> bool:
    """Whether the caller would rather come back for the answer than wait."""
    return any(
        preference.partition(";")[0].strip().lower() == RESPOND_ASYNC
        for header in headers
        for preference in parse_http_list(header)
    )


def prefers_representation(headers: Iterable[str]) -> bool:
    """Whether the first ``return=`` among the Prefer headers is ``representation``."""
    for header in headers:
        for preference in parse_http_list(header):
            if match := _RETURN.fullmatch(preference):
                return match[3].lower() == "representation"
    return False


def applied(wait_ms: int | None, *, whole: bool = False) -> str:
    """The value of Preference-Applied: what was granted, a wait in seconds."""
    granted = [] if wait_ms is None else [f"wait={wait_ms / 1000:g}"]
    if whole:
        granted.append("return=representation")
    return ", ".join(granted)
