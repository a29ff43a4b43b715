"""The anneal that all trainings share: the rate over their steps, and the average that remains."""

import math
from collections.abc import Sequence

import keras
import tensorflow as tf


def rate_at(most: float, step: int, warmup: int, share: float) -> float:
    """The learning rate of a step: up to `most` over `warmup` steps, then down along a cosine.

    `share` (0-1) is the part of the training that is over; at 1 the rate is 0.
    """
    return most * min(1.0, (step + 1) / warmup) * (1 + math.cos(math.pi * share)) / 2


def follow(
    averages: Sequence[tf.Variable],
    variables: Sequence[tf.Variable],
    optimizer: keras.Optimizer,
    most: float,
) -> None:
    """Have the running averages follow the variables, of which they keep `most` in the long run.

    In the first steps they keep less, since what they began with is no average yet.
    """
    done = tf.cast(optimizer.iterations, tf.float32)
    keep = tf.minimum(most, done / (done + 10.0))
    for slow, fast in zip(averages, variables, strict=True):
        slow.assign(keep * slow + (1 - keep) * fast)
