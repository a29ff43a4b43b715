"""Random changes of look, drawn anew for every batch and run as one TensorFlow graph.

Each image is moved, scaled, turned, sheared and bent in a single resampling, then its strokes are
thinned, thickened or blurred, its colours changed, rulings drawn over it and a patch covered.
Every number is drawn from (seed, step) alone, so that a resumed run sees the same pictures.
"""

import math

import tensorflow as tf

TURN = math.radians(10)
SHIFT = 0.09
STRETCH = 0.16
SHEAR = 0.15
BEND = 0.022
BEND_CELLS = 5


class Draws:
    """A stream of random tensors that depends on its seed alone."""

    def __init__(self, seed: tf.Tensor) -> None:
        """`seed`: int32 (2,)."""
        self._seed = seed
        self._count = 0

    def uniform(self, shape: list[int], low: float, high: float) -> tf.Tensor:
        """float32 of `shape`, even in [low, high)."""
        return tf.random.stateless_uniform(shape, self._next(), low, high)

    def normal(self, shape: list[int], deviation: float) -> tf.Tensor:
        """float32 of `shape`, normal around 0."""
        return tf.random.stateless_normal(shape, self._next(), stddev=deviation)

    def chance(self, shape: list[int], probability: float) -> tf.Tensor:
        """float32 of `shape`: 1 with the probability, else 0."""
        return tf.cast(self.uniform(shape, 0, 1) < probability, tf.float32)

    def _next(self) -> tf.Tensor:
        self._count += 1
        return self._seed + tf.constant([0, self._count * 7919], tf.int32)


def augment(images: tf.Tensor, size: int, seed: tf.Tensor) -> tf.Tensor:
    """uint8 (n, s, s, 3) to float32 (n, size, size, 3), 0-255, each image changed its own way."""
    draws = Draws(seed)
    changed = _warp(images, size, draws)
    changed = _strokes(changed, draws)
    changed = _colours(changed, draws)
    changed = _rulings(changed, draws)
    changed = _patch(changed, draws)
    return tf.clip_by_value(changed, 0.0, 255.0)


def plain(images: tf.Tensor, size: int) -> tf.Tensor:
    """uint8 (n, s, s, 3) to float32 (n, size, size, 3) without any change of look."""
    return tf.image.resize(tf.cast(images, tf.float32), (size, size), antialias=True)


def _warp(images: tf.Tensor, size: int, draws: Draws) -> tf.Tensor:
    """Shift, stretch, turn, shear and bend; beyond the edge the edge pixels go on."""
    n, side = images.shape[0], images.shape[1]
    turn = draws.uniform([n, 1, 1], -TURN, TURN)
    wide = 1 + draws.uniform([n, 1, 1], -STRETCH, STRETCH)
    high = 1 + draws.uniform([n, 1, 1], -STRETCH, STRETCH)
    shear = draws.uniform([n, 1, 1], -SHEAR, SHEAR)
    move = draws.uniform([2, n, 1, 1], -SHIFT, SHIFT)
    cells = draws.normal([n, BEND_CELLS, BEND_CELLS, 2], BEND)
    bend = tf.image.resize(cells, (size, size), method="bicubic")
    steps = (tf.range(size, dtype=tf.float32) + 0.5) / size - 0.5
    x, y = steps[None, None, :], steps[None, :, None]
    cosine, sine = tf.cos(turn), tf.sin(turn)
    from_x = wide * (cosine * x - sine * y) + shear * y + move[0] + bend[..., 0]
    from_y = high * (sine * x + cosine * y) + move[1] + bend[..., 1]
    return _sample(images, (from_x + 0.5) * side - 0.5, (from_y + 0.5) * side - 0.5)


