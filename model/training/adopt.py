"""Adopting: a network that reads lines of text becomes a member of a bundle of characters."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model.bundle import Bundle
from model.training.calibrate import calibrated, load_for, unseen
from model.training.data.batches import Batches, Mix
from model.training.data.dataset import Dataset, load
from model.training.errors import DataError, ExportError
from model.training.fit.reader_tuner import Lessons, ReaderTuner
from model.training.frozen.line_reader import HEIGHT, LineReader
from model.training.frozen.release import engine_agreement, read_frozen, write_graph

ENGINE = "openvino"
_BATCH, _SYNTHETIC = 128, 0.06
# Images with which an engine is tried before.
_TRIED = 256


@dataclass(frozen=True)
class Teaching:
    """How a reader learns the bundle's labels before it is adopted.

    ``run``: folder of its state, from which it goes on. ``synthetic``: drawn images beside the
    others, such as of `isnull`. ``after``: folder of another training's state, with whose end it
    begins.
    """

    lessons: Lessons
    run: Path
    synthetic: Path | None = None
    after: Path | None = None


def adopt(
    folder: Path,
    reader: Path,
    data: Path,
    cache: Path,
    out: Path,
    *,
    version: str,
    width: int = HEIGHT,
    instead_of: int | None = None,
    licence: str = "",
    teaching: Teaching | None = None,
) -> Bundle:
    """Write `out`: the bundle in `folder` with one member more, calibrated anew.

    Args:
        folder: of the bundle.
        reader: an ONNX file, see ``LineReader``.
        data: labelled images; of what the members were trained on, the part held out.
        cache: folder for decoded images.
        out: where to write the bundle.
        version: of it.
        width: pixels of a picture for the reader, which takes it 48 high.
        instead_of: the member that goes, counted from 1.
        licence: is added to that of the bundle.
        teaching: how it learns before, from those of the images that are not held out.

    Raises:
        CheckpointError: the state of an earlier training cannot be read, or this one's written.
        DataError: reader, images or bundle cannot be used.
        ExportError: as a graph it answers otherwise, or an engine does.
    """
    bundle = Bundle.open(folder)
    manifest = bundle.manifest
    graphs = [bundle.path(member.graph) for member in manifest.members]
    if instead_of is not None and not 1 <= instead_of <= len(graphs):
        raise DataError(f"{bundle.id} has no member {instead_of}, but {len(graphs)} of them")
    images = unseen(bundle, data, cache)
    size = manifest.input.height
    learns = teaching is not None
    function = LineReader(reader, manifest.labels, size, width=width, learns=learns)
    note: dict[str, Any] = {"reader": reader.name, "width": width, "instead_of": instead_of}
    if teaching:
        _read_alike(function, images)
        note["taught"] = _taught(function, bundle, data, cache, images, teaching)
    graph, parity = function.frozen(images.images)
    note["parity"] = asdict(parity)
    with tempfile.TemporaryDirectory() as scratch:
        adopted = Path(scratch, "adopted.pb")
        write_graph(adopted, graph)
        kept = [each for place, each in enumerate(graphs, start=1) if place != instead_of]
        members = [*kept, adopted]
        reference = read_frozen(members, images.images)
        return calibrated(
            *(bundle, members, images, out, ENGINE, {"adopted": note}),
            version=version,
            licence=f"{manifest.licence} {licence}".strip(),
            engines=engine_agreement(members, reference, images.images, None),
        )


def _read_alike(reader: LineReader, images: Dataset) -> None:
    """Raise ExportError where an engine reads it otherwise, before it learns for an hour."""
    few = images.images[:_TRIED]
    graph, _ = reader.frozen(few)
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "untaught.pb")
        write_graph(path, graph)
        try:
            engine_agreement([path], read_frozen([path], few), few, None)
        except ExportError as error:
            raise ExportError(f"{error}, before it learnt anything: try another width") from error


def _taught(
    reader: LineReader, bundle: Bundle, data: Path, cache: Path, held: Dataset, teaching: Teaching
) -> dict[str, Any]:
    """Teach the reader what the members of the bundle have learnt; what is to be noted of it."""
    labels, size = bundle.manifest.labels, bundle.manifest.input.height
    every, kept = load_for(bundle, data, cache), set(held.names)
    rows = np.array([row for row, name in enumerate(every.names) if name not in kept], np.intp)
    if len(rows) < _BATCH:
        raise DataError(
            f"{data}: {len(rows)} images are left to learn from, beside those that were held out"
        )
    synthetic = load(teaching.synthetic, labels, size, cache) if teaching.synthetic else None
    mix = Mix(synthetic=_SYNTHETIC)
    seed = teaching.lessons.seed
    batches = Batches(every, rows, _BATCH, mix, len(labels), seed, synthetic)
    tuner = ReaderTuner(reader, teaching.lessons)
    if teaching.after:
        tuner.begin_after(teaching.after)
    steps = tuner.fit(batches, teaching.run)
    return {"images": len(rows), "steps": steps, **asdict(teaching.lessons)}
