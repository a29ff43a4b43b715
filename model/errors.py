"""What can go wrong between a picture and an answer."""

from typing import Final

_LONGEST_SHOWN: Final = 500  # characters


class ModelError(Exception):
    """Base of every error this package raises on purpose."""


class ImageUnreadable(ModelError):
    """The bytes are no picture that can be decoded. The message tells the caller why."""


class BundleInvalid(ModelError):
    """The bundle is damaged, incomplete or breaks a rule of the format."""


class EngineFailed(ModelError):
    """A loaded engine gave something else than probabilities."""


class EngineUnavailable(ModelError):
    """The engine is unknown or its package is not installed."""


def printable(text: object) -> str:
    """What a stranger wrote, for a message of one line: cut, and as repr where it needs that."""
    shown = str(text)
    if len(shown) > _LONGEST_SHOWN:
        shown = shown[:_LONGEST_SHOWN] + "..."
    return shown if shown.isprintable() else repr(shown)
