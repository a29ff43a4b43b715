"""Both sides of a shadow in a worker process: showing what was answered, and reading along."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from redis import RedisError

from model.errors import ModelError
from workers.contract.shadow import Assignment, Shadow, Shown

if TYPE_CHECKING:
    from model.algorithm import Algorithm

logger = logging.getLogger(__name__)


class ReadingAlong:
    """Nothing of it is owed to any caller, and none waits for it."""

    def __init__(self, ensemble: Algorithm, shadow: Shadow) -> None:
        self._ensemble = ensemble
        self._shadow = shadow

    def show(
        self, assigned: Assignment | None, uuid: str, image: bytes, answer: str, took_us: int
    ) -> None:
        """Its caller has been told: let another version read it too, if one is to."""
        line = self._ensemble.bundle.id
        if assigned is None or assigned.line == line or not assigned.chooses(uuid):
            return
        try:
            self._shadow.show(assigned.line, Shown(line, uuid, answer, took_us, image))
        except RedisError as error:
            logger.warning("an image was not shown to %s: %s", assigned.line, error)

    def read(self, ticket: str) -> str:
        """Read what was shown, with all members, and add up what came of it."""
        line = self._ensemble.bundle.id
        shown = self._shadow.take(line, ticket)
        if shown is None:
            return "skipped"
        began_ns = time.perf_counter_ns()
        try:
            answer = self._ensemble.read(shown.image).answer
        except ModelError as error:
            answer = f"({error})"
        took_us = (time.perf_counter_ns() - began_ns) // 1000
        self._shadow.note(line, shown, answer, took_us)
        return "alike" if answer == shown.answer else "changed"
