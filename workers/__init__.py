"""Consumers of the queue. Importing this package is light: the front does it too.

``celery -A workers worker`` finds the application here; ``workers.contract`` is all the front
may know; the modules beside it run in worker processes alone.
"""

from workers.contract.queue import app

__all__ = ["app"]
