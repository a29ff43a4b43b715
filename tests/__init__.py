"""Tests with the real parts: a Redis process, Celery workers, gunicorn."""
