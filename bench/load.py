"""Load: what a scenario does to one target, and what that costs on both sides."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Literal, Self, TypeVar

from tqdm import tqdm

from bench.caller import Call, Caller, Patience, Record
from bench.capacity import Capacity
from bench.pictures import Pictures
from bench.target import Target

Arrivals = Literal["even", "poisson"]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Measured:
    """What a scenario found out about a target.

    Rows have the same columns for every target; series are what the pictures are drawn from. Both
    go into report.json.
    """

    rows: list[dict[str, Any]]
    series: dict[str, Any] = field(default_factory=dict)


class Load:
    """A ready target, and an endless supply of uuids with pictures of their own."""

    def __init__(
        self, target: Target, pictures: Pictures, capacity: Capacity, arrivals: Arrivals, seed: int
    ) -> None:
        self.target = target
        self.capacity = capacity
        self.random = random.Random(seed)  # noqa: S311
        self.pictures = pictures
        self._pictures = iter(pictures)
        self._arrivals = arrivals

    def at(self, target: Target) -> Self:
        """The same load for another target: what was sent to one is not sent to the other."""
        beside = copy(self)
        beside.target = target
        return beside

    def arrivals(self, rate: float, count: int | None = None) -> Iterator[float]:
        """When calls are due, in seconds: every 1/rate, or as a Poisson process does it."""
        due_s, number = 0.0, 0
        while count is None or number < count:
            yield due_s
            number += 1
            if self._arrivals == "poisson":
                due_s += self.random.expovariate(rate)
            else:
                due_s = number / rate

    def call(self, due_s: float = 0.0, group: str = "") -> Call:
        """A new uuid with a picture that nobody has sent before."""
        picture = next(self._pictures)
        return Call(uuid.uuid4().hex, picture.base64, picture.label, due_s, group)

    def run(
        self,
        calls: Iterable[Call],
        patience: Patience,
        title: str,
        count: int | None = None,
        seen: Callable[[Record], None] = lambda _: None,
    ) -> Run:
        """Send calls as they are due; ``seen`` is told of each record once it is complete."""
        records: list[Record] = []

        async def send(caller: Caller) -> None:
            with tqdm(total=count, desc=f"{self.target.name}: {title}", unit="uuid") as bar:

                def finished(record: Record) -> None:
                    records.append(record)
                    seen(record)
                    bar.update()

                await caller.run(calls, finished)

        before = self.target.cpu_s()
        caller = self.with_caller(patience, send)
        after = self.target.cpu_s()
        used_s = {part: after[part] - before[part] for part in after}
        return Run(records, used_s, caller.cost_us)

    def with_caller(self, patience: Patience, work: Callable[[Caller], Awaitable[None]]) -> Caller:
        """Run ``work`` with a caller inside an event loop of its own."""

        async def main() -> Caller:
            caller = Caller(self.target.url, patience)
            await work(caller)
            caller.close()
            return caller

        return asyncio.run(main())


@dataclass(frozen=True)
class Run:
    """The records of a run, the CPU seconds of each part of the server, and what a send cost."""

    records: list[Record]
    cpu_s: dict[str, float]
    caller_us: float

    def cost(self) -> dict[str, Any]:
        """CPU time for each uuid: of the server's parts, and of the caller beside it."""
        count = max(1, len(self.records))
        parts = {part: used_s / count * 1000 for part, used_s in self.cpu_s.items()}
        told = ", ".join(f"{part} {each_ms:.2f}" for part, each_ms in parts.items())
        return {"CPU ms a uuid": told or None, "caller us a send": self.caller_us}
