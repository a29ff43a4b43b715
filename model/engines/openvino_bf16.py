"""OpenVINO with 16-bit numbers (bfloat16), on CPUs that multiply those: see docs/BENCHMARKS.md."""

from __future__ import annotations

from pathlib import Path

import openvino

from model.engines import MEMBER, Network, Port
from model.engines.cache import Cache
from model.engines.openvino import load as _load
from model.errors import EngineUnavailable


def load(graph: Path, threads: int, cache: Cache | None = None, port: Port = MEMBER) -> Network:
    """Compile one frozen graph as ``model.engines.openvino`` does, with 16-bit numbers.

    Raises:
        BundleInvalid: as there.
        EngineUnavailable: the CPU would have to imitate them, which takes longer than 32 bits.
    """
    if "BF16" not in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise EngineUnavailable("this CPU does not calculate with 16-bit numbers (bfloat16)")
    return _load(graph, threads, cache, port, precision="bf16")
