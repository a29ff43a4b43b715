"""``deploy.serverless.aws_lambda.handler``: what AWS Lambda calls.

The bundle is loaded when this is imported: in the phase for which Lambda lends a whole processor.
"""

from __future__ import annotations

from typing import Any, Protocol

from deploy.serverless.events import call, response
from deploy.serverless.function import Function, Reply
from deploy.serverless.settings import ServerlessSettings
from web.problem import Problem

# To hand the reply over.
_REPLY_MS = 50

_function = Function.load(ServerlessSettings.read())


class Context(Protocol):
    """What Lambda tells of an invocation, as far as it matters here."""

    def get_remaining_time_in_millis(self) -> int:
        """Until it is ended."""


def handler(event: Any, context: Context) -> dict[str, Any]:
    """Answer one event."""
    try:
        asked = call(event)
    except Problem as problem:
        return response(Reply.of(problem))
    left_ms = context.get_remaining_time_in_millis() - _REPLY_MS
    return response(_function.reply(asked, left_ms))
