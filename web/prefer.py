"""The Prefer header (RFC 7240): how long a caller wants to wait."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from werkzeug.http import parse_list_header

MIN_WAIT_MS = 50
MAX_WAIT_MS = 30_000

_WAIT = re.compile(r'\s*wait\s*=\s*"?([0-9]+(?:\.[0-9]+)?)"?\s*(?:;.*)?', re.IGNORECASE)


def preferred_wait_ms(headers: Iterable[str]) -> int | None:
    """The first ``wait=N`` (seconds, decimals allowed) among the Prefer headers.

    Out of range means the nearest limit. What cannot be understood is ignored, as the RFC asks.
    """
    for header in headers:
        for preference in parse_list_header(header):
            if match := _WAIT.fullmatch(preference):
                wait_ms = min(float(match[1]) * 1000, MAX_WAIT_MS)
                return max(MIN_WAIT_MS, math.floor(wait_ms))
    return None


def applied(wait_ms: int) -> str:
    """The value of Preference-Applied: what was granted, in seconds."""
    return f"wait={wait_ms / 1000:g}"
