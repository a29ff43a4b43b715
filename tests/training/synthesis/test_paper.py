import io

import numpy as np
from PIL import Image

from model.training.synthesis import paper


def test_papers_differ_in_colour_and_have_little_texture() -> None:
    sheets = [paper.sheet(67, 50, np.random.default_rng(seed)) for seed in range(30)]

    means = np.array([sheet.mean(axis=(0, 1)) for sheet in sheets])
    assert sheets[0].shape == (67, 50, 3)
    assert means.std(axis=0).min() > 10
    assert max(sheet.std(axis=(0, 1)).max() for sheet in sheets) < 25


def test_rulings_are_red_and_lie_above_or_below() -> None:
    red = np.zeros(67)
    for seed in range(60):
        sheet = np.full((67, 50, 3), 240, np.float32)
        paper.rule(sheet, np.random.default_rng(seed))
        red += (sheet[..., 0] - sheet[..., 1] > 60).mean(axis=1) > 0.7

    assert red[:12].max() > 10
    assert red[54:].max() > 6
    assert red[20:48].max() <= 1


def test_ink_covers_what_it_is_told_to() -> None:
    sheet, ink = np.full((20, 20, 3), 250, np.float32), np.array([20, 30, 80], np.float32)
    cover = np.zeros((20, 20), np.float32)
    cover[5:10] = 1

    inked = paper.inked(sheet, cover, ink, False, np.random.default_rng(1))

    assert (inked[:5] == 250).all()
    assert np.abs(inked[5:10].mean(axis=(0, 1)) - ink).max() < 60


def test_a_scan_is_noisy_and_its_jpeg_small() -> None:
    flat = np.full((67, 50, 3), 200, np.float32)
    rng = np.random.default_rng(2)
    pictures = [paper.scan(flat.copy(), rng) for _ in range(40)]

    files = [paper.jpeg(picture, rng) for picture in pictures]

    assert all(Image.open(io.BytesIO(data)).size == (50, 67) for data in files)
    assert np.median([len(data) for data in files]) < 4000
    assert np.median([np.asarray(picture).std() for picture in pictures]) > 1
