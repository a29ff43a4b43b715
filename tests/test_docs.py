"""The documents say what the code does."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml
from pydantic import SecretStr

from tests.service_process import ROOT, SAMPLE_ANSWER, Service
from web import account_problems, evidence_problems, job_problems, problems
from web.problem import Problem
from web.settings import WebSettings
from workers.contract.settings import QueueSettings
from workers.settings import WorkerSettings

README = (ROOT / "README.md").read_text()
HTTP = (ROOT / "docs" / "HTTP.md").read_text()


def documented(heading: str) -> list[list[str]]:
    """The cells of the first table under a heading of the README."""
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in row[1:-1].split("|")] for row in rows[2:]]


def test_the_table_of_settings_is_the_settings() -> None:
    expected = []
    for of, settings, inherited in (
        ("both", QueueSettings, {}),
        ("front", WebSettings, QueueSettings.model_fields),
        ("worker", WorkerSettings, QueueSettings.model_fields),
    ):
        for name, field in settings.model_fields.items():
            if name not in inherited:
                default = field.default
                shown = default.get_secret_value() if isinstance(default, SecretStr) else default
                expected.append(
                    [name.upper(), str(shown).removeprefix(f"{ROOT}/"), of, field.description]
                )
    assert documented("Settings") == expected


def test_every_setting_reaches_the_containers() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    named = set(re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    for service, settings in (("web", WebSettings), ("worker", WorkerSettings)):
        fields = {name.upper() for name in settings.model_fields}
        passed = {name for name in compose[service]["environment"] if name in fields}
        # The bundle is mounted where the image has its own.
        assert fields - passed == ({"BUNDLE"} if service == "worker" else set())
        assert fields - named == {"REDIS_URL"}
        unset = {name for name, value in compose[service]["environment"].items() if value is None}
        assert unset <= fields, "passed on to a setting that is no more"


def test_every_line_of_the_example_environment_is_read() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    for name in re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE):
        assert re.search(rf"\$\{{{name}\b|^ +{name}:$", compose, re.MULTILINE), name


def test_the_table_of_status_codes_is_the_problems() -> None:
    kinds = {
        (str(problem.status.value), problem.type)
        for module in (problems, account_problems, evidence_problems, job_problems)
        for problem in vars(module).values()
        if isinstance(problem, type) and issubclass(problem, Problem)
    }
    rows = {(status, kind) for status, kind, *_ in documented("Status codes") if status != "200"}
    assert rows == kinds - {("500", "internal")}


def test_every_problem_has_its_section() -> None:
    kinds = {
        f"{problem.status.value} `{problem.type}`"
        for module in (problems, account_problems, evidence_problems, job_problems)
        for problem in vars(module).values()
        if isinstance(problem, type) and issubclass(problem, Problem)
    }
    assert set(re.findall(r"^### (.+)$", HTTP, re.MULTILINE)) == kinds


def test_the_curl_of_the_readme_works(service: Service) -> None:
    (command,) = re.findall(r"```sh\n(curl .+)\n```", README)
    reply = subprocess.run(
        command.replace("http://127.0.0.1:8000", service.url).split(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    head, _, body = reply.replace("\r", "").partition("\n\n")
    assert "200 OK" in head
    assert f'"answer": "{SAMPLE_ANSWER}"' in body
    shown = README.split(command)[1].split("```\n")[2]
    for line in shown.splitlines():
        if ":" in line and not line.startswith("{"):
            assert line.split(":")[0] in head


@pytest.mark.parametrize(
    "document", ["README.md", "docs/DESIGN.md", "docs/HTTP.md", "docs/OPERATIONS.md"]
)
def test_links_lead_somewhere(document: str) -> None:
    folder = (ROOT / document).parent
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text()):
        assert (folder / target).exists(), target
