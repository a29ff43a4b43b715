"""An account: who asks, what it may, how much of it, and the keys by which it is known."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from calendar import monthrange
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

_PREFIX = "punctual"
_HOUR_MS = 3_600_000


class Right(StrEnum):
    """What an account may beside asking for answers."""

    USAGE = "usage"
    JOBS = "jobs"
    OPERATE = "operate"


class Limits(NamedTuple):
    """How much an account may have; 0 is any amount.

    ``rate``: new requests a second in the long run, of which ``burst`` may come at once. ``quota``:
    units a month, by UTC.
    """

    rate: float = 0
    burst: int = 0
    quota: float = 0


class Account(NamedTuple):
    """``algorithms``: those it may ask, None for all of them."""

    name: str
    limits: Limits = Limits()
    algorithms: frozenset[str] | None = None
    rights: frozenset[Right] = frozenset()

    def may_ask(self, algorithm: str) -> bool:
        """Whether it may ask this one."""
        return self.algorithms is None or algorithm in self.algorithms

    def has(self, right: Right) -> bool:
        """Whether it has the right; who operates has them all."""
        return right in self.rights or Right.OPERATE in self.rights


class Charge(NamedTuple):
    """What a request is to be charged, in the order in which account.lua reads it.

    ``used``: so many units it has used this month at the least, whatever Redis has lost.
    """

    account: str
    month: str
    units: float
    rate: float
    burst: int
    quota: float
    used: float


class Standing(NamedTuple):
    """How an account stands after a request.

    ``charged``: the units of this request, 0 for a copy or re-send. ``level_ms``: in so many
    milliseconds all of the burst may come again. ``again_ms``: of a request over the rate, after
    how long it would not be. ``used``: units of this month.
    """

    charged: float
    level_ms: int
    again_ms: int
    used: float


class Key(NamedTuple):
    """What is kept of a key: its public name, and the SHA-256 of its secret.

    ``ends_ms``: when it stops being valid, in epoch milliseconds; None: it does not by itself.
    """

    id: str
    sha256: bytes
    account: str
    ends_ms: int | None = None

    @classmethod
    def made(cls, account: str) -> tuple[Key, str]:
        """A new key, and as what it is sent: nobody can tell that again."""
        name, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
        return cls(name, _digest(secret), account), f"{_PREFIX}_{name}_{secret}"

    def opens_with(self, secret: str, now_ms: int) -> bool:
        """Whether this is its secret; takes as long for one that is not."""
        is_it = hmac.compare_digest(self.sha256, _digest(secret))
        return is_it and (self.ends_ms is None or now_ms < self.ends_ms)


def filed(account: str, name: str) -> str:
    """Under which a request, job or upload is found that its caller calls so.

    What two accounts call the same is not. ``account`` is empty where there are none.
    """
    return f"{account}/{name}" if account else name


# Compared with what nobody has the name of, so that its time does not tell that.
NO_KEY = Key("", bytes(32), "")


def name_and_secret(sent: str) -> tuple[str, str]:
    """Of a key as it is sent; two empty texts for what is none."""
    prefix, _, rest = sent.partition("_")
    name, _, secret = rest.partition("_")
    return (name, secret) if prefix == _PREFIX else ("", "")


class Month(NamedTuple):
    """By UTC: its name, as in ``2026-11``, how long it is, and when it ends, in epoch ms."""

    name: str
    whole_s: int
    ends_ms: int


def month_of(now_ms: int) -> Month:
    """The one that is at that moment."""
    return _month_of_hour(now_ms // _HOUR_MS)


# Asked several times for each request; months change on the hour.
@lru_cache(4)
def _month_of_hour(hour: int) -> Month:
    now = datetime.fromtimestamp(hour * _HOUR_MS / 1000, UTC)
    begins = now.replace(day=1, hour=0)
    whole = timedelta(days=monthrange(now.year, now.month)[1])
    ends_ms = int((begins + whole).timestamp()) * 1000
    return Month(f"{now:%Y-%m}", int(whole.total_seconds()), ends_ms)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="replace")).digest()
