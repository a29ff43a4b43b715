"""Quantiles of measured times, and how they are printed."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def quantiles(times_ms: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 of at least two times."""
    cuts = statistics.quantiles(times_ms, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}


def table(rows: dict[str, Sequence[float]]) -> str:
    """A markdown table of milliseconds, a row for each name."""
    lines = ["| ms | p50 | p95 | p99 |", "|---|---|---|---|"]
    for name, times_ms in rows.items():
        cells = " | ".join(f"{value:.2f}" for value in quantiles(times_ms).values())
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)
