"""What can go wrong in training, in words that a person at a command line can act on."""

from model.errors import ModelError


class TrainingError(ModelError):
    """Base of all: the command line prints the message and exits with status 1."""


class DataError(TrainingError):
    """The labels or the images cannot be used: missing, empty, unreadable, outside the list."""


class CheckpointError(TrainingError):
    """A checkpoint or a weights file is missing, corrupt, or of another network."""


class ExportError(TrainingError):
    """A frozen member does not answer as the network that it was made from."""


class AnswersDiffer(ExportError):
    """A frozen graph answers otherwise than its network."""
