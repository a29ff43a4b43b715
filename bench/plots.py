"""What the scenarios' pictures are drawn with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

_Number = float | None
Line = tuple[Sequence[_Number], Sequence[_Number]]


def draw_latencies(axes: Axes, times_ms: Mapping[str, Sequence[float]]) -> None:
    """Share of answers by their time, a curve for each target."""
    for name, times in times_ms.items():
        ordered = sorted(times)
        shares = [100 * (number + 1) / len(ordered) for number in range(len(ordered))]
        axes.plot(ordered, shares, label=name)
    axes.set_xscale("log")
    axes.set_xlabel("ms from when it was due")
    axes.set_ylabel("answers, %")
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)


def draw_lines(axes: Axes, lines: Mapping[str, Line], across: str, up: str) -> None:
    """A line for each target; what was not measured is left out."""
    for name, (xs, ys) in lines.items():
        points = [(x, y) for x, y in zip(xs, ys, strict=True) if x is not None and y is not None]
        axes.plot([x for x, _ in points], [y for _, y in points], marker=".", label=name)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)


def draw_bars(axes: Axes, values: Mapping[str, _Number], up: str) -> None:
    """A bar for each target that has a value."""
    found = {name: value for name, value in values.items() if value is not None}
    axes.barh(list(found), list(found.values()))
    axes.invert_yaxis()
    axes.set_xlabel(up)
