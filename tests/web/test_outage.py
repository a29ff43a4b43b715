"""Outages: what callers are told of an error of Redis, and how often the log is."""

from __future__ import annotations

import logging

import pytest
from redis import RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from tests.redis_process import RedisProcess
from web.outage import Outages, problem_of
from workers.contract.connection import impatient
from workers.contract.refusal import Refusal
from workers.contract.settings import QueueSettings


def replied(text: str) -> RedisError:
    """What redis-py raises for an error that Redis replies."""
    from redis._parsers.base import BaseParser

    error: RedisError = BaseParser.parse_error(text)
    return error


@pytest.mark.parametrize(
    ("error", "refusal", "problem"),
    [
        (
            replied("READONLY You can't write against a read only replica."),
            Refusal.READONLY,
            "queue-read-only",
        ),
        (
            # As Redis before 7 says it within a script.
            replied(
                "ERR Error running script (call to f_0): @user_script:1: @user_script: 1: "
                "-READONLY You can't write against a read only replica."
            ),
            Refusal.READONLY,
            "queue-read-only",
        ),
        (
            replied("MISCONF Redis is configured to save RDB snapshots, but it's unable to"),
            Refusal.MISCONF,
            "queue-read-only",
        ),
        (
            replied("NOREPLICAS Not enough good replicas to write."),
            Refusal.NOREPLICAS,
            "queue-read-only",
        ),
        (
            replied("OOM command not allowed when used memory > 'maxmemory'."),
            Refusal.OOM,
            "queue-full",
        ),
        (
            replied("LOADING Redis is loading the dataset in memory"),
            Refusal.LOADING,
            "queue-refuses",
        ),
        (
            replied("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is 'no'."),
            Refusal.MASTERDOWN,
            "queue-refuses",
        ),
        (replied("CLUSTERDOWN The cluster is down"), Refusal.CLUSTERDOWN, "queue-refuses"),
        (replied("BUSY Redis is busy running a script."), Refusal.BUSY, "queue-refuses"),
        (replied("NOAUTH Authentication required."), Refusal.NOAUTH, "queue-refuses"),
        (
            replied("WRONGPASS invalid username-password pair or user is disabled."),
            Refusal.WRONGPASS,
            "queue-refuses",
        ),
        (
            replied("NOPERM this user has no permissions to run the 'evalsha' command"),
            Refusal.NOPERM,
            "queue-refuses",
        ),
        (replied("ERR max number of clients reached"), Refusal.MAXCLIENTS, "queue-refuses"),
        (RedisConnectionError("Connection refused"), None, "queue-away"),
        (RedisTimeoutError("Timeout reading from socket"), None, "queue-away"),
        (ResponseError("unknown command"), None, "queue-away"),
    ],
)
def test_each_refusal_has_its_name(
    error: RedisError, refusal: Refusal | None, problem: str
) -> None:
    assert Refusal.of(error) is refusal
    told = problem_of(error)
    assert told.type == problem
    assert told.retry_after_s == 1
    assert (refusal or "Redis does not answer") in told.detail


def test_a_refused_user_is_named(redis: RedisProcess) -> None:
    url = f"redis://stranger:secret@127.0.0.1:{redis.port}"
    client = impatient(QueueSettings(redis_url=url), 1_000)
    with pytest.raises(RedisError) as caught:
        client.ping()
    assert Refusal.of(caught.value) is Refusal.WRONGPASS
    client.close()


def test_a_cause_is_logged_when_it_begins_and_then_with_how_often_it_was_met(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now_ms = 0
    outages = Outages(lambda: now_ms)
    away, unwanted = RedisConnectionError("refused"), replied("NOAUTH Authentication required.")

    def lines() -> list[tuple[int, str]]:
        found = [(record.levelno, record.getMessage()) for record in caplog.records]
        caplog.clear()
        return found

    caplog.set_level(logging.INFO)
    outages.over()
    assert lines() == []
    for _ in range(100):
        outages.note(away)
        now_ms += 50
    outages.note(unwanted)
    assert lines() == [
        (logging.ERROR, "problem=queue-away cause=ConnectionError times=1: refused"),
        (
            logging.ERROR,
            "problem=queue-refuses cause=NOAUTH times=1: Authentication required.",
        ),
    ]
    now_ms = 10_000
    outages.note(away)
    assert lines() == [
        (logging.ERROR, "problem=queue-away cause=ConnectionError times=100: refused")
    ]
    outages.over()
    outages.over()
    assert lines() == [
        (logging.WARNING, "Redis serves again, after ConnectionError, NOAUTH"),
    ]

    # What comes and goes does not fill the log either.
    for _ in range(100):
        outages.note(away)
        outages.over()
    assert lines() == []
    now_ms = 20_000
    outages.note(away)
    assert lines() == [
        (logging.ERROR, "problem=queue-away cause=ConnectionError times=101: refused")
    ]
