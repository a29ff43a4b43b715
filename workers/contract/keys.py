"""The keys in Redis, beside those of Celery.

Each carries the version of the contract, and so do the queues. Fronts and workers of two versions
beside each other do not meet: each front is ready when workers of its own version are.

A line is what waits for one version of an algorithm, by its bundle's name: ``handwriting/3``. Its
keys have that name in them, in the place of ``{line}``: ``of`` puts it there.
"""

from typing import Final

VERSION: Final = 3
_PREFIX: Final = f"punctual:{VERSION}:"
_LINE: Final = f"{_PREFIX}{{line}}:"

# Images that somebody waits for; those nobody waits for just now, but may again; and those with an
# answer of some members that could become one of all. Workers take from one only while those
# before it in the alphabet are empty.
INFERENCE: Final = f"inference.{VERSION}:{{line}}"
LATE: Final = f"{INFERENCE}:late"
PARTIAL: Final = f"{INFERENCE}:partial"

# Slices of jobs, behind all that callers wait for.
SLICES: Final = f"{INFERENCE}:slices"

# The messages before they get into INFERENCE, by when they are due.
LINE: Final = f"{_LINE}line"

# Worker processes that are at a slice, until when that is believed; whether callers came lately;
# and how many turns these had since a step of a job was done.
SLICING: Final = f"{_LINE}slicing"
LATELY: Final = f"{_LINE}lately"
TURNS: Final = f"{_LINE}turns"

WORKERS: Final = f"{_LINE}workers"
RATES: Final = f"{_LINE}rates"
COMPLETED: Final = f"{_LINE}completed"
COUNTS: Final = f"{_LINE}counts"
MEMBERS: Final = f"{_LINE}members"
# By worker process, in bytes.
MEMORY: Final = f"{_LINE}memory"
PROBE_TURN: Final = f"{_LINE}probe-turn"

# What was shown to it as a shadow, by ticket; what it made of that, in figures; the latest of its
# answers that would have been others.
SHOWN: Final = f"{_LINE}shown:"
SHADOW: Final = f"{_LINE}shadow"
CHANGES: Final = f"{_LINE}changes"

# Until when the sketches are waited for that callers have asked for, by ticket.
SKETCHES: Final = f"{_LINE}sketches"

# The lines that have workers, by when one of them has beaten.
LINES: Final = f"{_PREFIX}lines"

# By algorithm: the line that new requests go to. What was promoted counts; of what was not, the
# line that its workers claim; and the line before the latest promotion. And the algorithm of those
# who name none.
PROMOTED: Final = f"{_PREFIX}promoted"
PREVIOUS: Final = f"{_PREFIX}previous"
CLAIMED: Final = f"{_PREFIX}claimed"
DEFAULT: Final = f"{_PREFIX}default"

# By algorithm: its card, as JSON, and the picture beside it.
CARDS: Final = f"{_PREFIX}cards"
PICTURES: Final = f"{_PREFIX}pictures"

# By algorithm: the line that reads along, and how much.
SHADOWS: Final = f"{_PREFIX}shadows"

# By line: the digest of its bundle's manifest.
DIGESTS: Final = f"{_PREFIX}digests"

# There never is such a key. To delete it is to write, and changes nothing.
NOTHING: Final = f"{_PREFIX}nothing"

# Which entry a uuid is: ``<algorithm>:<uuid>``.
REQUEST_PREFIX: Final = f"{_PREFIX}request:"

# What is known of one image in one line: ``<line>:<subject>``. The bytes of an image lie beside it,
# for as long as somebody may want them read.
ENTRY_PREFIX: Final = f"{_PREFIX}entry:"
IMAGE_PREFIX: Final = f"{_PREFIX}image:"

# Of all images that are stored, whatever their line: until when, how large, and together how large.
IMAGES: Final = f"{_PREFIX}images"
SIZES: Final = f"{_PREFIX}sizes"
BYTES: Final = f"{_PREFIX}bytes"

# What a process took with what it finished, by its question.
TAKEN_PREFIX: Final = f"{_PREFIX}taken:"

# How an account stands.
ACCOUNT_PREFIX: Final = f"{_PREFIX}account:"


def of(line: str, key: str) -> str:
    """One of the keys above, for this line."""
    return key.replace("{line}", line)


def algorithm_of(line: str) -> str:
    """Whose line it is."""
    return line.partition("/")[0]


def request(algorithm: str, uuid: str) -> str:
    """Which entry a uuid is."""
    return f"{REQUEST_PREFIX}{algorithm}:{uuid}"


def entry(line: str, subject: str) -> str:
    """What is known of an image in a line."""
    return f"{ENTRY_PREFIX}{line}:{subject}"


def image(entry: str) -> str:
    """The bytes of the image that the entry is about."""
    return IMAGE_PREFIX + entry.removeprefix(ENTRY_PREFIX)


def line_and_subject(entry: str) -> tuple[str, str]:
    """What the key of an entry consists of."""
    line, _, subject = entry.removeprefix(ENTRY_PREFIX).partition(":")
    return line, subject


def sketch(ticket: str) -> tuple[str, str]:
    """What is to be drawn, and where it is put when it is."""
    return f"{_PREFIX}sketch:{ticket}", f"{_PREFIX}sketched:{ticket}"


def front(name: str) -> str:
    """The channel on which a front process is told of results."""
    return f"{_PREFIX}front:{name}"
