"""gunicorn's settings for the front: ``gunicorn -c deploy/gunicorn.conf.py 'web.app:serve()'``.

One gevent process holds thousands of waiting requests; each is a greenlet, not a thread.
"""

import os
import resource
from pathlib import Path

from gevent import monkey
from gevent.server import StreamServer
from prometheus_client import multiprocess

from workers.contract.logs import JsonLines, LogFormat

# Before redis is imported with the class of the worker, which patches the rest: too late for ssl.
monkey.patch_ssl()

# Of several addresses the first is the callers', see web/shutter.py.
bind = os.environ.get("WEB_BIND", "127.0.0.1:8000").split(",")
workers = int(os.environ.get("WEB_PROCESSES", "1"))
worker_class = "web.door.Door"
worker_connections = 8_000
backlog = 4_096
# A caller may wait for 30 seconds with Prefer: wait=30.
graceful_timeout = 35
# Also the longest that an idle connection can delay a graceful stop.
keepalive = 10
# It would put a socket into the home folder.
control_socket_disable = True
wsgi_app = "web.app:serve()"

# Between so many new callers everybody who is under way gets a turn. With gevent's default of 100,
# a burst of callers starves the replies of Redis until they count as timed out; one by one, they
# would wait where the door does not see them, before they are taken in.
StreamServer.max_accept = 4

# Each waiting request holds a socket, and many systems allow a process only 1,024 files.
_, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (_hard, _hard))


def on_starting(server):
    """Gunicorn's own lines are as the front's are; counters of an earlier run are not ours."""
    if os.environ.get("LOG_FORMAT") == LogFormat.JSON:
        # Its logconfig would have it log each request, too.
        for handler in server.log.error_log.handlers:
            handler.setFormatter(JsonLines())
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        for counters in Path(folder).glob("*.db"):
            counters.unlink()


def child_exit(server, worker):
    """A dead process keeps its counters and loses its gauges."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(worker.pid)
