"""Logs of front and workers, as text or as one JSON object a line."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

_TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"

_GATHER_S = 0.1


class LogFormat(StrEnum):
    """What LOG_FORMAT may be."""

    TEXT = "text"
    JSON = "json"


class JsonLines(logging.Formatter):
    """What a message is given by name, as in ``info("uuid=%(uuid)s", {...})``, are its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in the message."""
        named = record.args if isinstance(record.args, Mapping) else {}
        line = {
            **named,
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class Gathered(logging.StreamHandler[TextIO]):
    """Lines wait a moment for one another: to write one can cost as much as what it tells of.

    A warning, and whatever is worse, waits for nobody and takes along those before it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._flusher: threading.Timer | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Called with the lock held, as ``flush`` is by the timer."""
        try:
            self._lines.append(self.format(record))
        except Exception:  # noqa: BLE001 - as the standard library's: logging never fails
            self.handleError(record)
        if record.levelno > logging.INFO:
            self.flush()
        elif self._flusher is None:
            self._flusher = threading.Timer(_GATHER_S, self.flush)
            self._flusher.daemon = True
            self._flusher.start()

    def flush(self) -> None:
        """Write what there is, also at the end of the process."""
        self.acquire()
        try:
            lines, self._lines, self._flusher = self._lines, [], None
            if lines:
                self.stream.write("\n".join((*lines, "")))
                self.stream.flush()
        finally:
            self.release()


def set_up(log_format: LogFormat, level: int, *, gathered: bool = False) -> None:
    """To the standard error, in the place of whatever was set up before."""
    handler = Gathered() if gathered else logging.StreamHandler()
    handler.setFormatter(JsonLines() if log_format is LogFormat.JSON else logging.Formatter(_TEXT))
    # No format of ours tells them, and each line would look for them.
    logging._srcfile = None  # as the standard library's documents advise
    logging.logThreads = logging.logMultiprocessing = False
    logging.basicConfig(level=level, handlers=[handler], force=True)
