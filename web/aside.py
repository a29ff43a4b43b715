"""Aside: what waits for a disk does so in a thread of the system, and nobody else with it."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gevent

from web.job_problems import JobsAway
from workers.contract.files import NoRoom
from workers.contract.jobs import Conflict, UploadGone
from workers.contract.uploads import Incomplete, WrongDigest

logger = logging.getLogger(__name__)

_Arguments = ParamSpec("_Arguments")
_Reply = TypeVar("_Reply")


def aside(
    do: Callable[_Arguments, _Reply], *args: _Arguments.args, **kwargs: _Arguments.kwargs
) -> _Reply:
    """What ``do`` returns or raises.

    Raises:
        JobsAway: the disk does not do its part.
    """

    def tried() -> _Reply | Exception:
        # gevent prints what a thread of its raises.
        try:
            return do(*args, **kwargs)
        except (
            *(sqlite3.Error, OSError, NoRoom),
            *(Conflict, UploadGone, Incomplete, WrongDigest),
        ) as error:
            return error

    outcome = gevent.get_hub().threadpool.apply(tried)
    if isinstance(outcome, sqlite3.Error | OSError):
        logger.error("the folder of the jobs failed: %s", outcome)
        raise JobsAway from outcome
    if isinstance(outcome, Exception):
        raise outcome
    reply: _Reply = outcome
    return reply