def _sample(images: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Bilinear look-up of pixel positions x, y (n, h, w), held inside the picture."""
    n, side = images.shape[0], images.shape[1]
    limit = float(side - 1)
    x, y = tf.clip_by_value(x, 0.0, limit), tf.clip_by_value(y, 0.0, limit)
    left, top = tf.minimum(tf.floor(x), limit - 1), tf.minimum(tf.floor(y), limit - 1)
    right_share, low_share = (x - left)[..., None], (y - top)[..., None]
    rows = tf.range(n)[:, None, None] * side * side
    start = rows + tf.cast(top, tf.int32) * side + tf.cast(left, tf.int32)
    pixels = tf.reshape(images, (n * side * side, 3))

    def at(offset: int) -> tf.Tensor:
        return tf.cast(tf.gather(pixels, start + offset), tf.float32)

    above = at(0) * (1 - right_share) + at(1) * right_share
    below = at(side) * (1 - right_share) + at(side + 1) * right_share
    return above * (1 - low_share) + below * low_share


def _strokes(images: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Thicker, thinner or blurred strokes, each in part and on some of the images."""
    n = images.shape[0]
    thick = -tf.nn.max_pool2d(-images, 2, 1, "SAME")
    thin = tf.nn.max_pool2d(images, 2, 1, "SAME")
    blurred = tf.nn.avg_pool2d(images, 3, 1, "SAME")
    each = [n, 1, 1, 1]
    other = tf.where(draws.chance(each, 0.4) > 0, thin, blurred)
    other = tf.where(draws.chance(each, 0.33) > 0, thick, other)
    share = draws.uniform(each, 0.2, 1) * draws.chance(each, 0.4)
    return images + share * (other - images)


def _colours(images: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Grey for some, then contrast, brightness, a tint and the noise of a cheap camera."""
    n = images.shape[0]
    each = [n, 1, 1, 1]
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    images = images + draws.chance(each, 0.2) * (grey - images)
    middle = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
    images = middle + (images - middle) * draws.uniform(each, 0.6, 1.5)
    images = images * draws.uniform([n, 1, 1, 3], 0.85, 1.15) + draws.uniform(each, -40, 40)
    noise = draws.normal(list(images.shape), 1.0)
    return images + noise * draws.uniform(each, 0, 10) * draws.chance(each, 0.5)


def _rulings(images: tf.Tensor, draws: Draws) -> tf.Tensor:
    """One line across and one down, each on some of the images, as printed forms have them."""
    n, size = images.shape[0], images.shape[1]
    steps = (tf.range(size, dtype=tf.float32) + 0.5) / size
    for axis, chance in ((1, 0.15), (2, 0.1)):
        place = draws.uniform([n, 1, 1, 1], -0.02, 0.3)
        place = tf.where(draws.chance([n, 1, 1, 1], 0.5) > 0, place, 1 - place)
        along = steps[None, :, None, None] if axis == 1 else steps[None, None, :, None]
        across = steps[None, None, :, None] if axis == 1 else steps[None, :, None, None]
        lean = draws.uniform([n, 1, 1, 1], -0.04, 0.04)
        far = tf.abs(along - place - lean * across) * size
        width = draws.uniform([n, 1, 1, 1], 0.4, 1.8)
        cover = tf.clip_by_value(width + 0.5 - far, 0.0, 1.0) * draws.chance([n, 1, 1, 1], chance)
        colour = draws.uniform([n, 1, 1, 3], 0, 120) + tf.constant([90.0, 0.0, 0.0])
        images = images + cover * draws.uniform([n, 1, 1, 1], 0.4, 1) * (colour - images)
    return images


def _patch(images: tf.Tensor, draws: Draws) -> tf.Tensor:
    """A rectangle of the image's brightest or mean colour over some of the images."""
    n, size = images.shape[0], images.shape[1]
    steps = (tf.range(size, dtype=tf.float32) + 0.5) / size
    centre = draws.uniform([2, n, 1, 1, 1], 0, 1)
    half = draws.uniform([2, n, 1, 1, 1], 0.05, 0.17)
    inside = (tf.abs(steps[None, :, None, None] - centre[0]) < half[0]) & (
        tf.abs(steps[None, None, :, None] - centre[1]) < half[1]
    )
    cover = tf.cast(inside, tf.float32) * draws.chance([n, 1, 1, 1], 0.3)
    paper = tf.reduce_mean(images, axis=(1, 2), keepdims=True) + draws.uniform(
        [n, 1, 1, 1], -20, 60
    )
    return images + cover * (paper - images)
