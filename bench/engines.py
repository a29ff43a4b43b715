"""Which engine reads a bundle's member fastest, and does it agree?

Run it by ``python -m bench.engines``.

OpenVINO, TensorFlow (one ``tf.function``, the reference) and LiteRT with XNNPACK take turns on the
same images in the same process, so that a busy machine slows all three alike.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from bench.quantiles import quantiles, table
from model.bundle import Bundle
from model.engines import Network, Pixels, Probabilities, engine

_WARM_UP = 10


def litert(graph: Path, threads: int) -> Network:
    """The same graph, converted in memory."""
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


def main() -> None:
    """Measure and print a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("bundles/handwriting"))
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    cores = sorted(os.sched_getaffinity(0))[: options.threads]
    os.sched_setaffinity(0, cores)
    bundle = Bundle.open(options.bundle)
    graph = bundle.path(bundle.manifest.members[0].graph)
    networks = {
        "OpenVINO": engine("openvino").load(graph, options.threads),
        "LiteRT (XNNPACK)": litert(graph, options.threads),
        "TensorFlow (tf.function)": engine("tensorflow").load(graph, options.threads),
    }
    size = bundle.manifest.input
    random = np.random.default_rng(0)
    times_ms: dict[str, list[float]] = {name: [] for name in networks}
    furthest = 0.0
    for number in range(-_WARM_UP, options.rounds):
        pixels = random.uniform(0, 255, (size.height, size.width, 3)).astype(np.float32)
        answers = {}
        for name, network in networks.items():
            began = time.perf_counter()
            answers[name] = network(pixels)
            if number >= 0:
                times_ms[name].append((time.perf_counter() - began) * 1000)
        reference = answers["TensorFlow (tf.function)"]
        furthest = max(furthest, *(float(abs(a - reference).max()) for a in answers.values()))

    print(f"{bundle.id}, one member, {size.height} px, {options.threads} thread(s)\n")
    print(table(times_ms))
    fastest = quantiles(times_ms["OpenVINO"])["p50"]
    for name, times in times_ms.items():
        print(f"{name}: {quantiles(times)['p50'] / fastest:.2f} times OpenVINO's p50")
    print(f"Largest difference of a probability from TensorFlow's: {furthest:.1e}")


if __name__ == "__main__":
    main()
