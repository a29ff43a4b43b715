"""The members: asked one after another, as far as it helps and the allowance goes."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from model.errors import ImageUnreadable
from workers.contract.clock import Clock
from workers.contract.result import Outcome, Stop
from workers.pace import Pace
from workers.scheduler import Allowance

if TYPE_CHECKING:
    # Engines come after the fork, and Flower, which imports the tasks, has none.
    from model.algorithm import Algorithm
    from model.bunch import Bunch
    from model.ensemble import Reading

logger = logging.getLogger(__name__)

_Opened = TypeVar("_Opened")


class Computed(NamedTuple):
    """What came of the members that were asked about an image, and how long it took.

    ``stopped`` says why no further member was asked, of an answer. ``took_us`` is from the file to
    that; of what images took together, each has its share.
    """

    outcome: Outcome
    text: str
    members: int
    whole: bool
    stopped: str = ""
    reading: Reading | None = None
    took_us: int = 0


# Of one image: it goes on, to the next member, when its turn comes again.
_Steps = Generator[None, None, Computed]


class Members:
    """Of one loaded algorithm.

    Args:
        ensemble: the algorithm.
        pace: learns what they cost.
        clock: in epoch milliseconds.
        waiting: how many other images wait.
    """

    def __init__(
        self, ensemble: Algorithm, pace: Pace, clock: Clock, waiting: Callable[[], int]
    ) -> None:
        self._ensemble = ensemble
        self._pace = pace
        self._clock = clock
        self._waiting = waiting

    def ask(
        self, images: Sequence[bytes], allowance: Allowance, fetched_us: float
    ) -> list[Computed]:
        """Read images for which there is one allowance.

        An engine that fails is an outcome too. ``fetched_us``: to fetch each took so long.
        """
        began_ns = time.perf_counter_ns()
        computed = _in_turns(self._begun(images, allowance, fetched_us))
        took_us = int(_us_since(began_ns) / len(images))
        return [each._replace(took_us=took_us) for each in computed]

    def _begun(
        self, images: Sequence[bytes], allowance: Allowance, fetched_us: float
    ) -> list[_Steps]:
        """The way of each image, behind the first member where that reads all of them at once."""
        bunch = self._ensemble.bunch
        if bunch and 1 < len(images) == self._pace.most and not allowance.express:
            try:
                begun = self._together(bunch, images, fetched_us)
                return [self._steps(each, allowance, asked=1) for each in begun]
            except ImageUnreadable:
                logger.debug("one of a bunch cannot be read, so that each begins by itself")
            except Exception:
                logger.exception("the engine failed on several images, and is asked about one")
                self._pace.forget_bunch()
        return [self._from_the_file(image, allowance, fetched_us) for image in images]

    def _together(
        self, bunch: Bunch, images: Sequence[bytes], fetched_us: float
    ) -> list[Iterator[Reading]]:
        opened = [self._opened(bunch.ensemble.pixels, image, fetched_us) for image in images]
        asked_ns = time.perf_counter_ns()
        begun = bunch.readings(opened)
        self._pace.learn_bunch(_us_since(asked_ns) / len(images))
        return begun

    def _from_the_file(self, image: bytes, allowance: Allowance, fetched_us: float) -> _Steps:
        express = self._ensemble.express if allowance.express else None
        readings = self._opened((express or self._ensemble).readings, image, fetched_us)
        if not express:
            return (yield from self._steps(readings, allowance))
        began_ns = time.perf_counter_ns()
        reading = next(readings)
        self._pace.learn_express(_us_since(began_ns))
        return _answered(reading, Stop.EXPRESS)

    def _steps(self, readings: Iterator[Reading], allowance: Allowance, asked: int = 0) -> _Steps:
        """Ask member after member, of whom so many have been asked by now."""
        members = 0
        asked_ns = time.perf_counter_ns()
        for reading in readings:
            grown = reading.members > members
            # Of a sheet the first member costs the most: an answer costs as much at the least.
            if reading.members > max(members, asked) and (members == 0 or reading.next_share == 1):
                self._pace.learn_member(_us_since(asked_ns))
            members = reading.members
            if reading.settled:
                stopped = Stop.ALL if members == self._ensemble.size else Stop.SETTLED
                break
            yield
            next_us = self._pace.member_us * reading.next_share
            if not allowance.permits(next_us, self._clock(), self._waiting):
                stopped = allowance.bound
                break
            if grown:
                asked_ns = time.perf_counter_ns()
        return _answered(reading, stopped)

    def _opened(
        self, opening: Callable[[bytes], _Opened], image: bytes, fetched_us: float
    ) -> _Opened:
        """The image decoded, be it read by then or not."""
        began_ns = time.perf_counter_ns()
        try:
            return opening(image)
        finally:
            self._pace.learn_bytes(len(image), fetched_us + _us_since(began_ns))


def _answered(reading: Reading, stopped: Stop) -> Computed:
    return Computed(
        Outcome.ANSWERED, reading.answer, reading.members, reading.settled, stopped, reading
    )


def _in_turns(images: Sequence[_Steps]) -> list[Computed]:
    """What each comes to, or why it came to nothing; none is two members ahead of another."""
    ended: dict[int, Computed] = {}
    while len(ended) < len(images):
        for number, steps in enumerate(images):
            if number not in ended and (computed := _step(steps)):
                ended[number] = computed
    return [ended[number] for number in range(len(images))]


def _step(steps: _Steps) -> Computed | None:
    """One member further; None while there are others to ask."""
    try:
        next(steps)
    except StopIteration as end:
        computed: Computed = end.value
        return computed
    except ImageUnreadable as error:
        return Computed(Outcome.UNREADABLE, str(error), 0, whole=True)
    except Exception:  # every engine has its own
        logger.exception("the engine failed")
        return Computed(Outcome.FAILED, "the engine failed on this image", 0, whole=True)
    return None


def _us_since(began_ns: int) -> float:
    return (time.perf_counter_ns() - began_ns) / 1000
