"""OpenVINO: the engine that measured fastest on CPUs (see docs/BENCHMARKS.md)."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import openvino
from openvino.frontend import FrontEndManager

from model.engines import MEMBER, Network, Pixels, Port, Probabilities
from model.engines.cache import Cache
from model.errors import BundleInvalid

# What is compiled for one machine need not run on another.
_MACHINE = ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")


def load(
    graph: Path,
    threads: int,
    cache: Cache | None = None,
    port: Port = MEMBER,
    *,
    precision: str = "f32",
) -> Network:
    """Compile one frozen graph for as many images at a time as the port says, on ``threads`` cores.

    What is in the ``cache`` need not be compiled. ``precision``: OpenVINO's name of what it
    calculates with.

    Raises:
        BundleInvalid: not a graph, or one with an operation that does more than compute.
    """
    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        # The worker process is pinned already; a second opinion would fight it.
        "ENABLE_CPU_PINNING": False,
        # Unasked, OpenVINO takes what is fastest, and answers as that may be.
        "INFERENCE_PRECISION_HINT": precision,
    }
    if cache is None:
        compiled = _compile(graph, port, options)
    else:
        compiled = _cached(graph, port, options, cache)
    request = compiled.create_infer_request()
    answer = compiled.output(f"{port.output}:0")

    def several(pixels: Pixels) -> Probabilities:
        request.infer([pixels], share_inputs=True)
        probabilities: Probabilities = request.get_tensor(answer).data.copy()
        return probabilities

    return several if port.images > 1 else lambda pixels: several(pixels[None])[0]


def machine() -> tuple[str, str]:
    """OpenVINO's version, and what it knows of this CPU: what it compiles is for these alone."""
    core = openvino.Core()
    return openvino.get_version(), repr([core.get_property("CPU", name) for name in _MACHINE])


def _compile(graph: Path, port: Port, options: dict[str, Any]) -> openvino.CompiledModel:
    return openvino.Core().compile_model(_read(graph, port), "CPU", options)


def _cached(
    graph: Path, port: Port, options: dict[str, Any], cache: Cache
) -> openvino.CompiledModel:
    core = openvino.Core()
    with graph.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    key = (*machine(), repr(options), repr(port), digest)
    if compiled := cache.get(*key):
        # What it does not take after all is compiled anew.
        with suppress(RuntimeError):
            return core.import_model(compiled, "CPU", options)
    model = _compile(graph, port, options)
    cache.put(model.export_model().getvalue(), *key)
    return model


def _read(graph: Path, port: Port) -> openvino.Model:
    # Core.read_model would also guess at formats that may refer to other files, such as ONNX.
    frontend = FrontEndManager().load_by_framework("tf")
    try:
        model = frontend.convert(frontend.load(str(graph)))
        # With the batch size known, a sixth of the time at small inputs is saved.
        height, width = port.size or model.input().partial_shape[1:3]
        model.reshape([port.images, height, width, model.input().partial_shape[3]])
        return model
    except Exception as error:  # OpenVINO's own errors are not public
        raise BundleInvalid(
            f"{graph} is not a TensorFlow graph, or has operations that OpenVINO refuses"
        ) from error
