"""Figures: accuracy with its interval, macro-F1, calibration, and the threshold of `isnull`."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Images = npt.NDArray[np.uint8]
Indexes = npt.NDArray[np.integer]
TEMPERATURES = np.geomspace(0.3, 3.0, 93)
BINS = 15


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


def best_temperature(probabilities: Floats, targets: Indexes) -> float:
    """The temperature with the least expected calibration error, of those with about least loss.

    With wrong labels among the targets the least loss alone is too unsure of the rest.
    """
    rows = np.arange(len(targets))
    losses, errors = [], []
    for temperature in TEMPERATURES:
        cooled = cool(probabilities, float(temperature))
        losses.append(-np.log(np.maximum(cooled[rows, targets], 1e-12)).mean())
        reading = Reading(cooled.argmax(axis=1), cooled.max(axis=1))
        errors.append(calibration_error(reading, targets))
    near = np.array(losses) <= min(losses) * 1.05
    return float(TEMPERATURES[np.where(near, errors, np.inf).argmin()])


def read(probabilities: Floats, isnull: int, threshold: float, least: float = 0.0) -> Reading:
    """The answers by the rule of serving, with their probabilities.

    It is `isnull` where its probability is at least `threshold` or that of every other class is
    below `least`, else the likeliest of the others.
    """
    others = probabilities.copy()
    others[:, isnull] = -1
    refused = (probabilities[:, isnull] >= threshold) | (others.max(axis=1) < least)
    answers = np.where(refused, isnull, others.argmax(axis=1))
    return Reading(answers, probabilities[np.arange(len(answers)), answers])


def least_probability(probabilities: Floats, isnull: int, rate: float) -> float:
    """The highest `least` at which no more than `rate` of these characters are below it."""
    others = np.delete(probabilities, isnull, axis=1).max(axis=1)
    return float(np.sort(others)[int(rate * len(others))])


def isnull_threshold(probabilities: Floats, isnull: int, rate: float) -> float:
    """The lowest threshold at which at most `rate` of these characters are answered `isnull`."""
    falling = np.sort(probabilities[:, isnull])[::-1]
    lost = min(int(rate * len(falling)), len(falling) - 1)
    return float(np.nextafter(falling[lost], np.float32(2)))


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


def calibration_error(reading: Reading, targets: Indexes) -> float:
    """Expected calibration error (0-1) over 15 bins of equal width."""
    right = reading.answers == targets
    bins = np.minimum((reading.confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(right[bins == index].mean() - reading.confidence[bins == index].mean())
        * np.mean(bins == index)
        for index in np.unique(bins)
    ]
    return float(sum(gaps))
