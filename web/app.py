"""The application of one front process, made of its parts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from flask.sessions import NullSession, SessionInterface, SessionMixin
from gevent.queue import LifoQueue
from redis import Redis

from web.acquaintance import Acquaintance
from web.algorithms import algorithms_blueprint
from web.books import Books
from web.console import console_blueprint
from web.demand import Demand
from web.dispatcher import Dispatcher
from web.drawing import Drawing
from web.evidence import evidence_blueprint
from web.guard import Guard
from web.health import health_blueprint
from web.inference import inference_blueprint
from web.jobs import jobs_blueprint
from web.listener import Listener
from web.lobby import Lobby
from web.metrics import Metrics
from web.openapi.document import document
from web.orders import Orders
from web.outage import Outages
from web.overview import overview_blueprint
from web.pages import pages_blueprint
from web.probe import Prober
from web.problem_handlers import register_problems
from web.settings import WebSettings
from web.status import LatestStatus
from web.tally import Tally
from web.traces import Traces
from web.turnstile import Turnstile
from web.uploads import uploads_blueprint
from web.usage import usage_blueprint
from web.witness import Witness
from workers.contract.clock import Clock, steady_clock_ms, wall_clock_ms
from workers.contract.connection import impatient
from workers.contract.files import Files
from workers.contract.items import Items
from workers.contract.jobs import Jobs
from workers.contract.ledger import Ledger
from workers.contract.logs import set_up
from workers.contract.published import PublishedCards
from workers.contract.readiness import Readiness
from workers.contract.settings import QueueSettings
from workers.contract.sketches import Sketches
from workers.contract.uploads import Uploads

# So many connections may be there without a whole request.
_SEATS = 2_000

# Makes a client of Redis, as `impatient` does.
Connect = Callable[[QueueSettings, int, Callable[[], None], type[Any]], Redis]


class _NoSessions(SessionInterface):
    """Flask would look for a signed cookie in every request, and make a place for what is in it."""

    def open_session(self, *_: object) -> SessionMixin:
        return _NONE


_NONE = NullSession()


def serve() -> Flask:
    """What gunicorn is told to serve: by the environment's settings, with its threads started."""
    settings = WebSettings.read()
    set_up(settings.log_format, logging.INFO, gathered=True)
    app = create_app(settings)
    start(app)
    return app


def start(app: Flask) -> None:
    """Begin to look at Redis, to listen and to tell, in threads; until then nobody is asked."""
    app.extensions["latest"].start()
    app.extensions["listener"].start()
    app.extensions["witness"].start()
    app.extensions["traces"].start()
    app.extensions["books"].start()


def create_app(
    settings: WebSettings, clock: Clock = wall_clock_ms, connect: Connect = impatient
) -> Flask:
    """The WSGI application. It connects to nothing and starts no thread."""
    moved = threading.Event()
    outages = Outages(steady_clock_ms)
    timeout_ms = settings.redis_timeout_ms
    # Who looks is four times as impatient, so that requests seldom find out by themselves.
    looking = connect(settings, timeout_ms // 4, moved.set, LifoQueue)
    readiness = Readiness(looking, settings)
    demand = Demand(readiness, steady_clock_ms)
    latest = LatestStatus(readiness, Prober(looking, readiness), outages, demand)
    # The standard library's queue breaks when a time-out strikes in the middle of a wait.
    redis = connect(settings, timeout_ms, moved.set, LifoQueue)
    ledger = Ledger(redis, settings, clock)
    listener = Listener(redis, moved, outages)
    metrics = Metrics(latest, readiness, demand)
    files = Files(Path(settings.jobs), outlives_power=True)
    jobs = Jobs(files, settings.jobs_keep_for_ms, settings.jobs_max_bytes, clock)
    books = Books(
        settings.accounts, PublishedCards(looking), clock, jobs if settings.jobs else None
    )
    guard = Guard(books, steady_clock_ms)
    witness = Witness(settings.evidence, metrics, clock)
    traces = Traces(settings.otel_exporter_otlp_endpoint, settings.traced_percent)
    tally = Tally(metrics, books, witness)
    lobby = Lobby(_SEATS)
    acquaintance = Acquaintance(ledger, latest, books)
    turnstile = Turnstile(acquaintance, metrics, witness, settings, clock, steady_clock_ms)
    dispatcher = Dispatcher(ledger, listener, latest, outages, turnstile, settings, clock)

    app = Flask(__name__, static_folder=None)
    app.session_interface = _NoSessions()
    register_problems(app)
    drawing = Drawing(Sketches(redis, clock), latest, outages)
    orders = None
    if settings.jobs:
        uploads = Uploads(files, settings.jobs_max_bytes, clock)
        orders = Orders(jobs, uploads, latest, lobby, books)
        app.register_blueprint(
            guard.watch(jobs_blueprint(jobs, Items(files), orders, drawing, clock))
        )
        app.register_blueprint(
            guard.watch(uploads_blueprint(uploads, settings.jobs_max_bytes, lobby))
        )
    app.register_blueprint(
        inference_blueprint(
            *(settings, latest, dispatcher, turnstile, lobby, metrics, tally, books, guard),
            *(traces, clock, drawing, orders),
        )
    )
    for blueprint in (
        health_blueprint(latest, tells_counts=not books.is_on),
        algorithms_blueprint(latest, PublishedCards(redis), outages),
        evidence_blueprint(settings.evidence),
        metrics.blueprint(),
        overview_blueprint(redis, settings, latest, metrics, clock),
        usage_blueprint(books, settings, clock),
    ):
        app.register_blueprint(guard.watch(blueprint))
    app.register_blueprint(pages_blueprint())
    app.register_blueprint(console_blueprint())
    # For the door, which is outside of Flask, and for ``start``.
    app.extensions.update(lobby=lobby, turnstile=turnstile, acquaintance=acquaintance)
    app.extensions.update(latest=latest, listener=listener, witness=witness, books=books)
    app.extensions.update(traces=traces)
    # Last: it tells of all that is registered.
    app.extensions.update(openapi=document(app))
    return app
