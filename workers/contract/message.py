"""The messages: Celery's, in the envelope that kombu keeps in a Redis list.

A message names its image and does not carry it: who has permission gets the bytes with it.
Publishing through kombu takes five times as long, and its connections do not survive a request that
runs out of time in the middle. A test holds these messages against those that Celery itself writes:
version 2 of its protocol, https://docs.celeryq.dev/en/stable/internals/protocol.html.
"""

from __future__ import annotations

import json
import os
import socket
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import uuid4

from redis import Redis

from workers.contract.account import filed
from workers.contract.keys import INFERENCE, PARTIAL, SLICES, of

READ_TASK: Final = "workers.read"
PROBE_TASK: Final = "workers.probe"
SHADOW_TASK: Final = "workers.shadow"
SLICE_TASK: Final = "workers.slice"
SKETCH_TASK: Final = "workers.sketch"

# What a message of READ_TASK has in it, and one of another task has not: within a uuid there are no
# quotes that are not escaped.
READS: Final = f'"task": "{READ_TASK}"'

# They stand for what differs between two messages of one task, and are valid within JSON.
_ID, _TICKET, _JOB, _TRACE, _ACCOUNT = "<id>", "<ticket>", "<job>", "<trace>", "<account>"


class ReadRequest(NamedTuple):
    """What a message asks for: see ``read_message``."""

    uuid: str
    ticket: str
    trace: str = ""
    account: str = ""

    @property
    def name(self) -> str:
        """The uuid as it is filed, with its account."""
        return filed(self.account, self.uuid)

    @classmethod
    def parse(cls, message: bytes) -> ReadRequest:
        """Of a message that has READS in it; what else a newer front may say is left out."""
        envelope = json.loads(message)
        headers, fields = envelope["headers"], json.loads(envelope["body"])[1]
        return cls(
            headers["id"],
            fields["ticket"],
            headers.get("traceparent") or "",
            fields.get("account", ""),
        )


def read_message(uuid: str, ticket: str, trace: str = "", account: str = "") -> str:
    """Asks to read the image of this uuid. ``ticket``, hexadecimal, tells messages of it apart.

    Its queue is that of ``keys.INFERENCE``, for admit.lua to put the line in. ``trace``: the
    ``traceparent`` of a request that is traced, as a header, which workers that know none ignore.
    ``account``: whose uuid it is, while there are accounts.

    Never with ``expires``, and never followed by ``revoke``: either makes worker processes
    discard every later message of that id for three hours, and callers do re-send.
    """
    quoted = json.dumps(uuid)[1:-1]
    whose = {"account": _ACCOUNT} if account else {}
    template = _template(READ_TASK, traced=bool(trace), ticket=_TICKET, **whose)
    template = template.replace(_TRACE, trace).replace(_ACCOUNT, account)
    return template.replace(_TICKET, ticket).replace(_ID, quoted)


def enqueue_probe(redis: Redis, line: str) -> None:
    """Publish a probe: a worker that completes it proves that the whole path is alive.

    Raises:
        redis.RedisError: Redis is away.
    """
    probe = _template(PROBE_TASK).replace(_ID, uuid4().hex)
    redis.lpush(of(line, INFERENCE), of(line, probe))


def enqueue_sketch(redis: Redis, line: str, ticket: str) -> None:
    """Have a worker draw what was ordered under this ticket, behind the few that are next.

    Raises:
        redis.RedisError: Redis is away.
    """
    message = _template(SKETCH_TASK, ticket=_TICKET).replace(_TICKET, ticket)
    redis.lpush(of(line, INFERENCE), of(line, message.replace(_ID, uuid4().hex)))


def enqueue_shadow(redis: Redis, line: str, ticket: str) -> None:
    """Have a line read what was shown to it under this ticket, when it has nothing else to do.

    Raises:
        redis.RedisError: Redis is away.
    """
    message = _template(SHADOW_TASK, ticket=_TICKET).replace(_TICKET, ticket)
    redis.lpush(of(line, PARTIAL), of(line, message.replace(_ID, uuid4().hex)))


def slice_message(line: str, job: str, ticket: str) -> str:
    """Asks to work on a job for a moment. People find its slices in Flower by the job's id."""
    template = _template(SLICE_TASK, SLICES, job=_JOB, ticket=_TICKET)
    message = template.replace(_ID, f"{job}.{ticket}").replace(_JOB, job).replace(_TICKET, ticket)
    return of(line, message)


@lru_cache
def _template(name: str, queue: str = INFERENCE, *, traced: bool = False, **fields: str) -> str:
    """All that two messages of one task have in common."""
    headers: dict[str, Any] = {
        "lang": "py",
        "task": name,
        "id": _ID,
        "root_id": _ID,
        "parent_id": None,
        "argsrepr": "()",
        "kwargsrepr": repr(fields),
        "origin": f"gen{os.getpid()}@{socket.gethostname()}",
        "ignore_result": True,
        "retries": 0,
        "timelimit": [None, None],
        **dict.fromkeys(("eta", "expires", "group", "group_index", "shadow")),
        "replaced_task_nesting": 0,
        "stamped_headers": None,
        "stamps": {},
        **({"traceparent": _TRACE} if traced else {}),
    }
    follow_ups = dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))
    properties = {
        "correlation_id": _ID,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "delivery_tag": _ID,
        "priority": 0,
        "body_encoding": "utf-8",
    }
    envelope = {
        "body": json.dumps([[], fields, follow_ups]),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": headers,
        "properties": properties,
    }
    return json.dumps(envelope)
