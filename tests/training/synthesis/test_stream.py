import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.image import decode
from model.training.synthesis.stream import HEIGHT, WIDTHS, Stream
from tests.training.world import LABELS

COUNT = 100


@pytest.fixture
def stream(shapes: Path) -> Stream:
    return Stream(shapes, LABELS, seed=1, isnull_share=0.3)


def test_image_i_depends_on_the_seed_and_i_alone(shapes: Path, stream: Stream) -> None:
    forwards = [stream.made(number) for number in range(10)]

    again = Stream(shapes, LABELS, seed=1, isnull_share=0.3)
    backwards = [again.made(number) for number in reversed(range(10))]
    other = Stream(shapes, LABELS, seed=2, isnull_share=0.3)

    assert forwards == backwards[::-1]
    assert len({made.jpeg for made in forwards}) == 10
    assert other.made(0) != forwards[0]


def test_images_are_crops_of_a_form_in_their_shares(stream: Stream) -> None:
    made = [stream.made(number) for number in range(COUNT)]

    sizes = [Image.open(io.BytesIO(one.jpeg)).size for one in made]
    assert {height for _, height in sizes} == {HEIGHT}
    assert WIDTHS[0] <= min(sizes)[0] < max(sizes)[0] <= WIDTHS[1]
    targets = [one.target for one in made]
    assert targets.count(3) / COUNT == pytest.approx(0.3, abs=0.12)
    assert set(targets) == {0, 1, 2, 3}
    assert all((one.target == 3) == (one.kind != "listed") for one in made)
    hows = {one.source.partition(" ")[2] for one in made}
    assert hows == {"lines", "filled", "printed"}


def test_all_but_blanks_have_ink(stream: Stream) -> None:
    """In the middle rows, where no rulings are, something is darker than the paper."""
    depth: dict[str, list[float]] = {}
    for number in range(COUNT):
        made = stream.made(number)
        grey = decode(made.jpeg, 64, 64)[16:48].mean(axis=-1)
        depth.setdefault(made.kind, []).append(float(np.median(grey) - np.percentile(grey, 2)))

    assert np.median(depth["listed"]) > 50
    assert np.percentile(depth["listed"], 5) > 15
    assert np.median(depth["blank"]) < 30


def test_an_image_is_what_serving_would_decode(stream: Stream) -> None:
    image, target = stream.image(5, 48)

    assert image.shape == (48, 48, 3)
    assert image.dtype == np.uint8
    assert target == stream.made(5).target


@pytest.mark.parametrize("left_out", ["latin.ttf", "strokes.json"])
def test_fonts_or_strokes_alone_are_enough(left_out: str, shapes: Path, tmp_path: Path) -> None:
    shutil.copytree(shapes, tmp_path / "some")
    (tmp_path / "some" / left_out).unlink()

    stream = Stream(tmp_path / "some", ("X", "O", "isnull"), seed=1, isnull_share=0.5)

    assert {stream.made(number).target for number in range(30)} == {0, 1, 2}
