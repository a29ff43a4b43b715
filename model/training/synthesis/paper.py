"""Paper as a scanner sees it: colour, texture, rulings, black edges, noise, and JPEG."""

import io

import numpy as np
from PIL import Image, ImageFilter

from model.training.synthesis.chance import happens
from model.training.synthesis.drawing import Floats

# Share, mean colour, spread of brightness, spread of tint.
PAPERS = (
    (0.12, (250, 250, 249), 3, 1.5),  # white
    (0.25, (230, 228, 226), 7, 2.5),  # dim white
    (0.28, (213, 208, 203), 7, 4),  # grey
    (0.13, (203, 189, 181), 9, 4),  # pink
    (0.12, (191, 169, 163), 9, 5),  # brown
    (0.05, (163, 146, 138), 14, 6),  # dark brown
    (0.03, (236, 224, 203), 6, 5),  # cream
    (0.02, (205, 222, 218), 9, 4),  # pale green
)
INKS = (
    (0.40, (22, 28, 80), 8, 7),  # blue ball pen
    (0.14, (42, 50, 108), 11, 8),  # the same, pale
    (0.18, (32, 32, 64), 9, 6),  # blue-black
    (0.18, (24, 20, 28), 8, 3),  # black
    (0.06, (20, 56, 112), 12, 9),  # light blue
    (0.03, (88, 92, 106), 15, 5),  # pencil
    (0.01, (180, 35, 42), 15, 8),  # red
)
STAMPS = (
    (0.42, (20, 62, 106), 15, 12),  # blue stamp ink
    (0.38, (22, 20, 28), 8, 3),  # black print
    (0.15, (26, 28, 84), 12, 8),  # violet
    (0.03, (196, 38, 40), 15, 8),  # red
)


def colour(
    kinds: tuple[tuple[float, tuple[int, ...], float, float], ...], rng: np.random.Generator
) -> Floats:
    """A colour (3,) of one of the kinds, each a share, a mean, a spread and a tint's spread."""
    shares = np.cumsum([kind[0] for kind in kinds])
    _, mean, spread, tint = kinds[int(np.searchsorted(shares, rng.random() * shares[-1]))]
    return np.asarray(np.array(mean) + rng.normal(0, spread) + rng.normal(0, tint, 3), np.float32)


def sheet(height: int, width: int, rng: np.random.Generator) -> Floats:
    """Blank paper float32 (height, width, 3), 0-255."""
    base = np.minimum(colour(PAPERS, rng), 255)
    y = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None, :]
    shade = rng.normal(0, 5) * y + rng.normal(0, 4) * x
    if happens(0.5, rng):
        shade = shade + _blotches(height, width, rng.uniform(0.5, 4), rng)
    paper = base + np.asarray(shade, np.float32)[..., None]
    if happens(0.33, rng):
        paper += _stripes(height, rng)[:, None, :]
    return paper


def rule(paper: Floats, rng: np.random.Generator) -> None:
    """Draw a form's rulings onto the paper: red lines above, below, and at a side."""
    width = paper.shape[1]
    tone = np.array([rng.uniform(165, 225), rng.uniform(15, 60), rng.uniform(20, 65)], np.float32)
    top, lean = rng.normal(5, 3.5), rng.normal(0, 0.006)
    if happens(0.4, rng):
        thick = rng.uniform(2, 5)
        _line(paper, 0, top - 3, thick, lean, tone, rng.uniform(0.75, 1))
        if happens(0.5, rng):
            _comb(paper, top - 3 + thick / 2, rng.uniform(2, 5), tone, rng)
    low = rng.normal(61.5, 3.8)
    for chance, at in (
        (0.4, top),
        (0.2, top + rng.uniform(4, 8)),
        (0.75, low),
        (0.3, low + rng.uniform(3, 6)),
    ):
        if happens(chance, rng):
            _line(paper, 0, at, rng.uniform(0.9, 2.1), lean, tone, rng.uniform(0.6, 1))
    if happens(0.09, rng):
        side = rng.uniform(0, 8) if happens(0.75, rng) else width - rng.uniform(0, 6)
        _line(paper, 1, side, rng.uniform(0.8, 3), lean, tone, rng.uniform(0.5, 1))
        if happens(0.5, rng):
            _line(paper, 1, side + rng.uniform(3, 5), rng.uniform(0.8, 1.6), lean, tone, 0.9)
    if happens(0.05, rng):  # a dark printed line instead
        ink = np.full(3, rng.uniform(20, 110), np.float32)
        axis = int(happens(0.5, rng))
        at = rng.choice([rng.uniform(0, 6), paper.shape[axis] - rng.uniform(0, 6)])
        _line(paper, axis, float(at), rng.uniform(0.8, 2), lean, ink, rng.uniform(0.5, 1))


