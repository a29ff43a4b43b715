"""Events: what AWS Lambda is called with, and what it returns.

API Gateway's two forms, 1.0 and 2.0, which function URLs and load balancers share; and whatever
anybody sends who invokes the function directly.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import unquote

from deploy.serverless.function import Call, Reply
from web.problems import NotJson

_ALGORITHM = re.compile(r"/inference/([^/]+)/?$")


def call(event: Any) -> Call:
    """Read an event. Without a body, and not from a gateway, it is the request itself.

    Raises:
        NotJson: 400, it says that its body is base64, which is wrong.
    """
    if not isinstance(event, dict) or not event.keys() & {"body", "requestContext"}:
        return Call(_text(event))
    headers = _headers(event)
    algorithm = _ALGORITHM.search(str(event.get("rawPath") or event.get("path") or ""))
    return Call(
        body=_body(event),
        method=_method(event),
        algorithm=unquote(algorithm[1]) if algorithm else None,
        encoding=next(iter(headers.get("content-encoding", ())), None),
        prefer=headers.get("prefer", ()),
    )


def response(reply: Reply) -> dict[str, Any]:
    """The form that every gateway takes; what is in a body is UTF-8."""
    return {
        "statusCode": reply.status,
        "headers": reply.headers,
        "body": reply.body.decode(),
        "isBase64Encoded": False,
    }


def _body(event: dict[str, Any]) -> bytes:
    body = event.get("body")
    if body is None:
        return b""
    if not event.get("isBase64Encoded") or not isinstance(body, str):
        return body.encode(errors="surrogatepass") if isinstance(body, str) else _text(body)
    try:
        return base64.b64decode(body, validate=True)
    except ValueError as error:
        raise NotJson("The event says isBase64Encoded, and its body is not base64.") from error


def _text(value: Any) -> bytes:
    """What the runtime has parsed, as it may have been."""
    return json.dumps(value).encode()


def _method(event: dict[str, Any]) -> str:
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, dict) else None
    method = http.get("method") if isinstance(http, dict) else event.get("httpMethod")
    return str(method or "POST").upper()


def _headers(event: dict[str, Any]) -> dict[str, list[str]]:
    """By their names in small letters. Each form has them once, or once for each time they came."""
    found: dict[str, list[str]] = {}
    for field in ("headers", "multiValueHeaders"):
        given = event.get(field)
        for name, value in given.items() if isinstance(given, dict) else ():
            found[str(name).lower()] = [
                str(one) for one in (value if isinstance(value, list) else [value])
            ]
    return found
