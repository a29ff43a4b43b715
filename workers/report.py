"""What ``python -m workers status`` prints: versions, comparisons, the latest steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workers.contract.register import Version
from workers.contract.shadow import Change, Figures
from workers.roster import Step

_HEAD = ("version", "state", "workers", "waiting", "answers/s", "computed", "memory")


def report(versions: Sequence[Version]) -> Iterator[str]:
    """The table, line after line."""
    rows = [_HEAD, *map(_row, versions)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()


def compared(line: str, figures: Figures, changes: Sequence[Change]) -> Iterator[str]:
    """What a version made of the images that another one has answered."""
    if not figures.read:
        return
    yield ""
    yield (
        f"{line} has read {figures.read} images along, {figures.skipped} skipped while callers "
        f"waited: {figures.alike / figures.read:.1%} alike, "
        f"{figures.took_us / figures.read / 1000:.1f} ms beside "
        f"{figures.their_us / figures.read / 1000:.1f}"
    )
    for change in changes:
        yield f"  {change.uuid}: {change.was} became {change.now}"


def history(steps: Sequence[Step]) -> Iterator[str]:
    """Who did what, and when."""
    if steps:
        yield ""
    for step in steps:
        yield f"{step.when}  {step.who}  {step.what} {step.line}  {step.digest[:12]}".rstrip()


def _row(version: Version) -> tuple[str, ...]:
    status = version.status
    return (
        status.line,
        version.state,
        str(status.workers),
        str(status.queue_length),
        str(round(status.rate.images)),
        str(status.counts.executions),
        f"{status.resident_bytes >> 20} MiB",
    )
