"""The front: an HTTP door to the queue. ``web.app`` puts it together.

It knows the workers by ``workers.contract`` alone, and loads neither Celery nor a model runtime.
"""
