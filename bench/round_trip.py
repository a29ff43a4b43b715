"""What does the house add to the engine?

Run it by ``python -m bench.round_trip`` beside ``make run``.

Sends distinct uuids at a steady rate, each later once more, and times every call from the moment
it was due. The engine's own time comes with each answer, in Server-Timing; the bare ensemble,
called in this process between the requests, is the alternative it is compared with.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import re
import time
import uuid
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from bench.quantiles import quantiles, table
from model.ensemble import Ensemble

_COMPUTE = re.compile(r"compute;dur=([\d.]+)")


def main() -> None:
    """Measure and print a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--bundle", type=Path, default=Path("bundles/handwriting"))
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--rate", type=float, default=5, help="requests per second")
    options = parser.parse_args()

    sample = json.loads(Path("docs/sample-request.json").read_text())
    image = base64.b64decode(sample["image"])
    bare = Ensemble.load(options.bundle, "openvino", 1)
    connection = http.client.HTTPConnection(urlsplit(options.url).netloc)

    def call(name: str, due: float) -> tuple[float, float]:
        """Milliseconds from when the call was due to the whole reply, and the engine's own."""
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.request("POST", "/inference", json.dumps({**sample, "esun_uuid": name}))
        response = connection.getresponse()
        response.read()
        took_ms = (time.perf_counter() - due) * 1000
        found = _COMPUTE.search(response.headers["Server-Timing"] or "")
        if response.status != HTTPStatus.OK or not found:
            raise SystemExit(f"status {response.status}: is the service running and ready?")
        return took_ms, float(found[1])

    columns: dict[str, list[float]] = {
        name: [] for name in ("whole", "engine", "whole minus engine", "finished uuid", "bare")
    }
    period = 1 / options.rate
    begin = time.perf_counter() + period
    for number in range(-10, options.requests):
        name = uuid.uuid4().hex
        due = begin + (number + 10) * period
        whole, compute = call(name, due)
        kept, _ = call(name, due + period / 3)
        time.sleep(max(0.0, due + period * 2 / 3 - time.perf_counter()))
        began = time.perf_counter()
        bare.read(image)
        alone = (time.perf_counter() - began) * 1000
        if number >= 0:
            for column, value in zip(
                columns.values(), (whole, compute, whole - compute, kept, alone), strict=True
            ):
                column.append(value)

    print(
        f"{options.requests} requests at {options.rate:g}/s, {bare.bundle.id}, size {bare.size}\n"
    )
    print(table(columns))
    ratio = quantiles(columns["whole"])["p50"] / quantiles(columns["bare"])["p50"]
    print(f"\nA whole round trip takes {ratio:.2f} times the bare ensemble (p50).")


if __name__ == "__main__":
    main()
