"""The keys in Redis, beside those of Celery, and where the scripts lie that work on them."""

from pathlib import Path
from typing import Final

LUA: Final = Path(__file__).with_name("lua")

LINE: Final = "punctual:line"
WORKERS: Final = "punctual:workers"
RATES: Final = "punctual:rates"
BUNDLE: Final = "punctual:bundle"
COMPLETED: Final = "punctual:completed"
COUNTS: Final = "punctual:counts"
PROBE_TURN: Final = "punctual:probe-turn"
# There never is such a key. To delete it is to write, and changes nothing.
NOTHING: Final = "punctual:nothing"

# Of what is known of one image under one bundle; admit.lua adds ``<bundle>:<subject>``.
IMAGE_PREFIX: Final = "punctual:image:"


def request(uuid: str) -> str:
    """Which image a uuid is."""
    return f"punctual:request:{uuid}"


def subject_of(image_key: str) -> str:
    """The subject in the key of an image: what its waiters are listed under."""
    return image_key.removeprefix(IMAGE_PREFIX).partition(":")[2]


def front(name: str) -> str:
    """The channel on which a front process is told of results."""
    return f"punctual:front:{name}"
