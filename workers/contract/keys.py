"""The keys in Redis, beside those of Celery.

Each carries the version of the contract, and so do the queues. Fronts and workers of two versions
beside each other do not meet: each front is ready when workers of its own version are.
"""

from typing import Final

VERSION: Final = 2
_PREFIX: Final = f"punctual:{VERSION}:"

# Images that somebody waits for; those nobody waits for just now, but may again; and those with an
# answer of some members that could become one of all. Workers take from one only while those
# before it in the alphabet are empty.
INFERENCE: Final = f"inference.{VERSION}"
LATE: Final = f"{INFERENCE}.late"
PARTIAL: Final = f"{INFERENCE}.partial"

# The messages before they get into INFERENCE, by when they are due.
LINE: Final = f"{_PREFIX}line"

WORKERS: Final = f"{_PREFIX}workers"
RATES: Final = f"{_PREFIX}rates"
BUNDLE: Final = f"{_PREFIX}bundle"
COMPLETED: Final = f"{_PREFIX}completed"
COUNTS: Final = f"{_PREFIX}counts"
MEMBERS: Final = f"{_PREFIX}members"
PROBE_TURN: Final = f"{_PREFIX}probe-turn"
# There never is such a key. To delete it is to write, and changes nothing.
NOTHING: Final = f"{_PREFIX}nothing"

# What is known of one image under one bundle: ``<bundle>:<subject>``. The bytes of an image lie
# beside it, for as long as somebody may want them read.
ENTRY_PREFIX: Final = f"{_PREFIX}entry:"
IMAGE_PREFIX: Final = f"{_PREFIX}image:"

# Of all images that are stored: until when, how large, and together how large.
IMAGES: Final = f"{_PREFIX}images"
SIZES: Final = f"{_PREFIX}sizes"
BYTES: Final = f"{_PREFIX}bytes"


def request(uuid: str) -> str:
    """Which entry a uuid is."""
    return f"{_PREFIX}request:{uuid}"


def image(entry: str) -> str:
    """The bytes of the image that the entry is about."""
    return IMAGE_PREFIX + entry.removeprefix(ENTRY_PREFIX)


def subject_of(entry: str) -> str:
    """The subject in the key of an entry: what its waiters are listed under."""
    return entry.removeprefix(ENTRY_PREFIX).partition(":")[2]


def front(name: str) -> str:
    """The channel on which a front process is told of results."""
    return f"{_PREFIX}front:{name}"
