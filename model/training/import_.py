"""Importing: Keras models or SavedModels of one's own become a bundle, without more training.

A model is frozen as it is, its weights unchanged. How it wants its pixels scaled, and a softmax
where it gives logits, become part of the graph.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from model.bundle import Bundle
from model.errors import ImageUnreadable
from model.image import decode
from model.training.choices import Output, Scaling
from model.training.data.sources import SUFFIXES, contents
from model.training.errors import DataError
from model.training.frozen.foreign import SCALINGS, ForeignModel, frozen
from model.training.frozen.parity import compare, frozen_answers, in_batches
from model.training.frozen.release import engine_agreement, golden_images, packed, write_graph
from model.training.judge.evaluation import Floats, Images

# Images to compare on, and pictures made of noise when none are given.
MOST_IMAGES, NOISE_IMAGES, GOLDEN = 200, 16, 3


def import_models(
    models: Sequence[Path],
    labels: tuple[str, ...],
    out: Path,
    *,
    name: str,
    version: str,
    licence: str,
    golden: Path | None = None,
    images: Path | None = None,
    size: int | None = None,
    scaling: Scaling = "0..255",
    output: Output = "auto",
) -> Bundle:
    """Make the bundle `out` of models with one RGB input and one score for each label.

    `golden` holds a few `<id>_<label>.jpg` that the ensemble must read so; without it, three
    pictures of `images` go with the bundle, and the answers are what TensorFlow reads in them.
    `size` in pixels is for models that take any. Engines are compared on `images`, or on noise.
    Raises DataError for models, labels and images that cannot be used, ExportError when a frozen
    model answers otherwise or may not be in a bundle, and what ``release.packed`` does.
    """
    answers = golden_images(golden) if golden else {}
    if not answers and not images:
        raise DataError("a bundle needs golden images: give some, or images to take them from")
    loaded = [ForeignModel.load(path, size) for path in models]
    sizes = {model.size for model in loaded}
    if len(sizes) > 1:
        raise DataError(f"the models differ in input size: {sorted(sizes)} (height, width)")
    (height, width) = sizes.pop()
    files = dict(islice(contents(images), MOST_IMAGES)) if images else {}
    pixels = _decoded(images, files, height, width) if images else _noise(height, width)
    with tempfile.TemporaryDirectory() as scratch:
        graphs, members, parities = [], [], []
        for number, (path, model) in enumerate(zip(models, loaded, strict=True), start=1):
            function = model.finished(SCALINGS[scaling], output, pixels, len(labels))
            graph = frozen(function, (height, width), path)
            graphs.append(Path(scratch, f"{number}.pb"))
            write_graph(graphs[-1], graph)
            members.append(frozen_answers(graph, pixels))
            parities.append(compare(in_batches(function, pixels), members[-1]))
            parities[-1].prove(str(path), "give other images, or save it as a SavedModel")
        if not answers:
            answers = _surest(files, np.mean(members, axis=0), labels, Path(scratch))
        facts: dict[str, Any] = {
            "name": name,
            "version": version,
            "licence": licence,
            "labels": labels,
            "input": {"height": height, "width": width},
            "engines": engine_agreement(graphs, np.stack(members), pixels, None),
            "accuracy": {},
            "provenance": {
                "imported": [path.name for path in models],
                "scaling": scaling,
                "parity": asdict(min(parities, key=lambda parity: parity.agreement)),
                "compared_on": f"{len(pixels)} {'images' if images else 'pictures of noise'}",
                "tensorflow": tf.__version__,
            },
        }
        return packed(out, graphs, answers, facts)


def _decoded(source: Path, files: dict[str, bytes], height: int, width: int) -> Images:
    decoded = []
    for name, content in files.items():
        try:
            decoded.append(decode(content, height, width))
        except ImageUnreadable as error:
            raise DataError(f"{source}: {name}: {error}") from error
    if not decoded:
        raise DataError(f"{source}: no images")
    return np.stack(decoded)


def _noise(height: int, width: int) -> Images:
    """Coloured sheets with noise on them."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (NOISE_IMAGES, 1, 1, 3))
    noise = rng.normal(0, 40, (NOISE_IMAGES, height, width, 3))
    return np.clip(colours + noise, 0, 255).astype(np.uint8)


def _surest(
    files: dict[str, bytes], mean: Floats, labels: tuple[str, ...], folder: Path
) -> dict[Path, str]:
    """The files with the surest answers, all different, written to the folder."""
    chosen: dict[str, Path] = {}
    names = list(files)
    for row in np.argsort(-mean.max(axis=1)):
        answer = labels[int(mean[row].argmax())]
        if answer not in chosen and len(chosen) < GOLDEN:
            suffix = Path(names[row]).suffix.lower()
            chosen[answer] = folder / f"{row}{suffix if suffix in SUFFIXES else '.jpg'}"
            chosen[answer].write_bytes(files[names[row]])
    return {path: answer for answer, path in chosen.items()}
