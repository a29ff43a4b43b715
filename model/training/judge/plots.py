"""Pictures of an evaluation: reliability, accuracy by number of members, confused pairs."""

import io
from collections.abc import Callable
from typing import Any

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.training.judge.lettering import Lettering

INCHES, DPI = (6.4, 4.8), 120


def pictures(report: dict[str, Any], lettering: Lettering) -> dict[str, bytes]:
    """PNG files by name, drawn from what ``model.training.evaluate.assess`` returns.

    What no font of `lettering` has is written as its code point.
    """
    drawn = {
        "reliability.png": _draw(lambda axes: _reliability(axes, report)),
        "members.png": _draw(lambda axes: _members(axes, report)),
    }
    if report["confused"]:
        drawn["confused.png"] = _draw(lambda axes: _confused(axes, report["confused"], lettering))
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


def _confused(axes: Axes, pairs: list[dict[str, Any]], lettering: Lettering) -> None:
    path, names = lettering.best([f"{pair['label']} → {pair['read']}" for pair in pairs])
    places = range(len(pairs), 0, -1)
    axes.barh(places, [pair["times"] for pair in pairs], color="0.75")
    font = font_manager.FontProperties(fname=path)
    axes.set_yticks(places, names, fontproperties=font)
    axes.set(xlabel="images", title="Most frequent errors: label → answer")
