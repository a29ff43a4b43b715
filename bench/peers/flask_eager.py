"""The contest service's design: nginx, several Flask processes, a Redis cache, Keras eagerly.

As teams built it: one gunicorn process for each core with the model in it, answers kept in Redis
under their uuid, ``model(x)`` for every member. nginx stands before it where it is installed.
Tuned: as many processes as cores with one thread each, models loaded before the first request.
There is nothing in this design to refuse with, so nothing is refused.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from typing import Any

from flask import Flask, request
from redis import Redis

from bench.peers.reader import Reader, Settings, fields, reply
from deploy.ports import free_port

_KEEP_FOR_S = 1_800

_NGINX = """
daemon off; worker_processes 1; pid {state}/nginx.pid; error_log stderr warn;
events {{ worker_connections 4096; }}
http {{
    access_log off; client_max_body_size 9m;
    client_body_temp_path {state}/body; proxy_temp_path {state}/proxy;
    fastcgi_temp_path {state}/fastcgi; uwsgi_temp_path {state}/uwsgi; scgi_temp_path {state}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{behind}; }}
    }}
}}
"""


def create_app() -> Flask:
    """The WSGI application of one process."""
    settings = Settings()
    reader = Reader(settings)
    cache = Redis(port=settings.redis_port, decode_responses=True)
    app = Flask(__name__)

    @app.post("/inference")
    def inference() -> dict[str, Any]:
        uuid, image = fields(request.get_json(force=True))
        if kept := cache.get(uuid):
            return reply(uuid, str(kept))
        answer = reader.read(image)
        cache.set(uuid, answer, ex=_KEEP_FOR_S)
        return reply(uuid, answer)

    return app


def main() -> None:
    """Start gunicorn, behind nginx where there is one."""
    settings = Settings()
    port, programs = settings.port, []
    if nginx := shutil.which("nginx"):
        port = free_port()
        conf = settings.state / "nginx.conf"
        conf.write_text(_NGINX.format(state=settings.state, port=settings.port, behind=port))
        programs.append([nginx, "-c", str(conf), "-p", str(settings.state)])
    options = ["--bind", f"127.0.0.1:{port}", "--workers", str(settings.workers)]
    app = "bench.peers.flask_eager:create_app()"
    gunicorn = [sys.executable, "-m", "gunicorn", "--no-control-socket", *options, app]
    running = [subprocess.Popen(program) for program in [*programs, gunicorn]]  # noqa: S603

    def stop(*_: object) -> None:
        for program in running:
            program.terminate()

    signal.signal(signal.SIGTERM, stop)
    sys.exit(running[-1].wait())


if __name__ == "__main__":
    main()
