"""Rules, dashboard and runbooks belong together, and each alert begins when it should."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import promql_parser as promql
import pytest
import yaml

from tests.service_process import ROOT

MONITORING = ROOT / "deploy" / "monitoring"
DASHBOARD = json.loads((MONITORING / "grafana" / "dashboards" / "punctual.json").read_text())
OPERATIONS = (ROOT / "docs" / "OPERATIONS.md").read_text()
TRIED = ROOT / "tests" / "monitoring_rules.yml"


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def panel_expressions() -> list[str]:
    return [
        target["expr"].replace("$__rate_interval", "1m")
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    ]


def metrics_of(expression: str) -> set[str]:
    """The series that an expression selects; it is one that Prometheus understands."""
    found: set[str] = set()

    def visit(node: object) -> None:
        if isinstance(node, promql.VectorSelector):
            found.add(node.name)

    promql.walk(promql.parse(expression), visit)
    return found


def test_each_alert_has_a_runbook_and_a_test() -> None:
    sections = re.findall(r"^### (Punctual\w+)$", OPERATIONS, re.MULTILINE)
    assert sections == list(alerts())
    for name, rule in alerts().items():
        assert rule["annotations"]["runbook"] == f"docs/OPERATIONS.md#{name.lower()}"
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    moments = [
        (moment["alertname"], bool(moment.get("exp_alerts")))
        for case in yaml.safe_load(TRIED.read_text())["tests"]
        for moment in case.get("alert_rule_test", [])
    ]
    assert set(moments) == {(name, begun) for name in alerts() for begun in (True, False)}


def test_the_dashboard_finds_its_data_source() -> None:
    provisioned = MONITORING / "grafana" / "provisioning" / "datasources" / "prometheus.yml"
    (source,) = yaml.safe_load(provisioned.read_text())["datasources"]
    panels = DASHBOARD["panels"]
    for asking in (*panels, *(target for panel in panels for target in panel["targets"])):
        assert asking["datasource"] == {"type": source["type"], "uid": source["uid"]}
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["targets"] for panel in panels)
    for expression in panel_expressions():
        assert metrics_of(expression), expression


def test_who_watches_is_reached_from_this_machine_alone() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    watching = {name for name, service in services.items() if service.get("profiles")}
    assert watching == {"prometheus", "grafana"}
    for name in watching:
        (port,) = services[name]["ports"]
        assert re.match(r"\$\{[A-Z]+_PORT:-127\.0\.0\.1:\d+\}:\d+$", port)
        assert "queue" not in services[name]["networks"]


def test_prometheus_takes_the_rules_and_each_alert_begins_when_it_should() -> None:
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("there is no promtool here: apt install prometheus")
    for command in (
        ("check", "config", str(MONITORING / "prometheus.yml")),
        ("check", "rules", str(MONITORING / "rules.yml")),
        ("test", "rules", str(TRIED)),
    ):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
