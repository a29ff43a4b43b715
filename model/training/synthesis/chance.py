"""Chance: what is so on some images and not on others."""

import numpy as np


def happens(probability: float, rng: np.random.Generator) -> bool:
    """True with the probability, 0-1."""
    return bool(rng.random() < probability)
