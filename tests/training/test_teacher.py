"""What a bundle makes of the images of a training."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.bundle import Bundle
from model.packing import pack
from model.training.dataset import load
from model.training.errors import DataError
from model.training.freeze import freeze
from model.training.parity import network_answers
from model.training.teacher import opinions
from tests.training.world import FACTS, LABELS, trained_network

Draw = Callable[[str, int], Path]


def bundle_of(folder: Path, data: Path, labels: tuple[str, ...] = LABELS) -> Bundle:
    """One member that answers differently to different images."""
    model = trained_network(len(labels), load(data, LABELS, 32, folder / "cache").images[:6])
    folder.mkdir(exist_ok=True)
    (folder / "1.pb").write_bytes(freeze(model, "fp32").SerializeToString())
    shutil.copy(data / "0_A.jpg", folder / "golden.jpg")
    facts = {**FACTS, "labels": labels}
    return pack(folder / "bundle", [folder / "1.pb"], {folder / "golden.jpg": "A"}, facts)


def test_every_image_gets_the_probabilities_of_the_bundle(draw: Draw, tmp_path: Path) -> None:
    data, cache = draw("data", 9), tmp_path / "cache"
    teacher = bundle_of(tmp_path / "teacher", data)

    told = opinions(teacher, data, LABELS, cache)

    images = load(data, LABELS, 32, cache).images
    asked = network_answers(trained_network(len(LABELS), images[:6]), np.array(images))
    np.testing.assert_allclose(told.astype(np.float32), asked, atol=2e-3)


def test_opinions_are_kept_until_the_images_or_the_bundle_change(
    draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, cache = draw("data", 9), tmp_path / "cache"
    teacher = bundle_of(tmp_path / "teacher", data)
    told = opinions(teacher, data, LABELS, cache)

    monkeypatch.setattr("model.training.teacher.predict", None)  # would fail if asked again
    assert np.array_equal(opinions(teacher, data, LABELS, cache), told)
    shutil.copy(data / "0_A.jpg", data / "9_A.jpg")
    with pytest.raises(TypeError):
        opinions(teacher, data, LABELS, cache)


def test_a_bundle_with_other_labels_cannot_teach(draw: Draw, tmp_path: Path) -> None:
    data = draw("data", 9)
    teacher = bundle_of(tmp_path / "teacher", data, ("X", "O", "A", "isnull"))

    with pytest.raises(DataError, match="other labels"):
        opinions(teacher, data, LABELS, tmp_path / "cache")
