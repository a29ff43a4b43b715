"""Examples of `isnull` made out of the characters themselves, for want of other negatives.

Parts of two characters joined, mirrored and turned characters teach what looks like writing and is
none of the list; fragments, overlaps and empty paper teach the rest. A join leaves a seam, so some
true characters are joined from two writings of the same character: the seam alone tells nothing.
Two whole characters in one picture are not among them: crops of the data show several at times, and
are labelled as one.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

SHARES = {
    "join": 0.45,
    "mirrored": 0.2,
    "fragment": 0.15,
    "overlap": 0.06,
    "blank": 0.14,
}
Images = npt.NDArray[np.uint8]


def join(first: Images, second: Images, rng: np.random.Generator) -> Images:
    """The left or upper part of `first` with the rest of `second`, on the paper of `first`."""
    side = first.shape[0]
    cut = int(side * rng.uniform(0.38, 0.62))
    joined = on_paper_of(second, first)
    if _happens(0.6, rng):
        joined[:, :cut] = first[:, :cut]
    else:
        joined[:cut] = first[:cut]
    return joined


def negative(first: Images, second: Images, rng: np.random.Generator) -> Images:
    """An `isnull` example uint8 (s, s, 3) out of two images (s, s, 3) of different characters."""
    makers: dict[str, Callable[[], Images]] = {
        "join": lambda: join(first, second, rng),
        "mirrored": lambda: _mirrored(first, rng),
        "fragment": lambda: _fragment(first, rng),
        "overlap": lambda: np.minimum(first, on_paper_of(second, first)),
        "blank": lambda: _blank(first, rng),
    }
    return makers[rng.choice(list(SHARES), p=list(SHARES.values()))]()


def on_paper_of(image: Images, other: Images) -> Images:
    """A copy of `image` with its paper colour made that of `other`."""
    gain = _paper(other) / np.maximum(_paper(image), 1)
    return np.minimum(image * gain, 255).astype(np.uint8)


def _paper(image: Images) -> npt.NDArray[np.float64]:
    """The colour (3,) that four of five pixels are darker than or equal to."""
    return np.percentile(image[::3, ::3].reshape(-1, 3), 80, axis=0)


def _mirrored(first: Images, rng: np.random.Generator) -> Images:
    flips = (first[:, ::-1], first[::-1], first[::-1, ::-1], np.rot90(first))
    return np.array(flips[rng.integers(len(flips))])


def _fragment(first: Images, rng: np.random.Generator) -> Images:
    """A thin slice of the character, stretched, or most of it pushed out of the picture."""
    side = first.shape[0]
    thick = int(side * rng.uniform(0.12, 0.3))
    start = int(rng.integers(side - thick))
    if _happens(0.5, rng):
        rows = start + np.arange(side) * thick // side
        return np.array(first[:, rows] if _happens(0.5, rng) else first[rows])
    moved = np.empty_like(first)
    moved[:] = _paper(first)
    if _happens(0.5, rng):
        moved[:, :thick] = first[:, side - thick :]
    else:
        moved[:, side - thick :] = first[:, :thick]
    return moved


def _blank(first: Images, rng: np.random.Generator) -> Images:
    """Paper with what rulings it has: each row, or each pixel, is the row's own paper colour."""
    rows = np.percentile(first, 80, axis=1)[:, None, :]
    grain = rng.normal(0, rng.uniform(0, 6), first.shape)
    return np.clip(rows + grain, 0, 255).astype(np.uint8)


def _happens(probability: float, rng: np.random.Generator) -> bool:
    return bool(rng.random() < probability)