def inked(
    sheet: Floats, cover: Floats, ink: Floats, stamped: bool, rng: np.random.Generator
) -> Floats:
    """The sheet (h, w, 3) under ink of that colour, which covers each pixel (h, w) so far (0-1)."""
    height, width = cover.shape
    uneven = _blotches(height, width, rng.uniform(0.02, 0.12), rng)
    if stamped and happens(0.6, rng):  # not every spot of a stamp meets the paper
        uneven = uneven + rng.uniform(0.1, 0.3) * rng.standard_normal(cover.shape, np.float32)
    taken = np.clip(cover * (1 - np.abs(uneven)), 0, 1)[..., None]
    return np.asarray(sheet + taken * (ink - sheet), np.float32)


def scan(image: Floats, rng: np.random.Generator) -> Image.Image:
    """The picture that a cheap scanner makes of colours (h, w, 3), 0-255."""
    if happens(0.02, rng):
        edge = int(rng.integers(1, 16))
        dark = image[:, :edge] if happens(0.8, rng) else image[:, -edge:]
        dark[:] = rng.uniform(0, 25)
    noise = np.float32(rng.gamma(3, 1.1))
    grain = rng.standard_normal(image.shape[:2], np.float32)[..., None] * noise
    if happens(0.5, rng):
        grain = grain + rng.standard_normal(image.shape, np.float32) * (noise / 2)
    picture = Image.fromarray(np.clip(image + grain, 0, 255).astype(np.uint8))
    if happens(0.22, rng):
        return picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.7)))
    if happens(0.68, rng):
        return picture.filter(ImageFilter.UnsharpMask(1.0, int(rng.uniform(50, 150)), 0))
    return picture


def jpeg(picture: Image.Image, rng: np.random.Generator) -> bytes:
    """The picture as a JPEG file of the low quality that scans are kept in."""
    quality = 75 if happens(0.7, rng) else int(rng.integers(35, 92))
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return data.getvalue()


def _line(
    paper: Floats, axis: int, at: float, thick: float, lean: float, tone: Floats, share: float
) -> None:
    """Draw one line onto the paper: across (axis 0) or down (1), `at` pixels from the edge."""
    along = np.arange(paper.shape[1 - axis], dtype=np.float32)
    middle = at + lean * (along - len(along) / 2)
    first = max(int(middle.min() - thick - 1), 0)
    last = max(int(middle.max() + thick + 2), 0)
    place = np.arange(first, min(last, paper.shape[axis]), dtype=np.float32)
    far = np.abs(place[:, None] - middle[None, :])
    cover = np.clip(thick / 2 + 0.5 - far, 0, 1)[..., None] * np.float32(share)
    part = paper[first:last] if axis == 0 else paper[:, first:last].transpose(1, 0, 2)
    part += cover * (tone - part)


def _comb(paper: Floats, at: float, long: float, tone: Floats, rng: np.random.Generator) -> None:
    """Teeth below a line, as bank forms have them where sheets are torn off."""
    first, last = max(round(at), 0), max(round(at + long), 0)
    columns = np.arange(paper.shape[1])
    teeth = (columns + rng.integers(4)) % int(rng.integers(3, 6)) == 0
    part = paper[first:last, teeth]
    paper[first:last, teeth] = part + np.float32(rng.uniform(0.4, 0.9)) * (tone - part)


def _stripes(height: int, rng: np.random.Generator) -> Floats:
    """The fine coloured lines (height, 3) of safety paper, to be added."""
    rows = np.arange(height, dtype=np.float32)
    waves = np.cos((rows / rng.uniform(2.3, 5.5) + rng.random()) * 2 * np.pi)
    tint = rng.normal(0, 1, 3) * 3 - rng.uniform(0, 4)
    return np.asarray(np.maximum(waves, 0)[:, None] * tint, np.float32)


def _blotches(height: int, width: int, strength: float, rng: np.random.Generator) -> Floats:
    """Uneven light (height, width), to be added."""
    cells = rng.normal(0, strength, (int(rng.integers(4, 14)), int(rng.integers(4, 14))))
    small = Image.fromarray(cells.astype(np.float32))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC), np.float32)
