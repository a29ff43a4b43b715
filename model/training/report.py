"""The report of an export: what the ensemble reads, how sure it may be, where it comes from."""

import os
import platform
from typing import Any

import numpy as np
import tensorflow as tf

from model.training import evaluation
from model.training.evaluation import Floats, Indexes

# Shares of the characters held out: some are blank, or several, and are refused with right. What
# no class is likely for is hardly ever read right.
FALSE_ISNULL, CLUELESS = 0.012, 0.01
RULE = (
    "isnull if the mean of the members' probabilities of isnull is at least the threshold, or that"
    " of every other class is below least; else the likeliest of the others; before any temperature"
)


def figures(
    tuning: tuple[Floats, Indexes],
    val: tuple[Floats, Indexes] | None,
    negatives: Floats | None,
    isnull: int,
) -> dict[str, Any]:
    """`accuracy`, `calibration` and `isnull` out of probabilities (n, classes) and targets (n,).

    Temperature and threshold are chosen on `tuning` alone. `accuracy` is of the answers by the
    rule of `isnull`, `accuracy_of_likeliest` of the likeliest class whatever it is.
    """
    temperature = evaluation.best_temperature(*tuning)
    threshold = evaluation.isnull_threshold(tuning[0], isnull, FALSE_ISNULL)
    least = evaluation.least_probability(tuning[0], isnull, CLUELESS)
    report: dict[str, Any] = {
        "accuracy": {},
        "calibration": {"temperature": round(temperature, 4), "chosen_on": "tuning"},
        "isnull": {"threshold": round(threshold, 6), "least": round(least, 6), "rule": RULE},
    }
    for name, part in (("tuning", tuning), ("val", val)):
        if part is None:
            continue
        probabilities, targets = part
        answers = evaluation.read(probabilities, isnull, threshold, least).answers
        cooled = evaluation.cool(probabilities, temperature)
        sure = evaluation.Reading(answers, cooled[np.arange(len(answers)), answers])
        report["accuracy"][name] = evaluation.accuracy(answers, targets) | {
            "macro_f1": round(evaluation.macro_f1(answers, targets), 4),
            "accuracy_of_likeliest": round(
                float(np.mean(probabilities.argmax(axis=1) == targets)), 4
            ),
        }
        error = evaluation.calibration_error(sure, targets)
        report["calibration"][f"ece_{name}"] = round(error, 4)
        report["isnull"][f"false_rate_{name}"] = round(float(np.mean(answers == isnull)), 4)
    if negatives is not None:
        answers = evaluation.read(negatives, isnull, threshold, least).answers
        report["isnull"]["recall_negatives"] = round(float(np.mean(answers == isnull)), 4)
        report["isnull"]["negatives"] = len(negatives)
    return report


def provenance(histories: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """How the members were trained, and on what; a history is one line for every epoch."""
    return {
        "network": "EfficientNetB0, ImageNet weights, global average pooling, one dense layer",
        "members": [
            {
                "input_sizes": [line["size"] for line in history],
                "steps": history[-1]["step"] if history else 0,
                "hours": round(sum(line["seconds"] for line in history) / 3600, 2),
            }
            for history in histories
        ],
        "exported_on": {"machine": platform.machine(), "cores": os.cpu_count()},
        "tensorflow": tf.__version__,
    }
