"""Which engine reads a bundle's member fastest, and does it agree?

OpenVINO, the same with 16-bit numbers where the CPU is made for them, TensorFlow (one
``tf.function``, the reference) and LiteRT with XNNPACK take turns on the same images in the same
process, so that a busy machine slows them alike.
"""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from bench.load import Measured
from bench.plots import draw_latencies
from bench.quantiles import quantile, quantiles
from model.bundle import Bundle

if TYPE_CHECKING:
    from model.engines import Network, Pixels, Probabilities

HELP = "OpenVINO, LiteRT and TensorFlow on one member; needs no server"
KEYS = ("engine",)
COMPARED: tuple[str, ...] = ()

_WARM_UP = 10
_OURS, _REFERENCE = "OpenVINO", "TensorFlow (tf.function)"


def add_arguments(parser: ArgumentParser) -> None:
    """How often, and on how many threads."""
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)


def measure(options: Namespace) -> dict[str, Measured]:
    """Times and differences, under the bundle's name."""
    from model.engines import REDUCED, engine
    from model.engines.speed import loaded

    cores = sorted(os.sched_getaffinity(0))[: options.threads]
    os.sched_setaffinity(0, cores)
    bundle = Bundle.open(options.bundle)
    graph = bundle.path(bundle.manifest.members[0].graph)
    networks = {
        _OURS: engine("openvino").load(graph, options.threads),
        **loaded(REDUCED, graph, options.threads, None),
        "LiteRT (XNNPACK)": litert(graph, options.threads),
        _REFERENCE: engine("tensorflow").load(graph, options.threads),
    }
    size = bundle.manifest.input
    random = np.random.default_rng(options.seed)
    times_ms: dict[str, list[float]] = {name: [] for name in networks}
    furthest = dict.fromkeys(networks, 0.0)
    for number in range(-_WARM_UP, options.rounds):
        pixels = random.uniform(0, 255, (size.height, size.width, 3)).astype(np.float32)
        answers = {}
        for name, network in networks.items():
            began_s = time.perf_counter()
            answers[name] = network(pixels)
            if number >= 0:
                times_ms[name].append((time.perf_counter() - began_s) * 1000)
        for name, answer in answers.items():
            difference = float(abs(answer - answers[_REFERENCE]).max())
            furthest[name] = max(furthest[name], difference)
    fastest_ms = quantile(times_ms[_OURS], 0.5) or 0.0
    rows = [
        {
            "engine": name,
            "input px": size.height,
            "threads": options.threads,
            **quantiles(times),
            "/ OpenVINO": (quantile(times, 0.5) or 0.0) / fastest_ms,
            "largest difference": furthest[name],
        }
        for name, times in times_ms.items()
    ]
    return {bundle.id: Measured(rows, {"ms": times_ms})}


def draw(figure: Figure, measured: dict[str, Measured]) -> None:
    """A curve for each engine."""
    (found,) = measured.values()
    draw_latencies(figure.subplots(), found.series["ms"])


def litert(graph: Path, threads: int) -> Network:
    """The same graph, converted in memory."""
    import tensorflow as tf

    converter = tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(
        str(graph), ["image"], ["probabilities"]
    )
    interpreter = tf.lite.Interpreter(model_content=converter.convert(), num_threads=threads)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    target = interpreter.get_output_details()[0]["index"]

    def network(pixels: Pixels) -> Probabilities:
        interpreter.set_tensor(source, pixels[None])
        interpreter.invoke()
        probabilities: Probabilities = interpreter.get_tensor(target)[0]
        return probabilities

    return network
