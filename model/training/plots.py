"""Pictures of an evaluation: reliability, accuracy by number of members, confused pairs."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

from model.training.contact_sheet import spelled

SUFFIXES = (".ttf", ".ttc", ".otf")
INCHES, DPI = (6.4, 4.8), 120


def pictures(report: dict[str, Any], fonts: Path | None) -> dict[str, bytes]:
    """PNG files by name, drawn from what ``model.training.assessment.assess`` returns.

    Characters need a font: one below the folder `fonts`, or an installed one. What none has is
    written as its code point.
    """
    drawn = {
        "reliability.png": _draw(lambda axes: _reliability(axes, report)),
        "members.png": _draw(lambda axes: _members(axes, report)),
    }
    if report["confused"]:
        drawn["confused.png"] = _draw(lambda axes: _confused(axes, report["confused"], fonts))
    return drawn


def _draw(onto: Callable[[Axes], None]) -> bytes:
    figure = Figure(figsize=INCHES, dpi=DPI, layout="constrained")
    onto(figure.subplots())
    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    return stream.getvalue()


def _reliability(axes: Axes, report: dict[str, Any]) -> None:
    bins = report["reliability"]
    sure = [each["confidence"] for each in bins]
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot(sure, [each["accuracy"] for each in bins], marker="o", label="accuracy")
    share = [each["images"] / report["images"] for each in bins]
    axes.bar(sure, share, width=0.03, color="0.85", label="share of the images")
    axes.set(
        xlabel="probability of the answer",
        title=f"Expected calibration error {report['calibration_error']:.3f}",
        xlim=(0, 1),
        ylim=(0, 1),
    )
    axes.legend()


def _members(axes: Axes, report: dict[str, Any]) -> None:
    members, leaving = report["members"], report["early_exit"]
    numbers = range(1, len(members["first"]) + 1)
    axes.plot(numbers, members["first"], marker="o", label="the first members together")
    axes.scatter(numbers, members["alone"], color="0.6", label="each member alone")
    axes.scatter(
        leaving["mean_members"],
        leaving["accuracy"],
        marker="D",
        color="tab:green",
        label=f"with early exits ({leaving['mean_members']:.2f} on average)",
    )
    axes.set(xlabel="members", ylabel="accuracy", xticks=list(numbers))
    axes.grid(color="0.9")
    axes.legend(loc="lower right")


def _confused(axes: Axes, pairs: list[dict[str, Any]], fonts: Path | None) -> None:
    wanted = {sign for pair in pairs for sign in pair["label"] + pair["read"]}
    path, known = _font(wanted, fonts)
    names = [f"{spelled(pair['label'], known)} → {spelled(pair['read'], known)}" for pair in pairs]
    places = range(len(pairs), 0, -1)
    axes.barh(places, [pair["times"] for pair in pairs], color="0.75")
    font = font_manager.FontProperties(fname=path) if path else None
    axes.set_yticks(places, names, fontproperties=font)
    axes.set(xlabel="images", title="Most frequent errors: label → answer")


def _font(wanted: set[str], folder: Path | None) -> tuple[str | None, set[str]]:
    """The font that has most of these characters, and which it has; None: matplotlib's own."""
    found = sorted(map(str, folder.rglob("*"))) if folder else font_manager.findSystemFonts()
    best: tuple[str | None, set[str]] = (None, _characters(font_manager.findfont("DejaVu Sans")))
    for path in found:
        if path.lower().endswith(SUFFIXES):
            has = _characters(path)
            if "→" in has and len(wanted & has) > len(wanted & best[1]):
                best = path, has
    return best


def _characters(path: str) -> set[str]:
    try:
        return {chr(code) for code in FT2Font(path).get_charmap()}
    except (OSError, RuntimeError):  # no font, or a damaged one
        return set()
