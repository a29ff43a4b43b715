"""Demand: how many images a second would be read if there were enough workers.

Those that were begun, and those that were refused because the line was full. Who refuses is a
front, and what counts is the sum of all fronts: so each tells Redis, whenever it looks.
"""

from __future__ import annotations

import threading
from collections import Counter, deque

from redis import RedisError

from workers.contract.clock import Clock
from workers.contract.readiness import Overview, Readiness, Status

# Long enough for a quiet line's single requests to be a rate, short enough to see a rush begin.
_LATELY_MS = 10_000


class Demand:
    """Of one front process, about all fronts."""

    def __init__(self, readiness: Readiness, clock: Clock) -> None:
        self._readiness = readiness
        self._clock = clock
        self._lock = threading.Lock()
        self._untold: Counter[str] = Counter()
        # When Redis was looked at, and how many images of each line had been asked for by then.
        self._seen: deque[tuple[int, dict[str, int]]] = deque()

    def refuse(self, algorithm: str, count: int = 1) -> None:
        """So many requests found the line full."""
        with self._lock:
            self._untold[algorithm] += count

    def look(self, overview: Overview) -> None:
        """Tell what was refused since the last look, and remember what is known by now."""
        statuses = overview.statuses
        with self._lock:
            untold, self._untold = self._untold, Counter()
        # Of an algorithm that Redis has forgotten nobody asks how much is wanted.
        known = Counter({name: count for name, count in untold.items() if name in statuses})
        if known:
            try:
                self._readiness.note_refused({statuses[name].line: known[name] for name in known})
            except RedisError:
                # One that takes nothing new, as when it is full, hears it later.
                with self._lock:
                    self._untold += known
        now_ms = self._clock()
        asked = {
            status.line: status.counts.executions + status.counts.refused
            for status in statuses.values()
        }
        self._seen.append((now_ms, asked))
        while self._seen[0][0] < now_ms - _LATELY_MS:
            self._seen.popleft()

    def process_seconds(self, status: Status) -> float | None:
        """What waits and what is asked for in a second, in seconds of one worker process.

        With one member each. None of a line without workers: nobody knows how fast its next are.
        """
        if not status.rate.images:
            return None
        images = status.queue_length + self._images_per_s(status.line)
        return images * status.workers / status.rate.images

    def _images_per_s(self, line: str) -> float:
        """Lately; 0 of a line that is new, and when Redis has lost its data."""
        if not self._seen:
            return 0.0
        (began_ms, before), (now_ms, after) = self._seen[0], self._seen[-1]
        if line not in before or line not in after or now_ms == began_ms:
            return 0.0
        return max(0, after[line] - before[line]) * 1000 / (now_ms - began_ms)
