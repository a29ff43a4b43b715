"""OpenVINO: the engine that measured fastest on CPUs (see docs/BENCHMARKS.md)."""

from __future__ import annotations

from pathlib import Path

import openvino

from model.engines import Network, Pixels, Probabilities


def load(graph: Path, threads: int) -> Network:
    """Compile one frozen graph for one image at a time on ``threads`` cores."""
    core = openvino.Core()
    compiled = core.compile_model(
        core.read_model(graph),
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            # The worker process is pinned already; a second opinion would fight it.
            "ENABLE_CPU_PINNING": False,
            # Reduced precision is a property of a bundle that was checked with it.
            "INFERENCE_PRECISION_HINT": "f32",
        },
    )
    request = compiled.create_infer_request()

    def network(pixels: Pixels) -> Probabilities:
        request.infer([pixels[None]], share_inputs=True)
        probabilities: Probabilities = request.get_output_tensor(0).data[0].copy()
        return probabilities

    return network
