"""The manifests say what the code and Compose do. deploy/kubernetes/check.sh has their schemas."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import yaml

from tests.service_process import ROOT
from web.app import create_app
from web.settings import WebSettings

KUBERNETES = ROOT / "deploy" / "kubernetes"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def documents(path: str) -> dict[tuple[str, str], dict[str, Any]]:
    """By kind and name."""
    loaded = yaml.safe_load_all((KUBERNETES / path).read_text())
    return {(document["kind"], document["metadata"]["name"]): document for document in loaded}


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = documents(f"base/{name}.yaml")["Deployment", name]["spec"]["template"]
    return spec["spec"]


def scaled_by() -> str:
    """The series that KEDA reads."""
    return str(trigger()["valueLocation"])


def trigger() -> dict[str, str]:
    scaled = documents("components/keda/handwriting.yaml")["ScaledObject", "handwriting"]["spec"]
    metadata: dict[str, str] = scaled["triggers"][0]["metadata"]
    return metadata


def test_the_way_in_leads_to_all_but_the_metrics() -> None:
    (rule,) = documents("base/ingress.yaml")["Ingress", "front"]["spec"]["rules"]
    public = {path["path"] for path in rule["http"]["paths"]}
    app = create_app(WebSettings())
    served = {f"/{route.rule.split('/')[1]}" for route in app.url_map.iter_rules()}
    assert public == served - {"/metrics"}


@pytest.mark.parametrize(
    ("name", "service", "concurrency"),
    [("front", "web", ""), ("handwriting", "worker", "1"), ("flower", "flower", "")],
)
def test_containers_run_what_those_of_compose_do(name: str, service: str, concurrency: str) -> None:
    (container,) = pod(name)["containers"]
    command = re.sub(r"\$\{WORKER_CONCURRENCY:-\d+\}", concurrency, COMPOSE[service]["command"])
    # There, a keeper runs a worker for each version; here each version is a Deployment.
    assert container["args"] == shlex.split(command.removeprefix("python -m workers.keeper "))
    assert container["image"] == f"punctual-{service}"
    # No name of the images' user: the kubelet would not know whether that is root.
    user = f"--uid {pod(name)['securityContext']['runAsUser']}"
    assert user in (ROOT / "deploy" / "Dockerfile").read_text()


def test_a_worker_has_a_core_for_each_of_its_processes() -> None:
    (container,) = pod("handwriting")["containers"]
    assert container["resources"]["limits"]["cpu"] == "1"
    assert container["resources"]["requests"]["cpu"] == "1"
    assert "--concurrency=1" in container["args"]


def test_a_front_has_the_time_to_finish() -> None:
    settings = (ROOT / "deploy" / "gunicorn.conf.py").read_text()
    (graceful_s,) = map(int, re.findall(r"^graceful_timeout = (\d+)$", settings, re.MULTILINE))
    (front,) = pod("front")["containers"]
    before_s = front["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod("front")["terminationGracePeriodSeconds"] > before_s + graceful_s


def test_who_scales_asks_a_front() -> None:
    service = documents("base/front.yaml")["Service", "front"]["spec"]
    # Where it gets in also while callers' connections are refused.
    (inside,) = (port for port in service["ports"] if port["name"] == "inside")
    for place in ("local", "production"):
        overlay = yaml.safe_load((KUBERNETES / f"overlays/{place}/kustomization.yaml").read_text())
        host = f"front.{overlay['namespace']}.svc.cluster.local:{inside['port']}"
        assert trigger()["url"] == f"http://{host}/metrics"


def test_redis_starts_as_everywhere_else() -> None:
    ours = KUBERNETES / "components" / "redis" / "redis.sh"
    assert ours.read_bytes() == (ROOT / "deploy" / "redis.sh").read_bytes()
