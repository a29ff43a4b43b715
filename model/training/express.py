"""Express: which cheaper forms of its first member a bundle may answer with when it storms."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from model.bundle import Bundle
from model.engines import ENGINES, REDUCED
from model.errors import EngineUnavailable
from model.training.calibrate import unseen
from model.training.errors import DataError
from model.training.frozen.release import engine_agreement, read_frozen, rewritten
from model.training.judge.evaluation import Rule, answers_of
from model.training.judge.predictions import predict

# What is answered is replaced by what all members say: seldom by something else.
LEAST_AGREEMENT = 0.9


@dataclass(frozen=True)
class Form:
    """What an engine makes of the first member, as ``model.manifest.Express`` has it.

    ``took`` is its median time beside that of the member itself.
    """

    engine: str
    agreement: float
    lost: float
    took: float

    def loses_at_most(self, share: float) -> bool:
        """Whether it may answer where so much of the accuracy may be lost."""
        return self.lost <= share and self.agreement >= LEAST_AGREEMENT


def express(
    folder: Path, data: Path, cache: Path, out: Path, *, version: str, most_lost: float
) -> tuple[Bundle, list[Form]]:
    """Write `out`: the bundle in `folder` with the forms of its first member that are good enough.

    Args:
        folder: of the bundle.
        data: labelled images; of what the members were trained on, the part held out.
        cache: folder for decoded images.
        out: where to write the bundle.
        version: of it.
        most_lost: so much of the first member's accuracy, 0-1.

    Returns:
        The bundle, and all forms that this CPU is made for.

    Raises:
        DataError: images or bundle cannot be used, or no form is good enough.
        ExportError: what ``release.packed`` says.
    """
    bundle = Bundle.open(folder)
    images = unseen(bundle, data, cache)
    manifest, rule = bundle.manifest, Rule.of(bundle.manifest)
    graphs = [bundle.path(member.graph) for member in manifest.members]
    read = {}
    for name in (ENGINES[0], *REDUCED):
        try:
            read[name] = predict(graphs[:1], name, images.images, len(manifest.labels))
        except EngineUnavailable as error:
            print(f"{name} is left out: {error}")
    itself = read.pop(ENGINES[0])
    expected = answers_of(itself.probabilities[0], rule)
    forms = []
    for name, form in read.items():
        answers = answers_of(form.probabilities[0], rule)
        agreement = float(np.mean(answers == expected))
        lost = float(np.mean(expected == images.targets) - np.mean(answers == images.targets))
        took = float(np.median(form.took_ms) / np.median(itself.took_ms))
        forms.append(Form(name, round(agreement, 4), round(lost, 4), took))
    good = [form for form in forms if form.loses_at_most(most_lost)]
    if not good:
        raise DataError(f"{bundle.id}: no form is good enough: {forms or 'none runs on this CPU'}")
    changes = {
        "version": version,
        "express": [
            {"engine": form.engine, "agreement": form.agreement, "lost": form.lost} for form in good
        ],
        "engines": engine_agreement(
            graphs, read_frozen(graphs, images.images), images.images, rule
        ),
    }
    return rewritten(bundle, out, graphs, changes), forms
