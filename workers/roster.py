"""The roster: which versions of each algorithm are to be served, in a file that outlives Redis.

It lies beside the stored bundles. Redis has what requests need of it, and is given it again where
it has lost it. Every change of it is a step that is noted, with who, when and which content.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from workers.contract.clock import Clock

_FILE: Final = "roster.json"
_STEPS: Final = "steps.jsonl"


class RosterBroken(Exception):
    """The file is not what this module has written, or cannot be read or written."""


class Versions(BaseModel):
    """Of one algorithm: what requests go to, what they went to before, and what else is served.

    The version in the folder BUNDLE is served without being staged, unless it is retired.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    promoted: str = ""
    previous: str = ""
    staged: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()

    def served(self, base: str) -> list[str]:
        """What workers are to run for, the promoted version first; ``base`` is that of BUNDLE."""
        wanted = {line for line in (base, *self.staged) if line not in self.retired} or {base}
        return sorted(wanted, key=lambda line: (line != self.promoted, line != base, line))


class Step(BaseModel):
    """One change: ``who`` did ``what`` to ``line``, whose manifest has this ``digest``."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    when: str
    who: str
    what: str
    line: str
    digest: str


_Algorithms = TypeAdapter(dict[str, Versions])


class Roster:
    """The file in ``folder``, the bundle store. Methods raise ``RosterBroken``."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def read(self) -> dict[str, Versions]:
        """By algorithm; empty while nothing was ever staged or promoted."""
        try:
            return _Algorithms.validate_json((self._folder / _FILE).read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValidationError) as error:
            raise RosterBroken(f"{self._folder / _FILE} cannot be read: {error}") from error

    def of(self, algorithm: str) -> Versions:
        """The versions of one algorithm."""
        return self.read().get(algorithm, Versions())

    def change(
        self, what: str, line: str, digest: str, update: Callable[[Versions], Versions]
    ) -> None:
        """Take a step: write what ``update`` makes of the algorithm's versions, and note it."""
        algorithm = line.partition("/")[0]
        try:
            with self._turn():
                versions = self.read()
                versions[algorithm] = update(versions.get(algorithm, Versions()))
                self._write(_Algorithms.dump_json(versions, indent=1))
                self._note(Step(when=self._now(), who=_who(), what=what, line=line, digest=digest))
        except OSError as error:
            raise RosterBroken(f"{self._folder / _FILE} cannot be written: {error}") from error

    def steps(self, most: int) -> list[Step]:
        """The latest steps, the last one at the end."""
        try:
            lines = (self._folder / _STEPS).read_text().splitlines()[-most:]
            return [Step.model_validate_json(line) for line in lines]
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as error:
            raise RosterBroken(f"{self._folder / _STEPS} cannot be read: {error}") from error

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, content: bytes) -> None:
        """In one step: a reader finds the file before or after it, and so does a power cut."""
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=f".{_FILE}-")
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            path.chmod(0o644)  # workers may run as another user
            path.replace(self._folder / _FILE)
        except BaseException:
            path.unlink()
            raise

    def _note(self, step: Step) -> None:
        with (self._folder / _STEPS).open("a") as file:
            file.write(json.dumps(step.model_dump(), ensure_ascii=False) + "\n")

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock() / 1000, UTC).isoformat(timespec="seconds")


def _who() -> str:
    """The user and the machine; in a container the user may have no name."""
    try:
        user = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
