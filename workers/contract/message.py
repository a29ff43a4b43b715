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
from typing import Any, Final
from uuid import uuid4

from redis import Redis

from workers.contract.keys import INFERENCE, of

READ_TASK: Final = "workers.read"
PROBE_TASK: Final = "workers.probe"

# They stand for what differs between two messages of one task, and are valid within JSON.
_ID, _TICKET = "<id>", "<ticket>"


def read_message(uuid: str, ticket: str) -> str:
    """Asks to read the image of this uuid. ``ticket``, hexadecimal, tells messages of it apart.

    Its queue is that of ``keys.INFERENCE``, for admit.lua to put the line in.

    Never with ``expires``, and never followed by ``revoke``: either makes worker processes
    discard every later message of that id for three hours, and callers do re-send.
    """
    quoted = json.dumps(uuid)[1:-1]
    return _template(READ_TASK, ticket=_TICKET).replace(_TICKET, ticket).replace(_ID, quoted)


def enqueue_probe(redis: Redis, line: str) -> None:
    """Publish a probe: a worker that completes it proves that the whole path is alive.

    Raises:
        redis.RedisError: Redis is away.
    """
    probe = _template(PROBE_TASK).replace(_ID, uuid4().hex)
    redis.lpush(of(line, INFERENCE), of(line, probe))


@lru_cache
def _template(name: str, **fields: str) -> str:
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
    }
    follow_ups = dict.fromkeys(("callbacks", "errbacks", "chain", "chord"))
    properties = {
        "correlation_id": _ID,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": INFERENCE},
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
