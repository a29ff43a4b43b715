"""What all peers have in common: their settings, the ensemble, and the reply of the contract."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from model.bundle import Bundle
from model.engines import Network, Pixels, Probabilities
from model.ensemble import Ensemble

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


class Settings:
    """What a peer is told by its environment.

    ``backlog`` is how many requests all workers together answer within the callers' limit: a
    server that can bound its queue is told to refuse what is beyond it. ``engine_ms`` is what one
    answer costs.
    """

    def __init__(self) -> None:
        self.port = int(os.environ["PEER_PORT"])
        self.bundle = Path(os.environ["PEER_BUNDLE"])
        self.engine = os.environ["PEER_ENGINE"]
        self.workers = int(os.environ["PEER_WORKERS"])
        self.limit_ms = int(os.environ["PEER_LIMIT_MS"])
        self.engine_ms = int(os.environ["PEER_ENGINE_MS"])
        self.state = Path(os.environ["PEER_STATE"])
        self.redis_port = int(os.environ["PEER_REDIS_PORT"])

    @property
    def backlog(self) -> int:
        """Requests, at least one for each worker."""
        return max(self.workers, self.workers * self.limit_ms // self.engine_ms)

    @property
    def queue_ms(self) -> int:
        """The longest that a request can wait and still be answered in time."""
        return max(1, self.limit_ms - self.engine_ms)


class InferenceRequest(BaseModel):
    """The contract's body, for peers that validate it."""

    esun_uuid: str
    esun_timestamp: int
    image: str
    retry: int = 0


class Reader:
    """One loaded ensemble on one thread; a worker process has one."""

    def __init__(self, settings: Settings) -> None:
        self._ensemble = load(settings.bundle, settings.engine)
        for golden in self._ensemble.bundle.manifest.golden:
            self._ensemble.check(golden)
        # A byte for each execution, whichever process did it.
        self._executions = os.open(settings.state / "executions", _APPEND, 0o600)
        loaded = os.open(settings.state / "loaded", _APPEND, 0o600)
        os.write(loaded, b".")
        os.close(loaded)

    def read(self, image: str) -> str:
        """The answer to an image in base64, by all members that matter.

        A user who has a bundle's exits would write no more than this.
        """
        for reading in self._ensemble.readings(base64.b64decode(image)):
            answer = reading.answer
            if reading.settled:
                break
        os.write(self._executions, b".")
        return answer


def reply(uuid: str, answer: str) -> dict[str, Any]:
    """The four fields of the contract."""
    timestamp = int(time.time())
    proof = f"captain@example.com{timestamp}salt"
    return {
        "esun_uuid": uuid,
        "server_uuid": hashlib.sha256(proof.encode()).hexdigest(),
        "server_timestamp": timestamp,
        "answer": answer,
    }


def load(folder: Path, engine: str) -> Ensemble:
    """An ensemble on one thread.

    Args:
        folder: of the bundle.
        engine: ``openvino``; or as TensorFlow is called out of habit: ``keras-call`` for
            ``model(x)``, ``keras-predict`` for ``model.predict(x)``.

    Raises:
        model.errors.ModelError: the bundle does not load.
        model.training.errors.DataError: no Keras network can be made of its graphs.
    """
    if engine == "openvino":
        return Ensemble.load(folder, engine, 1)
    bundle = Bundle.open(folder)
    return Ensemble(bundle, _keras(bundle, engine))


def _keras(bundle: Bundle, engine: str) -> list[Network]:
    import keras
    import tensorflow as tf

    from model.training.frozen.graph_network import GraphNetwork
    from model.training.frozen.thaw import thaw_bundle

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    def network(member: keras.Model | GraphNetwork) -> Network:
        if isinstance(member, GraphNetwork):
            model = tf.function(member)
        else:
            model = keras.Model(member.input, keras.layers.Softmax()(member.output))

        def called(pixels: Pixels) -> Probabilities:
            probabilities: Probabilities = np.asarray(model(pixels[None]))[0]
            return probabilities

        def predicted(pixels: Pixels) -> Probabilities:
            probabilities: Probabilities = model.predict(pixels[None], verbose=0)[0]
            return probabilities

        adopted = isinstance(member, GraphNetwork)
        return called if adopted or engine == "keras-call" else predicted

    return [network(member) for member in thaw_bundle(bundle)]


def fields(request: Mapping[str, Any]) -> tuple[str, str]:
    """Uuid and image of a parsed body."""
    return str(request["esun_uuid"]), str(request["image"])
