"""Exporting: what trainings have left becomes a calibrated bundle that can be served."""

from collections import Counter
from pathlib import Path
from typing import Any

from model.bundle import Bundle
from model.training.choices import Storage
from model.training.data.dataset import load
from model.training.fit.run import load_network, members, read_alike, read_history
from model.training.frozen.release import golden_images, release


def export(
    runs: list[Path],
    data: Path,
    labels: tuple[str, ...],
    golden: Path,
    out: Path,
    cache: Path,
    *,
    name: str,
    version: str,
    licence: str,
    storage: Storage = "mixed",
) -> Bundle:
    """Make the bundle `out` of every member of the trainings in `runs`.

    It is calibrated and compared on the images of `data` that were held out of the trainings;
    `golden` holds a few `<id>_<label>.jpg` that it must read right.
    Raises DataError when the runs do not belong together, CheckpointError when one cannot be read,
    and what `release` does; nothing is written then.
    """
    settings = read_alike(runs)
    first = settings[0]
    answers = golden_images(golden)
    dataset = load(data, labels, first.size, cache)
    networks = [
        load_network(run, member, setting, labels)
        for run, setting in zip(runs, settings, strict=True)
        for member in members(run)
    ]
    return release(
        networks,
        first.tuning(dataset),
        labels,
        answers,
        out,
        storage=storage,
        name=name,
        version=version,
        licence=licence,
        provenance={
            "data": {
                "names_sha256": first.data,
                "images": len(dataset),
                "held_out": first.held_out,
            },
            "training": [
                {"members": len(members(run)), **_epochs(read_history(run))} for run in runs
            ],
        },
    )


def _epochs(history: list[dict[str, Any]]) -> dict[str, Any]:
    """How many epochs of which input size, steps and hours; a line is one epoch."""
    sizes = Counter(f"{line['size']} px" for line in history)
    return {
        "epochs": dict(sizes),
        "steps": history[-1]["step"] if history else 0,
        "hours": round(sum(line["seconds"] for line in history) / 3600, 2),
    }
