"""The document tells of every route and of every problem, and what it tells is so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from configparser import ConfigParser
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from tests.service_process import ROOT
from web import account_problems, evidence_problems, job_problems, problems
from web.app import create_app
from web.openapi.document import VERSION, methods_of, path_of
from web.openapi.operation import Operation, describe
from web.problem import Problem
from web.problems import OfHttp
from web.settings import WebSettings

SNAPSHOT = ROOT / "docs" / "openapi.json"
# Files as they are, for pages.
NO_OPERATIONS = {"pages.static"}


@pytest.fixture(scope="module")
def app() -> Flask:
    return create_app(WebSettings.model_construct(jobs="jobs"))


@pytest.fixture(scope="module")
def openapi(app: Flask) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(app.extensions["openapi"])
    return document


def test_every_route_is_described_and_nothing_else(app: Flask, openapi: dict[str, Any]) -> None:
    """Where this fails: give the view ``@describe(Operation(...))``, from web.openapi.operation."""
    routes = {
        (path_of(rule), method.lower())
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in NO_OPERATIONS
        for method in methods_of(rule)
    }
    described = {(path, method) for path, item in openapi["paths"].items() for method in item}
    assert routes == described


def test_every_problem_is_in_it_under_its_status(openapi: dict[str, Any]) -> None:
    expected = {
        (str(problem.status.value), f"urn:punctual:problem:{problem.type}")
        for module in (problems, account_problems, evidence_problems, job_problems)
        for problem in vars(module).values()
        if isinstance(problem, type) and issubclass(problem, Problem) and problem is not OfHttp
    }
    found = {
        (status, kind)
        for status, content in contents(openapi)
        if "properties" in content["schema"]
        for kind in content["schema"]["properties"]["type"]["enum"]
    }
    assert found == expected | {("404", "urn:punctual:problem:not-found")}


def test_it_is_openapi(openapi: dict[str, Any]) -> None:
    validate(openapi)
    assert openapi["openapi"].startswith("3.1.")


def test_every_exchange_has_examples_that_are_as_it_says(openapi: dict[str, Any]) -> None:
    for _, content in contents(openapi):
        assert content["examples"]
        for example in content["examples"].values():
            schema = {**content["schema"], "components": openapi["components"]}
            Draft202012Validator(schema).validate(example["value"])
            assert len(json.dumps(example)) < 1_000, "a page shows all of them"


def test_the_snapshot_is_what_is_served(openapi: dict[str, Any]) -> None:
    """Where this fails: ``.venv/bin/python -m web.openapi > docs/openapi.json``, and look at it."""
    assert json.loads(SNAPSHOT.read_text()) == openapi


def test_it_tells_what_this_front_is_set_to() -> None:
    settings = WebSettings.model_construct(max_image_bytes=1_234_000, answer_within_ms=700)
    told = create_app(settings).extensions["openapi"].decode()
    assert "1,234,000 bytes" in told
    assert "without it, 0.7" in told


def test_a_view_stays_what_it_was() -> None:
    def view() -> None: ...

    assert describe(Operation("Nothing", "a tag", ()))(view) is view


def test_the_version_is_that_of_the_package() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["metadata"]["version"] == VERSION


def contents(openapi: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each request and each reply carries, with the status; a request has none."""
    for item in openapi["paths"].values():
        for operation in item.values():
            sent = {"": operation.get("requestBody", {"content": {}})}
            for status, message in (sent | operation["responses"]).items():
                for content in message.get("content", {}).values():
                    yield status, content
