"""OpenVINO: the engine that measured fastest on CPUs (see docs/BENCHMARKS.md)."""

from __future__ import annotations

from pathlib import Path

import openvino
from openvino.frontend import FrontEndManager

from model.engines import Network, Pixels, Probabilities
from model.errors import BundleInvalid


def load(graph: Path, threads: int) -> Network:
    """Compile one frozen graph for one image at a time on ``threads`` cores.

    Raises:
        BundleInvalid: not a graph, or one with an operation that does more than compute.
    """
    compiled = openvino.Core().compile_model(
        _read(graph),
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
    answer = compiled.output("probabilities:0")

    def network(pixels: Pixels) -> Probabilities:
        request.infer([pixels[None]], share_inputs=True)
        probabilities: Probabilities = request.get_tensor(answer).data[0].copy()
        return probabilities

    return network


def _read(graph: Path) -> openvino.Model:
    # Core.read_model would also guess at formats that may refer to other files, such as ONNX.
    frontend = FrontEndManager().load_by_framework("tf")
    try:
        model = frontend.convert(frontend.load(str(graph)))
        # With the batch size known, a sixth of the time at small inputs is saved.
        model.reshape([1, *model.input().partial_shape[1:]])
        return model
    except Exception as error:  # OpenVINO's own errors are not public
        raise BundleInvalid(
            f"{graph} is not a TensorFlow graph, or has operations that OpenVINO refuses"
        ) from error
