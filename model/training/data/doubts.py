"""Doubted labels: those that an ensemble which has not learnt them contradicts.

What it gives hardly any probability is nearly always a wrong label, a blank or another character's
strokes, and teaches nothing; what it gives little may be either, and is learnt half. A person can
look them over and change a verdict in the list before it is used.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.training.data.dataset import Dataset
from model.training.errors import DataError
from model.training.judge.contact_sheet import contact_sheet
from model.training.judge.evaluation import Floats
from model.training.judge.lettering import Lettering

# The probability of the label up to which it is left out, and up to which it is softened.
LEAVE_OUT, SOFTEN = 0.01, 0.05
OUT, HALF = "out", "half"
LIST, SHEET = "doubts.csv", "doubts.png"
COLUMNS = ("name", "label", "read", "probability", "of_label", "verdict")
SHOWN = 240


@dataclass(frozen=True)
class Doubt:
    """The image in a row of a dataset, its label, and what is read with which probability.

    `of_label` is the probability of the label. The `verdict` on it: `out`, it is not to be learnt,
    or `half`, what is read is to count as much.
    """

    row: int
    name: str
    label: str
    read: str
    probability: float
    of_label: float
    verdict: str


def find(
    probabilities: Floats,
    dataset: Dataset,
    labels: Sequence[str],
    leave_out: float = LEAVE_OUT,
    soften: float = SOFTEN,
) -> list[Doubt]:
    """The doubted labels of a dataset, the least likely first.

    `probabilities` (n, classes) are of an ensemble that has not learnt these labels by heart.
    """
    of_label = probabilities[np.arange(len(dataset)), dataset.targets]
    likeliest = probabilities.argmax(axis=1)
    return [
        Doubt(
            int(row),
            dataset.names[row],
            labels[dataset.targets[row]],
            labels[likeliest[row]],
            float(probabilities[row, likeliest[row]]),
            float(of_label[row]),
            OUT if of_label[row] <= leave_out else HALF,
        )
        for row in np.argsort(of_label, kind="stable")
        if of_label[row] <= max(leave_out, soften)
    ]


def write(folder: Path, doubts: list[Doubt], dataset: Dataset, lettering: Lettering) -> None:
    """Write the list `doubts.csv`, and `doubts.png` with 240 of it evenly, into the folder.

    Raises DataError when they cannot be written.
    """
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS)
    lines.writerows(
        (d.name, d.label, d.read, f"{d.probability:.4f}", f"{d.of_label:.4f}", d.verdict)
        for d in doubts
    )
    shown = doubts[:: -(-len(doubts) // SHOWN) or 1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # With a byte order mark, for spreadsheets that would guess at the encoding.
        (folder / LIST).write_text(text.getvalue(), encoding="utf-8-sig")
        (folder / SHEET).unlink(missing_ok=True)
        if shown:
            images = [dataset.images[doubt.row] for doubt in shown]
            captions = [f"{d.label} -> {d.read} {d.of_label:.2f}" for d in shown]
            contact_sheet(images, captions, lettering).save(folder / SHEET)
    except OSError as error:
        raise DataError(f"cannot write the doubted labels to {folder}: {error}") from error


def read(path: Path, dataset: Dataset, labels: Sequence[str]) -> tuple[list[int], dict[int, int]]:
    """Of a list: the rows of the dataset to leave out, and those to soften with the class read.

    Only the columns `name`, `read` and `verdict` count; images that the dataset lacks are passed.
    Raises DataError when it cannot be read, has other columns, verdicts or labels.
    """
    rows = {name: row for row, name in enumerate(dataset.names)}
    classes = {label: index for index, label in enumerate(labels)}
    out, half = [], {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            for line in csv.DictReader(stream):
                row, seen = rows.get(line["name"]), classes[line["read"]]
                if line["verdict"] not in (OUT, HALF):
                    raise KeyError(line["verdict"])
                if row is not None and line["verdict"] == OUT:
                    out.append(row)
                elif row is not None:
                    half[row] = seen
    except (OSError, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise DataError(
            f"{path} is no list of doubted labels: {error}; expected the columns name, read (of the"
            f" label list) and verdict ({OUT} or {HALF})"
        ) from error
    return out, half
