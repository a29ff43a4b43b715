"""Jobs in a worker process: items are read while no caller waits, member after member.

Between two members it looks whether somebody waits. Then it goes back to the callers with the item
in its hand, and goes on with that at its next slice. So a caller loses one member's time at most,
and no work is thrown away. While callers come, one process of several stays away from jobs.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis import RedisError

from model.errors import ImageUnreadable
from workers.contract.clock import Clock
from workers.contract.contents import TooOften
from workers.contract.items import Item, Items
from workers.contract.job import Job
from workers.contract.jobs import Jobs
from workers.contract.line import Line
from workers.contract.result import Outcome
from workers.contract.slices import Slices
from workers.faults import unreadable
from workers.unpacking import JobRefused, Unpacker

if TYPE_CHECKING:
    from model.algorithm import Algorithm
    from model.ensemble import Reading

logger = logging.getLogger(__name__)

_SLICE_MS = 1_500


@dataclass
class _Hand:
    """An item that was begun, and the readings that are still to come."""

    item: Item
    rest: Iterator[Reading]


class JobReader:
    """One loaded ensemble, and the jobs that it works on.

    Args:
        ensemble: what reads.
        line: where kept answers are. Its Redis gives up soon.
        slices: says whether to go on.
        jobs: all of them.
        items: theirs.
        unpacker: makes items of what jobs bring.
        pictured: makes of an item's file what the ensemble reads.
        offer: puts the next slices in line.
        clock: steady, in milliseconds.
    """

    def __init__(
        self,
        ensemble: Algorithm,
        line: Line,
        slices: Slices,
        jobs: Jobs,
        items: Items,
        unpacker: Unpacker,
        pictured: Callable[[bytes], bytes],
        offer: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._ensemble = ensemble
        self._line = line
        self._slices = slices
        self._worker = secrets.token_hex(4)
        self._jobs = jobs
        self._items = items
        self._unpacker = unpacker
        self._pictured = pictured
        self._offer = offer
        self._clock = clock
        self._hand: _Hand | None = None

    def work(self, job_id: str, ticket: str) -> Mapping[str, Any]:
        """Work on a job for a slice, or until a caller waits.

        Returns:
            What Flower shows as the task's result.
        """
        until_ms = self._clock() + _SLICE_MS
        steps = 0
        if self._may(self._slices.begin):
            if self._hand:
                self._hand = self._kept_hand(self._hand, ticket)
            while self._step(job_id, ticket):
                steps += 1
                if self._clock() >= until_ms or not self._may(self._slices.go_on):
                    break
            self._leave()
        if steps:
            # Whoever found nothing to do would be called again at once.
            self._offer()
        return {"steps": steps, "ms": _SLICE_MS - until_ms + self._clock()}

    def _step(self, job_id: str, ticket: str) -> bool:
        """Ask one member, or take a few items in; False when there is nothing to do."""
        if self._hand is None:
            job = self._jobs.find(job_id)
            if job is None or job.state.is_end:
                return False
            if job.total is None and self._unpack(job, ticket):
                return True
            item = self._items.claim(job, ticket)
            if item is None:
                return False
            self._begin(item)
        if self._hand:
            self._advance(self._hand)
        return True

    def _kept_hand(self, hand: _Hand, ticket: str) -> _Hand | None:
        """What was in hand at the end of the last slice, unless it is another's by now."""
        if not self._items.renew(hand.item, ticket):
            return None
        return _Hand(dataclasses.replace(hand.item, ticket=ticket), hand.rest)

    def _unpack(self, job: Job, ticket: str) -> bool:
        try:
            return self._unpacker.step(job, ticket)
        except JobRefused as error:
            self._jobs.fail(job, str(error))
        except FileNotFoundError:
            logger.info("the job %s has ended while it was looked into", job.id)
        except TooOften:
            self._jobs.fail(job, "every worker that looked into it died of it.")
        return False

    def _begin(self, item: Item) -> None:
        """Have an item in hand, unless its image was read before, or is none."""
        if known := self._items.known(item) or self._kept(item.digest):
            self._items.finish(item, known)
            return
        with self._ending(item):
            self._hand = _Hand(item, self._ensemble.readings(self._pictured(item.image())))

    def _advance(self, hand: _Hand) -> None:
        with self._ending(hand.item):
            reading = next(hand.rest)
            if reading.settled:
                self._hand = None
                self._items.finish(
                    hand.item, self._answer(reading.answer, reading.members, reading.output)
                )

    @contextmanager
    def _ending(self, item: Item) -> Iterator[None]:
        """What cannot be read has its result; what failed is tried again, a few times."""
        try:
            yield
        except FileNotFoundError:
            # The job has ended meanwhile.
            self._hand = None
        except ImageUnreadable as error:
            self._hand = None
            self._items.finish(item, {"error": unreadable(str(error))})
        except Exception:
            logger.exception("the engine failed on item %d of a job", item.number)
            self._hand = None
            self._items.give_back(item.ticket)

    def _kept(self, digest: str) -> Mapping[str, Any] | None:
        """What callers were answered for the same image."""
        try:
            result = self._line.kept(digest)
        except RedisError as error:
            logger.warning("Redis is away, reading anew what it may have kept: %s", error)
            return None
        if result is None:
            return None
        if result.outcome is Outcome.UNREADABLE:
            return {"error": unreadable(result.text)}
        return self._answer(result.text, result.members, result.output)

    def _answer(
        self, text: str, members: int, output: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        size = self._ensemble.size
        settled = ";settled" if members < size else ""
        return {
            "answer": text,
            "members": f"{members}/{size}{settled}",
            "bundle": self._ensemble.bundle.id,
            **(output or {}),
        }

    def _may(self, ask: Callable[[str], bool]) -> bool:
        """What ``slices`` say. When Redis cannot tell, this is no time to go on."""
        try:
            return ask(self._worker)
        except RedisError as error:
            logger.warning("Redis is away, the job goes on later: %s", error)
            return False

    def _leave(self) -> None:
        with suppress(RedisError):
            self._slices.leave(self._worker)
