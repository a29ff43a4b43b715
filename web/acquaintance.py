"""Acquaintance: whether uuids are known, asked of Redis for many calls at once.

In a storm every call asks. One at a time, the questions alone would cost more than the refusals.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence

import gevent
from gevent.event import AsyncResult
from redis import RedisError

from web.books import Books
from web.glance import Call
from web.problem import Problem
from web.status import LatestStatus
from workers.contract.ledger import Ledger, Name

logger = logging.getLogger(__name__)

# So long questions gather.
_GATHER_S = 0.005


class Acquaintance:
    """Its questions are gathered for a moment, and go to Redis together."""

    def __init__(self, ledger: Ledger, latest: LatestStatus, books: Books) -> None:
        self._ledger = ledger
        self._latest = latest
        self._books = books
        self._asked: dict[Call, AsyncResult] = {}
        self._asking = False

    def knows(self, call: Call) -> bool:
        """Whether something is kept or under way for it; False when Redis does not say."""
        answer = self._asked.setdefault(call, AsyncResult())
        if not self._asking:
            self._asking = True
            gevent.spawn(self._ask)
        return bool(answer.get())

    def known(self, calls: Sequence[Call]) -> set[Call]:
        """Those for which something is kept or under way; none when Redis does not say."""
        names = {}
        for call in calls:
            # Nothing is known of an algorithm that is none.
            with contextlib.suppress(Problem):
                names[call] = self._name(call)
        try:
            known = self._ledger.known(list(names.values())) if names else set()
        except RedisError:
            return set()
        return {call for call, name in names.items() if name in known}

    def _name(self, call: Call) -> Name:
        """As the ledger has it. Whether the key is right is asked of those who are let in."""
        algorithm = self._latest.named(call.algorithm)
        return Name(algorithm, call.uuid, self._books.holder(call.key))

    def _ask(self) -> None:
        while self._asked:
            gevent.sleep(_GATHER_S)
            asked, self._asked = self._asked, {}
            known: set[Call] = set()
            try:
                known = self.known(list(asked))
            except Exception:
                logger.exception("unexpected error of a question whether uuids are known")
            for call, answer in asked.items():
                answer.set(call in known)
        self._asking = False
