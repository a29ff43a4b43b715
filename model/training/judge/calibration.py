"""Calibration: the rule of `isnull`, the temperature, and when fewer members than all suffice.

All of it is chosen on labelled images that no member was trained on.
"""

import math
from dataclasses import dataclass

import numpy as np

from model.training.judge.evaluation import (
    Flags,
    Floats,
    Indexes,
    Rule,
    among_characters,
    answers_of,
    calibration_error,
    read,
    settles,
)

# The share of the readable characters that is refused. Others are blank, cut, or wrongly labelled:
# it is right to refuse those, and they would set the threshold so high that little else is.
REFUSED = 0.015
# Whose label has less than this, among the characters, is not readable.
READABLE = 0.05
TEMPERATURES = np.geomspace(0.3, 3.0, 93)
# Share of the answers that leaving early may change, a quarter of the promised 0.5 %: the
# thresholds fit these images better than others, of which up to three times as many change.
CHANGED = 0.00125
# On fewer images such a share would be less than one.
LEAST_IMAGES = round(1 / CHANGED)
RISKS, HALVINGS, NEWTON_STEPS, PRIOR = (1e-6, 0.5), 14, 25, 0.1
Order = tuple[int, ...]
Exits = tuple[float | None, ...]


@dataclass(frozen=True)
class Choice:
    """What the images say of an ensemble.

    `order` lists the members, counted from 0, as they are to be asked; `exits` is for that order,
    as in ``model.manifest.Calibration``.
    """

    order: Order
    temperature: float
    rule: Rule | None
    exits: Exits


def choose(members: Floats, targets: Indexes, isnull: int | None) -> Choice:
    """Temperature, order, exits and rule, out of probabilities (members, n, classes).

    `isnull` is the index of that class, None when the labels have none.
    """
    mean = members.mean(axis=0)
    rule = None if isnull is None else isnull_rule(mean[readable(mean, targets, isnull)], isnull)
    order, exits = early_exits(members, rule)
    return Choice(order, best_temperature(mean, targets, rule), rule, exits)


def readable(mean: Floats, targets: Indexes, isnull: int) -> Flags:
    """Which of the images (n,) are characters whose labels the ensemble does not rule out."""
    of_label = mean[np.arange(len(targets)), targets]
    return np.asarray((targets != isnull) & (of_label > READABLE * (1 - mean[:, isnull])))


def isnull_rule(characters: Floats, isnull: int) -> Rule:
    """The rule that refuses at most 1.5 % of these probabilities (n, classes) of characters."""
    of_null = np.sort(characters[:, isnull])[::-1]
    highest = float(of_null[int(REFUSED * len(of_null))]) if len(of_null) else 1.0
    return Rule(isnull, min(round(_floor(highest) + 2e-6, 6), 1.0))


def best_temperature(mean: Floats, targets: Indexes, rule: Rule | None) -> float:
    """The temperature with the least expected calibration error, of those with about least loss.

    With wrong labels among the targets the least loss alone is too unsure of the rest.
    """
    rows = np.arange(len(targets))
    losses, errors = [], []
    for temperature in TEMPERATURES:
        cooled = among_characters(mean, rule, float(temperature))
        losses.append(-np.log(np.maximum(cooled[rows, targets], 1e-12)).mean())
        errors.append(calibration_error(read(mean, rule, float(temperature)), targets))
    near = np.array(losses) <= min(losses) * 1.05
    return round(float(TEMPERATURES[np.where(near, errors, np.inf).argmin()]), 4)


def early_exits(members: Floats, rule: Rule | None) -> tuple[Order, Exits]:
    """In which order to ask the members, and from which probability on to stop after each.

    After every member one may leave at the same risk of another answer than that of all: the
    highest at which, over all images, few enough answers change. With too few images to know,
    nobody leaves.
    """
    count, images = members.shape[:2]
    best: tuple[Order, Exits] = (tuple(range(count)), (None,) * (count - 1))
    if images < LEAST_IMAGES:
        return best
    low, high = RISKS
    for _ in range(HALVINGS):
        risk = (low * high) ** 0.5
        order, exits, changed = _leaving(members, rule, risk)
        if changed <= CHANGED * images:
            best, low = (order, exits), risk
        else:
            high = risk
    return best


def _leaving(members: Floats, rule: Rule | None, risk: float) -> tuple[Order, Exits, float]:
    """Order and exits at one risk, and how many answers they change.

    The order is greedy: next comes the member after which most images leave.
    """
    full = answers_of(members.mean(axis=0), rule)
    rest, order = set(range(len(members))), list[int]()
    staying, total = np.ones(len(full), bool), np.zeros_like(members[0])
    exits: list[float | None] = []
    changed = 0.0
    while len(rest) > 1:
        found = {
            each: _exit((total + members[each]) / (len(order) + 1), full, staying, rule, risk)
            for each in sorted(rest)
        }
        chosen = max(found, key=lambda each: int(found[each].leave.sum()))
        exits.append(found[chosen].least)
        changed += found[chosen].changed
        staying &= ~found[chosen].leave
        total += members[chosen]
        order.append(chosen)
        rest.remove(chosen)
    return (*order, *rest), tuple(exits), changed


@dataclass(frozen=True)
class _Exit:
    """From which probability on images leave, which do, and how many answers that changes."""

    least: float
    leave: Flags
    changed: float


def _exit(mean: Floats, full: Indexes, staying: Flags, rule: Rule | None, risk: float) -> _Exit:
    """The exit after the members with this mean, for the images that are still there.

    How many answers change is both counted and expected; the larger number is taken.
    """
    sure = mean.max(axis=1)
    wrong = answers_of(mean, rule) != full
    # However sure, these are asked of all.
    leaving = staying & settles(mean, rule, 0)
    risks = _risks(sure[leaving], wrong[leaving])
    risky = sure[leaving][risks > risk].max(initial=0)
    least = round(_floor(float(risky)) + 1e-6, 6)
    leave = leaving & (sure >= least)
    expected = float(risks[leave[leaving]].sum())
    return _Exit(least, leave, max(expected, float(wrong[leave].sum())))


def _risks(sure: Floats, wrong: Flags) -> Floats:
    """The probability (n,) of another answer, smoothed over how sure the members are.

    Its log odds are a parabola over the log odds of being sure, fitted by Newton's method with a
    weak prior.
    """
    clipped = np.clip(sure, 1e-4, 1 - 1e-4)
    odds = np.log(clipped / (1 - clipped))
    inputs = np.stack([np.ones_like(odds), odds, np.square(odds)], axis=1)
    curve = np.zeros(3)
    risks = np.full(len(sure), 0.5)
    for _ in range(NEWTON_STEPS):
        gain = inputs.T @ (wrong - risks) - PRIOR * curve
        bend = (inputs * (risks * (1 - risks))[:, None]).T @ inputs + PRIOR * np.eye(3)
        curve += np.linalg.solve(bend, gain)
        risks = 1 / (1 + np.exp(-inputs @ curve))
    return risks


def _floor(value: float) -> float:
    """At six decimals, as it will stand in the manifest."""
    return math.floor(value * 1e6) / 1e6
