"""The listener: one subscription per process that wakes whoever waits for a result.

A thread reads the channel of this front. Each waiting request has an Event of its own, so a
wake-up costs the same whether one waits or a thousand, and a request that gives up leaves
nothing behind in Redis.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError

from web.outage import Outages
from workers.contract import keys
from workers.contract.ledger import Notice
from workers.contract.result import Result

logger = logging.getLogger(__name__)

_RECONNECT_EVERY_S = 0.1
_POLL_S = 1.0
_MAX_UNANSWERED = 2


class Waiter:
    """One request that may have to wait; most that ask for what is kept never do."""

    def __init__(self) -> None:
        self._event: threading.Event | None = None
        self._is_told = False
        self._results: dict[str, Result] = {}

    def tell(self, notice: Notice | None) -> None:
        """Wake the request, with its result or without one to make it look again."""
        if notice is not None and notice.result is not None:
            self._results[notice.line] = notice.result
        # In this order: whoever begins to wait makes the event, and looks then.
        self._is_told = True
        if self._event is not None:
            self._event.set()

    def wait(self, line: str, timeout_s: float) -> Result | None:
        """The result of this line, or None when it is time to look again."""
        if line not in self._results:
            self._event = threading.Event()
            if not self._is_told:
                self._event.wait(timeout_s)
            self._is_told = False
        return self._results.get(line)


class Listener:
    """Owns the subscription and knows the waiting requests of this process."""

    def __init__(self, redis: Redis, moved: threading.Event, outages: Outages) -> None:
        self.channel = keys.front(secrets.token_hex(8))
        self._redis = redis
        # Set when Redis is found to be elsewhere. A subscription to a replica goes on in silence.
        self._moved = moved
        self._outages = outages
        # By subject, which has the fingerprint in it: nobody is told the result of another image.
        self._waiters: defaultdict[tuple[str, str], set[Waiter]] = defaultdict(set)
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        """Begin to listen. Requests that start to wait earlier are woken at the subscription."""
        self._thread.start()

    @contextmanager
    def waiter(self, algorithm: str, subject: str) -> Iterator[Waiter]:
        """Be told of one subject's results for the length of the block."""
        waiter, name = Waiter(), (algorithm, subject)
        self._waiters[name].add(waiter)
        try:
            yield waiter
        finally:
            waiters = self._waiters[name]
            waiters.discard(waiter)
            if not waiters:
                del self._waiters[name]

    def _run(self) -> None:
        while True:
            try:
                self._listen()
            except RedisError as error:
                self._outages.note(error)
            except Exception:
                # A front without this thread would be deaf: whatever it was, go on.
                logger.exception("the subscription failed, making a new one")
            time.sleep(_RECONNECT_EVERY_S)

    def _listen(self) -> None:
        with self._redis.pubsub() as subscription:
            self._moved.clear()
            subscription.subscribe(self.channel)
            until = time.monotonic() + _POLL_S
            unanswered = 0
            while not (self._moved.is_set() and time.monotonic() > until):
                message = subscription.get_message(timeout=_POLL_S)
                if message is None:
                    # A half-open connection takes every ping and answers none.
                    if unanswered == _MAX_UNANSWERED:
                        raise RedisConnectionError("Redis is silent")
                    subscription.ping()
                    unanswered += 1
                    continue
                unanswered = 0
                if message["type"] == "subscribe":
                    # What was published before this moment was not heard.
                    self._wake_everybody()
                elif message["type"] == "message":
                    self._tell(Notice.parse(message["data"]))

    def _tell(self, notice: Notice) -> None:
        name = keys.algorithm_of(notice.line), notice.subject
        for waiter in tuple(self._waiters.get(name, ())):
            waiter.tell(notice)

    def _wake_everybody(self) -> None:
        for waiters in tuple(self._waiters.values()):
            for waiter in tuple(waiters):
                waiter.tell(None)
