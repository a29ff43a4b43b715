"""What can go wrong between a picture and an answer."""


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
