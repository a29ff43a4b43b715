"""Refusals: a Redis that answers, but not with what was asked for."""

from __future__ import annotations

import re
from enum import StrEnum

from redis.exceptions import RedisError


class Refusal(StrEnum):
    """Why, under the code that Redis gives it."""

    READONLY = "is a read-only replica"
    MISCONF = "cannot save its data to its disk"
    NOREPLICAS = "has too few replicas"
    OOM = "has reached its maxmemory"
    LOADING = "is still loading its data"
    MASTERDOWN = "is a replica without a master"
    CLUSTERDOWN = "belongs to a cluster that is down"
    BUSY = "is held up by a script"
    NOAUTH = "wants a password"
    WRONGPASS = "does not know this user and password"
    NOPERM = "does not permit this user what is needed"
    MAXCLIENTS = "has as many clients as it takes"

    @classmethod
    def of(cls, error: RedisError) -> Refusal | None:
        """The refusal, or None when it is something else: no answer at all, or a mistake of ours.

        An error within a script has no type of its own, only the code somewhere in its text.
        """
        text = f"{getattr(error, 'status_code', '')} {error}"
        if code := _CODE.search(text):
            return cls[code[0]]
        return cls.MAXCLIENTS if "max number of clients" in text else None


_CODE = re.compile(rf"\b(?:{'|'.join(Refusal.__members__)})\b")
