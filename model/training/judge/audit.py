"""An audit: what somebody who looked at labelled images says of their labels.

A share of hand-typed labels is wrong, and some images show nothing that could be read, so that no
reader gets beyond some ceiling. Only where a label was found to be right does an error count.
"""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.training.errors import DataError
from model.training.judge import evaluation
from model.training.judge.evaluation import Flags, Indexes, Rule

FILE, VERDICT, RIGHT = "file", "verdict", "right"


@dataclass(frozen=True)
class Audit:
    """The verdict on each image, empty where there is none; of `absent` files there is no image."""

    verdicts: tuple[str, ...]
    absent: int

    @property
    def right(self) -> Flags:
        """Which of the images (n,) can be read, and carry the right label."""
        return np.array([verdict == RIGHT for verdict in self.verdicts], bool)


def read(path: Path, names: Sequence[str]) -> Audit:
    """The audit in a CSV with the columns `file` and `verdict`, of images with these names.

    The verdict is `right`, or a word for what is wrong, such as `label`, `blank` or `several`.
    Raises DataError when it cannot be read, has other columns, or calls none of the images right.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            told = {
                line[FILE].strip(): line[VERDICT].strip().lower() for line in csv.DictReader(stream)
            }
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError) as error:
        raise DataError(
            f"{path} is no audit: {error}; expected a CSV with the columns {FILE} and {VERDICT}"
        ) from error
    audit = Audit(tuple(told.get(name, "") for name in names), len(told.keys() - set(names)))
    if not audit.right.any():
        raise DataError(
            f"{path} calls none of these images {RIGHT} ({audit.absent} of its {len(told)} files"
            f" are not among them); {VERDICT} is to be {RIGHT}, or a word for what is not"
        )
    return audit


def figures(
    audit: Audit, answers: Indexes, likeliest: Indexes, targets: Indexes, rule: Rule | None
) -> dict[str, Any]:
    """What is answered to (n,) the images that are right; how many there are of each verdict."""
    right = audit.right
    refused = rule and evaluation.refusals(answers[right], targets[right], rule.isnull)
    return {
        **evaluation.accuracy(answers[right], targets[right]),
        "accuracy_of_likeliest": round(float(np.mean((likeliest == targets)[right])), 4),
        "wrongly_refused": refused and refused["wrongly_refused"],
        "verdicts": dict(Counter(verdict for verdict in audit.verdicts if verdict)),
        "absent": audit.absent,
    }
