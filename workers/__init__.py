"""Consumers of the queue.

``celery -A workers worker`` finds the application in ``workers.celery``; ``workers.contract`` is
all that the front may know; the modules beside it run in worker processes alone.
"""
