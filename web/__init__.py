"""The front: an HTTP door to the queue.

It knows the workers by ``workers.contract`` alone, and loads no model runtime.
"""

from __future__ import annotations

import logging

from flask import Flask
from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from web.body import max_body_bytes
from web.dispatcher import Dispatcher
from web.health import health_blueprint
from web.inference import inference_blueprint
from web.listener import Listener
from web.metrics import Metrics
from web.problems import register_problems
from web.pulse import Pulse
from web.settings import WebSettings
from workers.contract.clock import Clock, wall_clock_ms
from workers.contract.ledger import Ledger
from workers.contract.readiness import Readiness

# Requests take turns on so many connections; each needs one for well under a millisecond.
_CONNECTIONS = 16
_TURN_WITHIN_S = 5


def create_app(clock: Clock = wall_clock_ms) -> Flask:
    """The WSGI application of one front process, its two background threads started."""
    settings = WebSettings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")

    timeout_ms = settings.redis_timeout_ms
    # The pulse is four times as impatient, so that requests seldom find out by themselves.
    impatient = connect(settings, timeout_ms // 4)
    pulse = Pulse(impatient, Readiness(impatient, settings, clock))
    redis = connect(settings, timeout_ms)
    ledger = Ledger(redis, settings, clock)
    listener = Listener(redis)
    dispatcher = Dispatcher(redis, ledger, listener, pulse, settings, clock)
    metrics = Metrics(pulse)

    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes(settings.max_image_bytes)
    register_problems(app)
    app.register_blueprint(inference_blueprint(settings, dispatcher, metrics, clock))
    app.register_blueprint(health_blueprint(pulse))
    app.register_blueprint(metrics.blueprint())

    pulse.start()
    listener.start()
    return app


def connect(settings: WebSettings, timeout_ms: int) -> Redis:
    """A client that gives up soon: a request has no time to wait for Redis."""
    timeout_s = timeout_ms / 1000
    pool = BlockingConnectionPool.from_url(
        settings.broker_url,
        max_connections=_CONNECTIONS,
        timeout=_TURN_WITHIN_S,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        # Once more, for a pooled connection that a restart of Redis has closed meanwhile.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )
    return Redis(connection_pool=pool)
