"""Replay: kept images are read again, by any bundle. What changes?"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from model.algorithm import load
from model.errors import EngineFailed, ImageUnreadable
from workers.contract.evidence import Evidence


def replay(images: Iterable[tuple[Path, Evidence]], bundle: Path, engine: str) -> Iterator[str]:
    """A JSON object a line for each image that reads differently with all members, then the sum.

    An image that was removed meanwhile is left out.

    Raises:
        ModelError: the bundle or the engine cannot be loaded.
    """
    ensemble = load(bundle, engine, len(os.sched_getaffinity(0)))
    read = changed = 0
    for path, evidence in images:
        try:
            image = path.read_bytes()
        except FileNotFoundError:
            continue
        was, probability = evidence.answer or evidence.outcome, None
        try:
            reading = ensemble.read(image)
            now, probability = reading.answer, round(reading.probability, 4)
        except ImageUnreadable:
            now = "image-unreadable"
        except EngineFailed:
            now = "engine-failed"
        read += 1
        if now != was:
            changed += 1
            told: dict[str, Any] = {"uuid": evidence.uuid, "image": str(path)}
            told |= {"was": was, "by": evidence.bundle, "members": evidence.members}
            told |= {"is": now, "probability": probability}
            yield json.dumps(told, ensure_ascii=False)
    yield f"{read} images read by {ensemble.bundle.id}, {changed} differently"
