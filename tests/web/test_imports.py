"""The front is light: its process loads no model runtime, and enters nothing by importing it."""

from __future__ import annotations

import subprocess
import sys

from tests.redis_process import RedisProcess

HEAVY = {"celery", "kombu", "numpy", "PIL", "openvino", "tensorflow", "keras"}


def test_the_fronts_process_loads_no_model_runtime(redis: RedisProcess) -> None:
    """Given a front that has answered a request of each kind it can without a worker."""
    program = f"""
import os, sys
os.environ["REDIS_URL"] = "{redis.url}"
from web.app import serve
client = serve().test_client()
assert client.get("/livez").status_code == 200
assert client.get("/metrics").status_code == 200
body = {{"esun_uuid": "u", "esun_timestamp": 1, "image": "AAAA", "retry": 0}}
assert client.post("/inference", json=body).status_code == 503
# redis-py imports a part of OpenTelemetry wherever it is installed.
assert "opentelemetry.sdk.trace" not in sys.modules
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    loaded = set(run.stdout.split())
    assert "flask" in loaded
    assert not loaded & HEAVY


def test_nothing_happens_until_it_is_told_to() -> None:
    """Given no Redis anywhere, an application is made, and no thread started."""
    program = """
import sys, threading
from web.app import create_app
from web.settings import WebSettings
create_app(WebSettings(redis_url="redis://127.0.0.1:1/0"))
assert threading.active_count() == 1, threading.enumerate()
"""
    subprocess.run([sys.executable, "-c", program], timeout=30, check=True)


def test_the_contract_is_entered_without_celery() -> None:
    program = "import sys, workers.contract.ledger; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert not {"celery", "kombu", "flask"} & set(run.stdout.split())
