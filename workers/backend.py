"""Celery's result backend, read from the ledger: ``AsyncResult(uuid)`` tells of a request.

The uuid is one of the default algorithm. There is one truth, the ledger's. So nothing is stored
here, nothing is forgotten, and whoever waits looks again now and then instead of leaving a
subscription behind.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from celery import states
from celery.backends.base import BaseBackend

from workers.contract.connection import patient
from workers.contract.ledger import Entry, Ledger, Name
from workers.contract.readiness import Readiness
from workers.contract.result import Outcome, Result
from workers.contract.settings import QueueSettings


class Unreadable(Exception):
    """Raised by ``AsyncResult.get()``: the request's image cannot be decoded."""


# Of an entry without a result. What is late waits for a re-send.
_STATES: Final = {"running": states.STARTED}


class LedgerBackend(BaseBackend):
    """Reads only. ``result`` is the character; of what is unreadable, ``Unreadable``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # An answer of some members gives way to one of all, so that none is remembered here.
        super().__init__(*args, **kwargs, max_cached_results=-1)

    @cached_property
    def _settings(self) -> QueueSettings:
        return QueueSettings.read()

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(patient(self._settings), self._settings)

    @cached_property
    def _readiness(self) -> Readiness:
        return Readiness(patient(self._settings), self._settings)

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        """Of ``BaseBackend``: what is known of a uuid.

        Raises:
            redis.RedisError: Redis is away.
        """
        algorithm = self._readiness.default()
        entry = self._ledger.entry(Name(algorithm, task_id)) if algorithm else Entry("absent")
        if entry.result is None:
            return {"status": _STATES.get(entry.state, states.PENDING), "result": None}
        return _finished(entry.result)

    def store_result(self, task_id: str, result: Any, *_: Any, **__: Any) -> Any:  # noqa: ARG002
        """Of ``BaseBackend``: the worker has told the ledger already."""
        return result

    def forget(self, task_id: str) -> None:
        """Of ``BaseBackend``.

        Raises:
            NotImplementedError: other callers may want the answer; it goes after KEEP_FOR_MS.
        """
        raise NotImplementedError(f"{task_id}: the ledger forgets by itself, after KEEP_FOR_MS")


def _finished(result: Result) -> dict[str, Any]:
    if result.outcome is Outcome.ANSWERED:
        return {"status": states.SUCCESS, "result": result.text}
    return {"status": states.FAILURE, "result": Unreadable(result.text)}
