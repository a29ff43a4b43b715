"""The application of one front process, made of its parts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask
from gevent.queue import LifoQueue
from redis import Redis

from web.acquaintance import Acquaintance
from web.algorithms import algorithms_blueprint
from web.dispatcher import Dispatcher
from web.health import health_blueprint
from web.inference import inference_blueprint
from web.listener import Listener
from web.lobby import Lobby
from web.metrics import Metrics
from web.outage import Outages
from web.probe import Prober
from web.problem_handlers import register_problems
from web.settings import WebSettings
from web.status import LatestStatus
from web.turnstile import Turnstile
from workers.contract.clock import Clock, wall_clock_ms
from workers.contract.connection import impatient
from workers.contract.ledger import Ledger
from workers.contract.readiness import Readiness
from workers.contract.settings import QueueSettings

# So many connections may be there without a whole request.
_SEATS = 2_000

# Makes a client of Redis, as `impatient` does.
Connect = Callable[[QueueSettings, int, Callable[[], None], type[Any]], Redis]


def serve() -> Flask:
    """What gunicorn is told to serve: by the environment's settings, with its threads started."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    app = create_app(WebSettings.read())
    start(app)
    return app


def start(app: Flask) -> None:
    """Begin to look at Redis and to listen, in two threads; until then nobody is asked anything."""
    app.extensions["latest"].start()
    app.extensions["listener"].start()


def create_app(
    settings: WebSettings, clock: Clock = wall_clock_ms, connect: Connect = impatient
) -> Flask:
    """The WSGI application. It connects to nothing and starts no thread."""
    moved = threading.Event()
    outages = Outages(clock)
    timeout_ms = settings.redis_timeout_ms
    # Who looks is four times as impatient, so that requests seldom find out by themselves.
    looking = connect(settings, timeout_ms // 4, moved.set, LifoQueue)
    readiness = Readiness(looking, settings)
    latest = LatestStatus(readiness, Prober(looking, readiness), outages)
    # The standard library's queue breaks when a time-out strikes in the middle of a wait.
    redis = connect(settings, timeout_ms, moved.set, LifoQueue)
    ledger = Ledger(redis, settings, clock)
    listener = Listener(redis, moved, outages)
    metrics = Metrics(latest)
    lobby = Lobby(_SEATS)
    acquaintance = Acquaintance(ledger, latest)
    turnstile = Turnstile(acquaintance, metrics, settings, clock)
    dispatcher = Dispatcher(ledger, listener, latest, outages, turnstile, settings, clock)

    app = Flask(__name__)
    register_problems(app)
    app.register_blueprint(
        inference_blueprint(settings, latest, dispatcher, turnstile, lobby, metrics, clock)
    )
    app.register_blueprint(health_blueprint(latest))
    app.register_blueprint(algorithms_blueprint(latest))
    app.register_blueprint(metrics.blueprint())
    # For the door, which is outside of Flask, and for ``start``.
    app.extensions.update(lobby=lobby, turnstile=turnstile, acquaintance=acquaintance)
    app.extensions.update(latest=latest, listener=listener)
    return app
