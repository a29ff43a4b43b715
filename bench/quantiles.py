"""Quantiles of measured times."""

from __future__ import annotations

import math
from collections.abc import Sequence


def quantile(times_ms: Sequence[float], share: float) -> float | None:
    """The smallest time that ``share`` (0-1) of them do not exceed; None of none."""
    if not times_ms:
        return None
    ordered = sorted(times_ms)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def quantiles(times_ms: Sequence[float]) -> dict[str, float | None]:
    """p50, p95 and p99 in milliseconds, named as columns of a table."""
    ordered = sorted(times_ms)
    return {f"p{percent} ms": quantile(ordered, percent / 100) for percent in (50, 95, 99)}
