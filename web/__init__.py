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


def create_app(settings: WebSettings | None = None, clock: Clock = wall_clock_ms) -> Flask:
    """The WSGI application of one front process, its two background threads started."""
    settings = settings or WebSettings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")

    readiness = Readiness(connect(settings), settings, clock)
    pulse = Pulse(readiness)
    redis = connect(settings)
    ledger = Ledger(redis, settings, clock)
    listener = Listener(redis)
    dispatcher = Dispatcher(ledger, listener, pulse, clock)
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


def connect(settings: WebSettings) -> Redis:
    """A client that gives up at once: a request has no time to wait for Redis."""
    timeout_s = settings.redis_timeout_ms / 1000
    pool = BlockingConnectionPool.from_url(
        settings.broker_url,
        max_connections=_CONNECTIONS,
        timeout=1,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        # Once more, for a pooled connection that a restart of Redis has closed meanwhile.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )
    return Redis(connection_pool=pool)
