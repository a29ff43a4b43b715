"""A teacher: what a bundle reads in the images that a training learns from.

Of hand-typed labels some are wrong, and a network with enough time learns them by heart. What an
ensemble made of the same images is a second witness: it contradicts most wrong labels, and says
which characters an image nearly is (Hinton et al., "Distilling the Knowledge in a Neural Network",
2015).
"""

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.bundle import Bundle
from model.training import checkpoint
from model.training.dataset import load
from model.training.errors import DataError
from model.training.predictions import predict

OPINIONS = "opinions"
Opinions = npt.NDArray[np.float16]


def opinions(bundle: Bundle, data: Path, labels: tuple[str, ...], cache: Path) -> Opinions:
    """The mean probabilities float16 (n, classes) of all members for every image of `data`.

    The rows are in the order of `dataset.load`. They are kept in `cache`, as decoded images are.
    Raises DataError when the bundle has other labels or a picture that is not square, what `load`
    does, and CheckpointError when the cache cannot be written or read.
    """
    manifest = bundle.manifest
    if manifest.labels != labels:
        raise DataError(f"{bundle.id} has other labels: it cannot teach these")
    if manifest.input.height != manifest.input.width:
        raise DataError(f"{bundle.id} reads pictures that are not square: it cannot teach here")
    images = load(data, labels, manifest.input.height, cache)
    graphs = [member.graph for member in manifest.members]
    told = repr((images.names, str(data.resolve()), [graph.sha256 for graph in graphs]))
    path = cache / f"{hashlib.sha256(told.encode()).hexdigest()[:16]}-opinions.npz"
    if not path.exists():
        paths = [bundle.path(graph) for graph in graphs]
        found = predict(paths, "openvino", images.images, len(labels)).probabilities
        checkpoint.save(path, 0, {OPINIONS: found.mean(axis=0).astype(np.float16)})
    _, kept = checkpoint.load(path, {OPINIONS: (len(images), len(labels))})
    return kept[OPINIONS]
