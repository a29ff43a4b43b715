"""What can go wrong with a measurement, for a person to act on."""


class BenchError(Exception):
    """A measurement cannot be made. The message says why, and what to do."""


class TargetUnavailable(BenchError):
    """A server could not be installed, did not start or did not become ready."""
