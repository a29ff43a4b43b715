"""Doubted labels: those that an ensemble which has not learnt them confidently contradicts."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.training.contact_sheet import contact_sheet
from model.training.dataset import Dataset
from model.training.errors import DataError
from model.training.evaluation import Floats
from model.training.lettering import Lettering

# Another class is as likely as this, and the label as unlikely.
LIKELY, UNLIKELY = 0.5, 0.01
LIST, SHEET = "doubts.csv", "doubts.png"
SHOWN = 240


@dataclass(frozen=True)
class Doubt:
    """The image in a row of a dataset, its label, and what is read with which probability."""

    row: int
    name: str
    label: str
    read: str
    probability: float


def find(probabilities: Floats, dataset: Dataset, labels: Sequence[str]) -> list[Doubt]:
    """The doubted labels of a dataset, the most confident contradiction first.

    `probabilities` (n, classes) are of an ensemble that was not trained on these images.
    """
    likeliest = probabilities.argmax(axis=1)
    found = [
        Doubt(row, name, labels[target], labels[best], float(each[best]))
        for row, (name, target, best, each) in enumerate(
            zip(dataset.names, dataset.targets, likeliest, probabilities, strict=True)
        )
        if each[best] >= LIKELY and each[target] <= UNLIKELY
    ]
    return sorted(found, key=lambda doubt: -doubt.probability)


def write(folder: Path, doubts: list[Doubt], dataset: Dataset, lettering: Lettering) -> None:
    """Write the list `doubts.csv`, and `doubts.png` with the first 240 of it, into the folder.

    Raises DataError when they cannot be written.
    """
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(("name", "label", "read", "probability"))
    lines.writerows((d.name, d.label, d.read, f"{d.probability:.4f}") for d in doubts)
    shown = doubts[:SHOWN]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # With a byte order mark, for spreadsheets that would guess at the encoding.
        (folder / LIST).write_text(text.getvalue(), encoding="utf-8-sig")
        (folder / SHEET).unlink(missing_ok=True)
        if shown:
            images = [dataset.images[doubt.row] for doubt in shown]
            captions = [f"{d.label} -> {d.read} {d.probability:.2f}" for d in shown]
            contact_sheet(images, captions, lettering).save(folder / SHEET)
    except OSError as error:
        raise DataError(f"cannot write the doubted labels to {folder}: {error}") from error
