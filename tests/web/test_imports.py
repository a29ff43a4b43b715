"""The front is light: its process loads no model runtime."""

from __future__ import annotations

import subprocess
import sys

from tests.redis_process import RedisProcess

HEAVY = {"numpy", "PIL", "openvino", "tensorflow", "keras"}


def test_the_fronts_process_loads_no_model_runtime(redis: RedisProcess) -> None:
    """Given a front that has answered a request of each kind it can without a worker."""
    program = f"""
import os, sys
os.environ["REDIS_URL"] = "{redis.url}"
from web import create_app
client = create_app().test_client()
assert client.get("/livez").status_code == 200
assert client.get("/metrics").status_code == 200
body = {{"esun_uuid": "u", "esun_timestamp": 1, "image": "AAAA", "retry": 0}}
assert client.post("/inference", json=body).status_code == 503
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    loaded = set(run.stdout.split())
    assert "celery" in loaded
    assert not loaded & HEAVY
