"""At most once: a Redis that remembers, for every process, who is at a uuid and what came of it."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from redis import Redis, RedisError

from web.outage import problem_of
from web.problems import AnswerLate, UuidConflict
from web.reply import Answer, Source
from workers.contract.clock import Clock
from workers.contract.keys import VERSION, algorithm_of
from workers.contract.result import Outcome, Result

logger = logging.getLogger(__name__)

_LUA = Path(__file__).with_name("lua")
_PREFIX: Final = f"punctual:{VERSION}:serverless:"

# Nobody tells a process that is frozen between two calls: whoever waits asks again.
_ASK_AGAIN_S = 0.02


class Once:
    """Of one bundle; a uuid of another algorithm is nothing to it.

    ``keep_for_ms``: an answer nobody asks for is forgotten after this.
    """

    def __init__(self, redis: Redis, bundle: str, keep_for_ms: int, clock: Clock) -> None:
        self._algorithm = algorithm_of(bundle)
        self._keep_for_ms = keep_for_ms
        self._clock = clock
        self._claim, self._settle = (
            redis.register_script((_LUA / f"{name}.lua").read_text())
            for name in ("claim", "settle")
        )

    def answer(
        self,
        uuid: str,
        fingerprint: str,
        until_ms: int,
        lease_ms: int,
        read: Callable[[], Result],
    ) -> Answer:
        """What is kept, or what another process reads just now, or else what ``read`` returns.

        Args:
            uuid: the caller's.
            fingerprint: of the image.
            until_ms: when the caller's time is over.
            lease_ms: a claim whose process is silent for so long is another one's to take.
            read: reads the image; called once, or not at all.

        Raises:
            UuidConflict: 422, the uuid is another image's.
            AnswerLate: 504, another process has not finished.
            RedisAway: 503, and what else ``problem_of`` knows.
        """
        key, ticket = f"{_PREFIX}{self._algorithm}:{uuid}", secrets.token_hex(8)
        arguments: list[str | int] = [fingerprint, ticket, lease_ms, self._keep_for_ms]
        came = Source.KEPT
        while True:
            try:
                verdict, *told = self._claim([key], arguments)
            except RedisError as error:
                raise problem_of(error) from error
            match verdict:
                case b"conflict":
                    raise UuidConflict
                case b"kept":
                    return Answer(Result.from_json(told[0]), came)
                case b"claimed":
                    return Answer(self._read(key, fingerprint, ticket, read), Source.COMPUTED)
            if self._clock() >= until_ms:
                raise AnswerLate
            came = Source.JOINED
            time.sleep(_ASK_AGAIN_S)

    def _read(self, key: str, fingerprint: str, ticket: str, read: Callable[[], Result]) -> Result:
        """Read, and tell; a failure is told and not kept: a re-send tries again."""
        text = ""
        try:
            result = read()
            if result.outcome is not Outcome.FAILED:
                text = result.to_json()
            return result
        finally:
            try:
                self._settle([key], [fingerprint, ticket, text, self._keep_for_ms])
            except RedisError as error:
                # Its caller has the answer. When the lease is over, a re-send is read again.
                logger.error("an answer could not be kept: %s", error)
