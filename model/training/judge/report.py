"""The figures of an ensemble: what it reads, how sure it may be, what leaving early costs."""

import itertools
from typing import Any

import numpy as np

from model.training.judge import evaluation
from model.training.judge.calibration import Choice, readable
from model.training.judge.evaluation import Floats, Indexes, Rule


def figures(
    members: Floats,
    targets: Indexes,
    rule: Rule | None,
    temperature: float,
    exits: tuple[float | None, ...],
) -> dict[str, Any]:
    """All figures of probabilities (members, n, classes), in the order in which they are asked."""
    mean = members.mean(axis=0)
    reading = evaluation.read(mean, rule, temperature)
    likeliest = evaluation.likeliest(mean, rule)
    return {
        **evaluation.accuracy(reading.answers, targets),
        "macro_f1": round(evaluation.macro_f1(reading.answers, targets), 4),
        "accuracy_of_likeliest": round(float(np.mean(likeliest == targets)), 4),
        "calibration_error": round(evaluation.calibration_error(reading, targets), 4),
        "isnull": evaluation.refusals(reading.answers, targets, rule.isnull) if rule else None,
        "readable_refused": _readable_refused(mean, reading.answers, targets, rule),
        "members": by_members(members, targets, rule),
        "most_alike": most_alike(members),
        "early_exit": early_exit(members, targets, rule, exits),
    }


def _readable_refused(
    mean: Floats, answers: Indexes, targets: Indexes, rule: Rule | None
) -> float | None:
    """The share answered `isnull` of the characters whose labels the ensemble does not rule out."""
    if rule is None:
        return None
    kept = readable(mean, targets, rule.isnull)
    return evaluation.refusals(answers[kept], targets[kept], rule.isnull)["wrongly_refused"]


def by_members(members: Floats, targets: Indexes, rule: Rule | None) -> dict[str, list[float]]:
    """The accuracy of each member alone, and of the first 1, 2, ... of them together."""

    def share(mean: Floats) -> float:
        return round(float(np.mean(evaluation.answers_of(mean, rule) == targets)), 4)

    count = len(members)
    return {
        "alone": [share(member) for member in members],
        "first": [share(members[:first].mean(axis=0)) for first in range(1, count + 1)],
    }


def most_alike(members: Floats) -> dict[str, Any] | None:
    """The two members, counted from 1, that give the same answer most often, and how often."""
    said = members.argmax(axis=2)
    pairs = [
        (float(np.mean(said[one] == said[other])), one + 1, other + 1)
        for one, other in itertools.combinations(range(len(said)), 2)
    ]
    if not pairs:
        return None
    share, one, other = max(pairs)
    return {"members": [one, other], "agreement": round(share, 4)}


def early_exit(
    members: Floats, targets: Indexes, rule: Rule | None, exits: tuple[float | None, ...]
) -> dict[str, Any]:
    """What is answered when nobody asks more members than the exits demand."""
    asked, answers = left_early(members, rule, exits)
    full = evaluation.answers_of(members.mean(axis=0), rule)
    counts = np.bincount(asked, minlength=len(members) + 1)[1:]
    return {
        "mean_members": round(float(asked.mean()), 3),
        "same_answer": round(float(np.mean(answers == full)), 4),
        "accuracy": round(float(np.mean(answers == targets)), 4),
        "answered_by_first": [int(count) for count in counts],
    }


def left_early(
    members: Floats, rule: Rule | None, exits: tuple[float | None, ...]
) -> tuple[Indexes, Indexes]:
    """How many members (n,) are asked for each image, and what is answered then."""
    count, images = members.shape[:2]
    asked = np.full(images, count)
    answers = evaluation.answers_of(members.mean(axis=0), rule)
    # From the last exit to the first, so that the first one taken has the last word.
    for first in range(len(exits), 0, -1):
        least = exits[first - 1]
        if least is not None:
            mean = members[:first].mean(axis=0)
            leave = evaluation.settles(mean, rule, least)
            asked[leave] = first
            answers[leave] = evaluation.answers_of(mean, rule)[leave]
    return asked, answers


def calibrated(
    choice: Choice, members: Floats, targets: Indexes, labels: tuple[str, ...]
) -> dict[str, Any]:
    """The manifest's `calibration`, `isnull` and `accuracy` for the chosen order of members."""
    rule = choice.rule
    ordered = members[list(choice.order)]
    return {
        "calibration": {"temperature": choice.temperature, "exits": choice.exits},
        "isnull": rule
        and {"label": labels[rule.isnull], "threshold": rule.threshold, "least": rule.least},
        "accuracy": {
            "tuning": figures(ordered, targets, rule, choice.temperature, choice.exits),
        },
    }
