"""Figures of answers: accuracy with its interval, macro-F1, calibration, `isnull`, confusion."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.manifest import Manifest

Floats = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]
Indexes = npt.NDArray[np.integer]
Flags = npt.NDArray[np.bool_]
BINS = 15


@dataclass(frozen=True)
class Rule:
    """When the class `isnull` is the answer; see ``model.manifest.IsNull``."""

    isnull: int
    threshold: float
    least: float = 0.0

    @classmethod
    def of(cls, manifest: Manifest) -> "Rule | None":
        """The rule of a bundle; None when it has none."""
        if manifest.isnull is None:
            return None
        rule = manifest.isnull
        return cls(manifest.labels.index(rule.label), rule.threshold, rule.least)


@dataclass(frozen=True)
class Reading:
    """What is answered: the class index and how sure (0-1) of each of n images."""

    answers: Indexes
    confidence: Floats


def cool(probabilities: Floats, temperature: float) -> Floats:
    """Probabilities (n, classes) as they were with the logits divided by `temperature`."""
    logs = np.log(np.maximum(probabilities, 1e-30)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def answers_of(probabilities: Floats, rule: Rule | None) -> Indexes:
    """The class indexes (n,) that ``model.ensemble`` answers.

    `probabilities` (n, classes) are the members' mean, before any temperature.
    """
    if rule is None:
        return np.asarray(probabilities.argmax(axis=1))
    others = probabilities.copy()
    others[:, rule.isnull] = -1
    refused = probabilities[:, rule.isnull] >= rule.threshold
    refused |= others.max(axis=1) < rule.least
    return np.asarray(np.where(refused, rule.isnull, others.argmax(axis=1)))


def settles(probabilities: Floats, rule: Rule | None, least: float) -> Flags:
    """Of which images (n,) the first members' mean is taken for the answer of all.

    As in ``model.ensemble``: one that they nearly refuse is asked of all.
    """
    sure = probabilities.max(axis=1) >= least
    if rule is None:
        return np.asarray(sure)
    nearly = probabilities.argmax(axis=1) == rule.isnull
    return np.asarray(sure & ~(nearly & (answers_of(probabilities, rule) != rule.isnull)))


def read(probabilities: Floats, rule: Rule | None, temperature: float) -> Reading:
    """The answers to probabilities (n, classes), with their probabilities at the temperature."""
    answers = answers_of(probabilities, rule)
    told = among_characters(probabilities, rule, temperature)[np.arange(len(answers)), answers]
    if rule:
        told = np.where(answers == rule.isnull, probabilities[:, rule.isnull], told)
    return Reading(answers, told)


def among_characters(probabilities: Floats, rule: Rule | None, temperature: float) -> Floats:
    """How probable (n, classes) each class is at the temperature, if it is not `isnull`."""
    characters = probabilities.copy()
    if rule:
        characters[:, rule.isnull] = 0
    return cool(characters, temperature)


def likeliest(probabilities: Floats, rule: Rule | None) -> Indexes:
    """The likeliest class (n,) of probabilities (n, classes), if it is not `isnull`."""
    return np.asarray(among_characters(probabilities, rule, 1.0).argmax(axis=1))


def accuracy(answers: Indexes, targets: Indexes) -> dict[str, float | int | list[float]]:
    """The share answered right, its 95 % Wilson interval and the number of images."""
    n, z = len(targets), 1.96
    share = float(np.mean(answers == targets))
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    interval = [round(middle - half, 4), round(middle + half, 4)]
    return {"accuracy": round(share, 4), "interval_95": interval, "images": n}


def macro_f1(answers: Indexes, targets: Indexes) -> float:
    """The mean over the classes among the targets of F1."""
    scores = []
    for target in np.unique(targets):
        right = np.sum((answers == target) & (targets == target))
        scores.append(2 * right / (np.sum(answers == target) + np.sum(targets == target)))
    return float(np.mean(scores))


def refusals(answers: Indexes, targets: Indexes, isnull: int) -> dict[str, float | int | None]:
    """Precision and recall of `isnull`, and the share of the others that is refused wrongly.

    None where there is nothing to take a share of.
    """
    refused, wanted = answers == isnull, targets == isnull
    return {
        "precision": _share(wanted[refused]),
        "recall": _share(refused[wanted]),
        "wrongly_refused": _share(refused[~wanted]),
        "images": int(wanted.sum()),
    }


def reliability(reading: Reading, targets: Indexes) -> list[dict[str, float | int]]:
    """Mean confidence and accuracy in each of 15 bins of equal width that is not empty."""
    right = reading.answers == targets
    bins = np.minimum((reading.confidence * BINS).astype(int), BINS - 1)
    return [
        {
            "confidence": float(reading.confidence[bins == index].mean()),
            "accuracy": float(right[bins == index].mean()),
            "images": int(np.sum(bins == index)),
        }
        for index in np.unique(bins)
    ]


def calibration_error(reading: Reading, targets: Indexes) -> float:
    """Expected calibration error (0-1) over the bins of `reliability`."""
    return sum(
        abs(each["accuracy"] - each["confidence"]) * each["images"] / len(targets)
        for each in reliability(reading, targets)
    )


def confused(
    answers: Indexes, targets: Indexes, labels: tuple[str, ...], count: int
) -> list[dict[str, Any]]:
    """The pairs of label and wrong answer that occur most often, the most frequent first."""
    wrong = answers != targets
    pairs = Counter(zip(targets[wrong].tolist(), answers[wrong].tolist(), strict=True))
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:count]
    return [
        {"label": labels[target], "read": labels[answer], "times": times}
        for (target, answer), times in ordered
    ]


def _share(hits: npt.NDArray[np.bool_]) -> float | None:
    return round(float(hits.mean()), 4) if len(hits) else None
