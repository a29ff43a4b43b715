"""POST /inference as callers see it; docs/HTTP.md promises what is checked here."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

import pytest
import requests

from tests.service_process import (
    SAMPLE,
    SAMPLE_ANSWER,
    Service,
    another_image,
    proof,
    request_body,
)

URN = "urn:punctual:problem:"


def check_problem(response: requests.Response, status: int, kind: str) -> dict[str, Any]:
    """The response is a problem document of that kind that says what to do."""
    assert response.status_code == status
    problem: dict[str, Any] = response.json()
    assert response.headers["Content-Type"] == "application/problem+json"
    assert problem["type"] == URN + kind
    assert problem["status"] == status
    assert problem["title"]
    assert len(problem["detail"]) > 20
    return problem


def test_the_public_sample_is_read(service: Service) -> None:
    response = service.insist(request_body())
    answer = response.json()
    assert response.status_code == 200
    assert answer["answer"] == SAMPLE_ANSWER
    assert abs(answer["server_timestamp"] - time.time()) < 5
    assert answer["server_uuid"] == proof(
        answer["server_timestamp"], "captain@example.org", "pepper"
    )


def test_the_answer_has_the_four_fields_and_no_other(service: Service) -> None:
    body = request_body()
    answer = service.post(body).json()
    assert list(answer) == ["esun_uuid", "server_uuid", "server_timestamp", "answer"]
    assert answer["esun_uuid"] == body["esun_uuid"]


def test_the_headers_tell_how_the_answer_came_about(service: Service) -> None:
    headers = service.post(request_body()).headers
    assert headers["Punctual-Source"] == "computed"
    assert headers["Punctual-Bundle"].startswith("handwriting/")
    members, of_members = headers["Punctual-Members"].removesuffix(";settled").split("/")
    assert 1 <= int(members) <= int(of_members)
    settled = headers["Punctual-Members"].endswith(";settled")
    assert settled == (members != of_members), "an idle service asks until the answer is settled"
    timing = dict(part.strip().split(";dur=") for part in headers["Server-Timing"].split(","))
    assert float(timing["compute"]) > 0
    assert float(timing["queue"]) >= 0


def test_a_finished_request_is_answered_again_without_computing(service: Service) -> None:
    body = request_body()
    first = service.post(body)
    before = service.executions()
    second = service.post(body)
    assert second.content == first.content
    assert second.headers["Punctual-Source"] == "kept"
    assert service.executions() == before


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "image/jpeg", ""])
def test_the_body_is_json_whatever_the_content_type_says(
    service: Service, content_type: str
) -> None:
    assert service.insist(request_body(), Content_Type=content_type).status_code == 200


@pytest.mark.parametrize("retry", [0, 2, -1, None])
def test_retry_changes_nothing(service: Service, retry: int | None) -> None:
    assert service.insist(request_body(retry=retry)).status_code == 200


def test_a_byte_order_mark_is_stepped_over(service: Service) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(request_body()).encode()
    assert service.insist(body).status_code == 200


def test_unknown_fields_and_a_missing_retry_are_fine(service: Service) -> None:
    body = request_body(colour="blue")
    del body["retry"]
    assert service.insist(body).status_code == 200


def test_base64_in_wrapped_lines_is_read(service: Service) -> None:
    wrapped = base64.encodebytes(base64.b64decode(SAMPLE["image"])).decode()
    assert service.post(request_body(image=wrapped)).json()["answer"] == SAMPLE_ANSWER


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"image=abc&esun_uuid=1",
        b"\xff\xfe{}",
        b'{"esun_uuid": "\xff"}',
        b"[" * 100_000,
        gzip.compress(b"{}"),
    ],
    ids=["empty", "half", "form", "not-utf-8", "broken-string", "deep", "gzip"],
)
def test_what_is_not_json_is_a_400(service: Service, body: bytes) -> None:
    check_problem(service.post(body), 400, "not-json")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"7", b"null"])
def test_json_that_is_no_object_is_a_422(service: Service, body: bytes) -> None:
    check_problem(service.post(body), 422, "field-invalid")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("esun_uuid", None),
        ("esun_uuid", ""),
        ("esun_uuid", 7),
        ("esun_uuid", "a" * 129),
        ("esun_uuid", "line\nbreak"),
        ("esun_uuid", "\x00"),
        ("esun_timestamp", None),
        ("esun_timestamp", "soon"),
        ("esun_timestamp", True),
        ("image", None),
        ("image", ""),
        ("image", 7),
        ("image", ["/9j/"]),
        ("image", "not base64!"),
        ("image", "データ"),
        ("image", "AAA"),
        ("image", f"data:image/jpeg;base64,{SAMPLE['image']}"),
        ("retry", "two"),
    ],
)
def test_a_wrong_field_is_a_422_that_names_it(service: Service, field: str, value: Any) -> None:
    problem = check_problem(service.post(request_body(**{field: value})), 422, "field-invalid")
    assert field in problem["detail"]


@pytest.mark.parametrize("field", ["esun_uuid", "esun_timestamp", "image"])
def test_a_missing_field_is_a_422_that_names_it(service: Service, field: str) -> None:
    body = request_body()
    del body[field]
    problem = check_problem(service.post(body), 422, "field-invalid")
    assert field in problem["detail"]


@pytest.mark.parametrize("uuid", ["漢字", "a b", "../../etc", "%0a", "x" * 128, "*", "{}"])
def test_any_printable_uuid_is_served(service: Service, uuid: str) -> None:
    answer = service.post(request_body(esun_uuid=uuid))
    assert answer.json()["esun_uuid"] == uuid
    assert unquote(answer.headers["Punctual-Uuid"]) == uuid


def test_an_unreadable_image_is_a_finished_result(service: Service) -> None:
    body = request_body(image=base64.b64encode(b"no picture").decode())
    first = service.post(body)
    problem = check_problem(first, 422, "image-unreadable")
    assert problem["esun_uuid"] == body["esun_uuid"]
    before = service.executions()
    second = service.post(body)
    assert second.content == first.content
    assert service.executions() == before


def test_another_image_under_a_known_uuid_is_a_conflict(service: Service) -> None:
    body = request_body()
    service.post(body)
    problem = check_problem(service.post({**body, "image": another_image()}), 422, "uuid-conflict")
    assert problem["esun_uuid"] == body["esun_uuid"]


def test_an_image_over_the_limit_is_a_413(service: Service) -> None:
    image = base64.b64encode(bytes(6_000_001)).decode()
    check_problem(service.post(request_body(image=image)), 413, "too-large")


def test_a_body_over_the_limit_is_a_413(service: Service) -> None:
    check_problem(service.post(b" " * 9_000_000), 413, "too-large")


def test_an_image_within_the_limit_reaches_the_decoder(service: Service) -> None:
    padded = base64.b64decode(SAMPLE["image"]) + bytes(5_000_000)
    body = request_body(image=base64.b64encode(padded).decode())
    assert service.post(body, Prefer="wait=10").json()["answer"] == SAMPLE_ANSWER


def test_a_small_caller_is_served_among_many_large_ones(service: Service) -> None:
    """Given 30 images of 5.9 MB at once, those that get no turn are told, the small one is read."""
    large = base64.b64encode(base64.b64decode(SAMPLE["image"]) + bytes(5_900_000)).decode()
    bodies = [request_body(image=large) for _ in range(30)]
    with ThreadPoolExecutor(30) as callers:
        calls = [callers.submit(service.post, body) for body in bodies]
        small = service.post(request_body(), Prefer="wait=3")
        assert {call.result().status_code for call in calls} <= {200, 503, 504}
    assert small.status_code == 200


def test_a_chunked_body_over_the_limit_is_a_413(service: Service) -> None:
    chunks = (b" " * 100_000 for _ in range(90))
    response = requests.post(f"{service.url}/inference", data=chunks, timeout=10)
    check_problem(response, 413, "too-large")


@pytest.mark.parametrize("megabytes", [9, 30])
def test_a_caller_that_sends_too_much_at_once_still_hears_the_413(
    service: Service, megabytes: int
) -> None:
    """A server that closes the connection with unread data in it resets the caller."""
    request = urllib.request.Request(
        f"{service.url}/inference", b" " * megabytes * 1_000_000, {"Content-Type": "x"}
    )
    with pytest.raises(urllib.error.HTTPError) as told:
        urllib.request.urlopen(request, timeout=10)
    assert told.value.code == 413
    assert json.load(told.value)["type"] == URN + "too-large"
    told.value.close()


@pytest.mark.parametrize(
    "body",
    [b"zz\r\n", b"5\r\nhello", b"5\r\nhelloXX"],
    ids=["no size", "no end", "no terminator"],
)
def test_a_body_in_broken_chunks_is_a_400(service: Service, body: bytes) -> None:
    head = b"POST /inference HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as caller:
        caller.sendall(head + body)
        caller.shutdown(socket.SHUT_WR)
        assert caller.recv(1_000).startswith(b"HTTP/1.1 400")


def test_options_tells_the_methods(service: Service) -> None:
    response = requests.options(f"{service.url}/inference", timeout=5)
    assert response.status_code == 200
    assert "POST" in response.headers["Allow"]


@pytest.mark.parametrize(
    ("sent", "applied"),
    [
        ("wait=2", "wait=2"),
        ("respond-async, wait=0.5", "wait=0.5"),
        ('WAIT="3"; foo=bar', "wait=3"),
        ("wait=1000", "wait=30"),
        ("wait=0", "wait=0.05"),
        ("wait=soon", None),
        ("wait=-1", None),
        ("return=minimal", None),
    ],
)
def test_a_preferred_wait_is_echoed(service: Service, sent: str, applied: str | None) -> None:
    body = request_body()
    service.post(body)
    response = service.post(body, Prefer=sent)
    assert response.status_code == 200
    assert response.headers.get("Preference-Applied") == applied


def test_other_paths_and_methods_are_problems_too(service: Service) -> None:
    check_problem(service.get("/nowhere"), 404, "not-found")
    response = service.get("/inference")
    check_problem(response, 405, "method-not-allowed")
    assert "POST" in response.headers["Allow"]


def test_health_and_metrics(service: Service) -> None:
    service.post(request_body())
    assert service.get("/livez").json() == {"status": "alive"}
    assert service.get("/readyz").json()["workers"] == 2
    metrics = service.get("/metrics").text
    named = f'algorithm="{service.algorithm}"'
    assert f'punctual_responses_total{{{named},source="computed",status="200",type=""}}' in metrics
    assert "punctual_redis_up 1.0" in metrics
    assert f'punctual_workers{{{named},bundle="{service.line}"}} 2.0' in metrics


def test_a_caller_that_stops_in_the_middle_of_its_body_holds_nobody_up(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port)) as half:
        half.sendall(b"POST /inference HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        assert service.post(request_body()).status_code == 200


def test_the_body_is_the_documented_json(service: Service) -> None:
    text = service.post(request_body()).content.decode()
    assert json.loads(text)["answer"] in text


def test_an_algorithm_is_called_by_its_name_or_by_none(service: Service) -> None:
    body = request_body()
    named = service.post(body, algorithm=service.algorithm)
    assert named.headers["Punctual-Bundle"] == service.line
    assert service.post(body).json() == named.json()
    check_problem(service.post(body, algorithm="nowhere"), 404, "algorithm-unknown")
