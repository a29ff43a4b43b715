"""The service with each kind of Redis URL, and with those it refuses."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.forwarder import Forwarder
from tests.redis_process import RedisProcess
from tests.service_process import Service, another_image, request_body


def serves(folder: Path, url: str, **environment: str) -> None:
    """Start a service whose Redis is already there, ask it, and stop it."""
    with Service(folder, light=True, REDIS_URL=url, **environment) as service:
        service.start_front()
        service.start_workers(1)
        service.wait_until_ready()
        assert service.insist(request_body(image=another_image())).status_code == 200


@pytest.mark.parametrize("url", ["unix://{}?db=1", "redis+socket://{}?virtual_host=1"])
def test_a_socket_in_either_spelling(tmp_path: Path, url: str) -> None:
    path = tmp_path / "redis.sock"
    redis = RedisProcess(tmp_path / "socket", "--unixsocket", str(path))
    redis.start()
    try:
        serves(tmp_path, url.format(path))
        assert redis.client.info("keyspace").keys() == {"db1"}
    finally:
        redis.stop()


def test_a_password_of_special_characters(tmp_path: Path) -> None:
    redis = RedisProcess(tmp_path / "guarded")
    redis.start()
    try:
        redis.client.config_set("requirepass", "a/b?c#d@e:f%g [h];i")
        serves(tmp_path, redis.url, REDIS_PASSWORD="a/b?c#d@e:f%g [h];i")
    finally:
        redis.stop()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1, its own authority, with its key in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "1"),
            *("-subj", "/CN=redis", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    certificate.write_text(certificate.read_text() + key.read_text())
    return certificate


def test_tls_is_verified_by_front_and_worker_alike(tmp_path: Path, certificate: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    redis = RedisProcess(tmp_path / "behind")
    redis.start()
    door = Forwarder(redis.port, context)
    url = f"rediss://127.0.0.1:{door.port}/0"
    try:
        for number, options in enumerate((f"ssl_ca_certs={certificate}", "ssl_cert_reqs=none")):
            folder = tmp_path / str(number)
            folder.mkdir()
            serves(folder, f"{url}?{options}")
        redis.client.flushall()
        with Service(tmp_path, light=True, REDIS_URL=url) as stranger:
            stranger.start_front()
            stranger.start_workers(1)
            stranger.wait_until(lambda: "consumer: Cannot connect to" in stranger.log())
            assert stranger.get("/readyz").json()["type"] == "urn:punctual:problem:queue-away"
            assert "insecure" not in stranger.log()
            assert not redis.client.keys(), "somebody talked to a Redis that it could not trust"
            lines = stranger.log().splitlines()
            for part in ("web.outage", "consumer: Cannot connect to"):
                (first, *_) = [line for line in lines if part in line]
                assert "certificate verify failed" in first
    finally:
        door.close()
        redis.stop()


def test_a_missing_password_is_told_by_its_name(tmp_path: Path) -> None:
    with Service(tmp_path) as service:
        service.redis.start()
        service.redis.client.config_set("requirepass", "secret")
        service.start_front()
        problem = service.wait_for("/readyz", 503).json()
        assert problem["type"] == "urn:punctual:problem:queue-refuses"
        assert "wants a password" in problem["detail"]
        logged = [line for line in service.log().splitlines() if "web.outage" in line]
        assert "ERROR web.outage problem=queue-refuses cause=NOAUTH times=1: " in logged[0]


def test_front_and_worker_end_with_one_line_about_a_url_they_refuse(tmp_path: Path) -> None:
    with Service(tmp_path, REDIS_URL="redis://:geheim@127.0.0.1/0?socket_keepalive=1") as service:
        assert service.spawn_front().wait(timeout=60) == 3
        assert service.start_workers(1).wait(timeout=60) == 3
        line = "Cannot start: REDIS_URL: has the option socket_keepalive; redis:// takes"
        assert service.log().count(line) == 2
        assert "Traceback" not in service.log()
        assert "geheim" not in service.log()
