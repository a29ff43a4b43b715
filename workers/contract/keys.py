"""The keys in Redis, beside those of Celery."""

from typing import Final

LINE: Final = "punctual:line"
WORKERS: Final = "punctual:workers"
COMPLETED: Final = "punctual:completed"
COUNTS: Final = "punctual:counts"
PROBE_TURN: Final = "punctual:probe-turn"


def entry(uuid: str) -> str:
    """What is known of one request."""
    return f"punctual:request:{uuid}"


def front(name: str) -> str:
    """The channel on which a front process is told of results."""
    return f"punctual:front:{name}"
