"""Events as AWS documents them, and as nobody should send them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from deploy.serverless.events import call, response
from deploy.serverless.function import Call, Reply
from web.problems import LineFull, NotJson

REQUEST = {"esun_uuid": "德", "esun_timestamp": 1, "image": "AAAA", "retry": 2}
TEXT = json.dumps(REQUEST, ensure_ascii=False)
BODY = TEXT.encode()
BASE64 = base64.b64encode(BODY).decode()

GATEWAY_1 = {
    "resource": "/inference",
    "path": "/inference",
    "httpMethod": "POST",
    "headers": {"Content-Type": "application/json", "X-Forwarded-Proto": "https"},
    "multiValueHeaders": {"Content-Type": ["application/json"], "X-Forwarded-Proto": ["https"]},
    "queryStringParameters": None,
    "multiValueQueryStringParameters": None,
    "pathParameters": None,
    "stageVariables": None,
    "requestContext": {"stage": "prod", "httpMethod": "POST", "identity": {"sourceIp": "1.2.3.4"}},
    "body": TEXT,
    "isBase64Encoded": False,
}
GATEWAY_2 = {
    "version": "2.0",
    "routeKey": "POST /inference",
    "rawPath": "/prod/inference",
    "rawQueryString": "",
    "headers": {"content-type": "application/json", "x-forwarded-proto": "https"},
    "requestContext": {
        "apiId": "api-id",
        "http": {"method": "POST", "path": "/prod/inference", "protocol": "HTTP/1.1"},
        "stage": "prod",
        "timeEpoch": 1583348638390,
    },
    "body": TEXT,
    "isBase64Encoded": False,
}
FUNCTION_URL = GATEWAY_2 | {
    "routeKey": "$default",
    "rawPath": "/",
    "requestContext": {
        "domainName": "id.lambda-url.eu-central-1.on.aws",
        "http": {"method": "POST", "path": "/"},
        "stage": "$default",
    },
    # A body of a type that is no text comes so; curl -d says it is a form.
    "body": BASE64,
    "isBase64Encoded": True,
}
BALANCER = {
    "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:..."}},
    "httpMethod": "POST",
    "path": "/inference",
    "queryStringParameters": {},
    "multiValueHeaders": {"prefer": ["return=minimal", "wait=2"]},
    "body": TEXT,
    "isBase64Encoded": False,
}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (GATEWAY_1, Call(BODY)),
        (GATEWAY_1 | {"version": "1.0"}, Call(BODY)),
        (GATEWAY_1 | {"body": BASE64, "isBase64Encoded": True}, Call(BODY)),
        (GATEWAY_1 | {"headers": None, "multiValueHeaders": None}, Call(BODY)),
        (GATEWAY_1 | {"path": "/inference/handwriting"}, Call(BODY, algorithm="handwriting")),
        (GATEWAY_1 | {"body": None, "httpMethod": "GET"}, Call(b"", "GET")),
        (
            GATEWAY_1 | {"headers": {"Prefer": "wait=2"}, "multiValueHeaders": None},
            Call(BODY, prefer=["wait=2"]),
        ),
        (GATEWAY_2, Call(BODY)),
        (GATEWAY_2 | {"body": BASE64, "isBase64Encoded": True}, Call(BODY)),
        (GATEWAY_2 | {"rawPath": "/prod/inference/a%C3%A9"}, Call(BODY, algorithm="aé")),
        (GATEWAY_2 | {"headers": {"content-encoding": "gzip"}}, Call(BODY, encoding="gzip")),
        (GATEWAY_2 | {"headers": {"prefer": "a,wait=2"}}, Call(BODY, prefer=["a,wait=2"])),
        (
            {
                "version": "2.0",
                "rawPath": "/",
                "requestContext": {"http": {"method": "GET", "path": "/"}},
                "isBase64Encoded": False,
            },
            Call(b"", "GET"),
        ),
        (FUNCTION_URL, Call(BODY)),
        (BALANCER, Call(BODY, prefer=["return=minimal", "wait=2"])),
        # Somebody invokes the function, without a gateway.
        ({"body": TEXT}, Call(BODY)),
        ({"body": BASE64, "isBase64Encoded": True}, Call(BODY)),
        # What is no request is for its reader to tell.
        ({"body": REQUEST}, Call(json.dumps(REQUEST).encode())),
        ({"body": 7, "isBase64Encoded": True}, Call(b"7")),
        ({"body": "\ud800"}, Call("\ud800".encode(errors="surrogatepass"))),
        (REQUEST, Call(json.dumps(REQUEST).encode())),
        ({"Records": []}, Call(b'{"Records": []}')),
        ({}, Call(b"{}")),
        ([], Call(b"[]")),
        ("text", Call(b'"text"')),
        (None, Call(b"null")),
        (
            {"requestContext": "?", "headers": "?", "multiValueHeaders": [1], "path": 7},
            Call(b""),
        ),
        (
            {"requestContext": {"http": None}, "headers": {"Prefer": None}},
            Call(b"", prefer=["None"]),
        ),
    ],
)
def test_every_form_of_event_is_a_call(event: Any, expected: Call) -> None:
    given = call(json.loads(json.dumps(event)))
    assert given._replace(prefer=list(given.prefer)) == expected._replace(
        prefer=list(expected.prefer)
    )


@pytest.mark.parametrize("text", ["!", "AAA", "德"])
def test_base64_that_is_none_is_told(text: str) -> None:
    with pytest.raises(NotJson):
        call({"body": text, "isBase64Encoded": True})


def test_a_reply_is_text_whatever_the_gateway() -> None:
    assert response(Reply(200, {"Content-Type": "application/json"}, "德".encode())) == {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": "德",
        "isBase64Encoded": False,
    }
    refused = response(Reply.of(LineFull(2), "a uuid"))
    assert refused["statusCode"] == 503
    assert refused["headers"] == {
        "Content-Type": "application/problem+json",
        "Retry-After": "2",
        "Punctual-Uuid": "a%20uuid",
    }
    assert all(isinstance(value, str) for value in refused["headers"].values())
