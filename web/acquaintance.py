"""Acquaintance: whether uuids are known, asked of Redis for many calls at once.

In a storm every call asks. One at a time, the questions alone would cost more than the refusals.
"""

from __future__ import annotations

from collections.abc import Sequence

import gevent
from gevent.event import AsyncResult
from redis import RedisError

from workers.contract.ledger import Ledger

# So long questions gather.
_GATHER_S = 0.005


class Acquaintance:
    """Its questions are gathered for a moment, and go to Redis together."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._asked: dict[str, AsyncResult] = {}
        self._asking = False

    def knows(self, uuid: str) -> bool:
        """Whether something is kept or under way for the uuid; False when Redis does not say."""
        answer = self._asked.setdefault(uuid, AsyncResult())
        if not self._asking:
            self._asking = True
            gevent.spawn(self._ask)
        return bool(answer.get())

    def known(self, uuids: Sequence[str]) -> set[str]:
        """Those for which something is kept or under way; none when Redis does not say."""
        try:
            return self._ledger.known(uuids) if uuids else set()
        except RedisError:
            return set()

    def _ask(self) -> None:
        while self._asked:
            gevent.sleep(_GATHER_S)
            asked, self._asked = self._asked, {}
            known = self.known(list(asked))
            for uuid, answer in asked.items():
                answer.set(uuid in known)
        self._asking = False
