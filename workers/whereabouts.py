"""Whereabouts: how commands find the service that ``make run`` runs for this user.

Its Redis has another port and password each time. So whoever starts a service leaves a note, which
its user alone can read, and which is worth nothing once that process has ended.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

# What a command needs to know of a service.
NAMES: Final = ("REDIS_URL", "BUNDLES", "ENGINE_CACHE", "EVIDENCE")


class Unclear(Exception):
    """Several services run, or none that left a note. The message tells what to do."""


def folder() -> Path | None:
    """Where the notes lie; None for a user without a home."""
    home = os.environ.get("HOME", "")
    states = os.environ.get("XDG_STATE_HOME") or (home and f"{home}/.local/state")
    return Path(states, "punctual", "services") if states else None


@contextlib.contextmanager
def noted(environment: Mapping[str, str]) -> Iterator[None]:
    """Leave a note while the block runs: NAMES of this environment, by the process's id."""
    place = folder()
    if place is None:
        yield
        return
    note = place / str(os.getpid())
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.touch(mode=0o600)
        note.write_text(json.dumps({name: environment.get(name, "") for name in NAMES}))
    except OSError:
        # A home that cannot be written: commands are then told REDIS_URL.
        note = Path(os.devnull)
    try:
        yield
    finally:
        if note != Path(os.devnull):
            note.unlink(missing_ok=True)


def find(redis_url: str = "") -> dict[str, str]:
    """NAMES of the service whose Redis that is, or of the only one that runs here.

    Of a service that was not started by ``make run`` nothing is known but what the caller says.

    Raises:
        Unclear: there is none, or there are several.
    """
    found = [service for note in _notes() if (service := _living(note))]
    if redis_url:
        return next((one for one in found if one["REDIS_URL"] == redis_url), {})
    if len(found) == 1:
        return found[0]
    how = "set REDIS_URL, which `make run` prints when it is ready"
    if not found:
        raise Unclear(f"no service of `make run` is found here: start one, or {how}")
    hosts = ", ".join(service["REDIS_URL"].rpartition("@")[2] for service in found)
    raise Unclear(f"{len(found)} services run here ({hosts}): {how}")


def _notes() -> list[Path]:
    place = folder()
    try:
        return sorted(place.iterdir()) if place else []
    except OSError:
        return []


def _living(note: Path) -> dict[str, str] | None:
    """What the note says; one of a process that was killed is removed."""
    try:
        if b"deploy.run" in Path("/proc", note.name, "cmdline").read_bytes():
            return dict(json.loads(note.read_bytes()))
        note.unlink(missing_ok=True)
    except FileNotFoundError:
        note.unlink(missing_ok=True)
    except (OSError, ValueError):
        pass
    return None
