"""``/openapi.json``: what the routes tell of themselves, in OpenAPI 3.1.

A view says it by ``@describe(Operation(...))``. The document is made once, of these, of the models
that the service reads and replies with, and of its problems.
"""
