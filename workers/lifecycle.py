"""The life of a version: staged, promoted, rolled back, retired.

The store has its files, the roster says what is to be served, keepers see to that, and the register
in Redis says which version new requests go to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from model.bundle import Bundle
from model.errors import BundleInvalid, printable
from model.store import Store
from workers.contract.clock import wall_clock_ms
from workers.contract.keys import algorithm_of
from workers.contract.readiness import Status
from workers.contract.register import Register
from workers.contract.shadow import Shadow
from workers.proof import prove
from workers.room import NoRoom, require_room
from workers.roster import Roster, Step, Versions
from workers.settings import WorkerSettings

# Starting takes a few seconds on an idle machine; this is for one that has much to do.
_STARTED_WITHIN_S: Final = 180
# A keeper's look at the roster, and what a worker may have in hand.
_ENDED_WITHIN_S: Final = 60
_LOOK_EVERY_S: Final = 0.2


class NotDone(Exception):
    """A step was refused, or has not come to its end. The message tells the operator why."""


class Lifecycle:
    """The steps. They raise ``NotDone``, ``RosterBroken``, ``NotPromoted``, and ``RedisError``."""

    def __init__(self, settings: WorkerSettings, register: Register, shadow: Shadow) -> None:
        self._settings = settings
        self._register = register
        self._shadow = shadow
        self._store = Store(Path(settings.bundles))
        self._roster = Roster(Path(settings.bundles), wall_clock_ms)

    def stage(self, source: Path) -> Iterator[str]:
        """Store a bundle once it has proven itself, and have workers started beside those there.

        Yields:
            What has been done so far, a line each. The last one comes when the new version could
            be promoted.
        """
        self.require_store()
        bundle = self._add(source)
        yield f"{bundle.id} is stored: its files and golden images are right"
        active = self._active(bundle.manifest.name)
        if active.line == bundle.id:
            raise NotDone(f"{bundle.id} is active already")
        try:
            require_room(_process_bytes(active))
        except NoRoom as error:
            raise NotDone(f"not one process of {bundle.id} can start: {error}") from error
        self._roster.change("stage", bundle.id, bundle.digest, _staged(bundle.id))
        yield f"{bundle.id} starts beside {active.line}"
        yield from self._started(bundle.id, active)
        yield f"{bundle.id} is staged: promote it, or retire it"

    def shadow(self, line: str, percent: int) -> str:
        """Have a version read along so many of a hundred images; 0 ends that.

        Returns:
            What has been done.
        """
        active = self._active(algorithm_of(line))
        if percent and active.line == line:
            raise NotDone(f"{line} is active: another version can read along with it")
        if percent and not self._workers_of(line):
            raise NotDone(f"no worker of {line} lives")
        self._shadow.assign(line, percent)
        self._note(f"shadow {percent} %", line, lambda own: own)
        if not percent:
            return f"nobody reads along with {active.line}"
        return f"{line} reads {percent} % of what {active.line} answers, too: see `status`"

    def promote(self, line: str, *, fewer: bool) -> str:
        """See ``Register.promote``."""
        before = self._register.promote(line, fewer=fewer)
        self._note_promoted("promote", line, before)
        return before

    def rollback(self, algorithm: str) -> tuple[str, str]:
        """See ``Register.rollback``."""
        line, before = self._register.rollback(algorithm)
        self._note_promoted("rollback", line, before)
        return line, before

    def retire(self, line: str) -> Iterator[str]:
        """Stop a version's workers, and remove it from the store.

        Yields:
            What has been done so far, a line each.
        """
        self.require_store()
        known = {version.status.line: version for version in self._register.versions()}
        stored = line in self._store.ids()
        if line not in known and not stored:
            raise NotDone(f"there is no {printable(line)}: `status` lists what there is")
        if line in known and known[line].active:
            raise NotDone(f"{line} is active: promote another version first")
        self._note("retire", line, _retired(line))
        yield f"{line} is retired: its workers finish what they have begun"
        if not _until(lambda: self._workers_of(line) == 0, _ENDED_WITHIN_S):
            raise NotDone(
                f"{line} still has {self._workers_of(line)} processes after {_ENDED_WITHIN_S} s: "
                "stop those that no keeper has started, and retire it again"
            )
        if stored:
            self._store.remove(line)
        yield f"{line} is gone"

    def steps(self, most: int) -> list[Step]:
        """The latest ones."""
        return self._roster.steps(most) if self._settings.bundles else []

    def require_store(self) -> None:
        """Raise ``NotDone`` where there is no place to store anything."""
        if not self._settings.bundles:
            raise NotDone("BUNDLES is not set: it names the folder where versions are stored")

    def _add(self, source: Path) -> Bundle:
        try:
            return self._store.add(source, self._examine)
        except BundleInvalid as error:
            raise NotDone(str(error)) from error

    def _examine(self, bundle: Bundle) -> None:
        """Of a bundle that is not stored yet."""
        self._active(bundle.manifest.name)
        if self._workers_of(bundle.id):
            # Two contents under one name could not be told apart any more.
            raise NotDone(f"{bundle.id} is served already, from elsewhere: raise the version")
        prove(bundle, self._settings)

    def _started(self, line: str, active: Status) -> Iterator[str]:
        """Wait until as many processes serve it as the active version, or as memory allows.

        Yields:
            A line, if memory is short.
        """
        needed = max(1, active.workers)
        until = time.monotonic() + _STARTED_WITHIN_S
        while (started := self._workers_of(line)) < needed:
            try:
                require_room(_process_bytes(active))
            except NoRoom as error:
                if started:
                    yield (
                        f"{line} has {started} of {needed} processes, and {error}: the others "
                        f"follow when {active.line} is retired, which `promote --fewer` allows"
                    )
                    return
            if time.monotonic() > until:
                raise NotDone(
                    f"{line} has {started} of {needed} processes after {_STARTED_WITHIN_S} s: "
                    "the workers' log says why, if a keeper runs there"
                )
            time.sleep(_LOOK_EVERY_S)

    def _note_promoted(self, what: str, line: str, before: str) -> None:
        promoted = {"promoted": line, "previous": before}
        self._note(what, line, lambda own: own.model_copy(update=promoted))

    def _note(self, what: str, line: str, update: Callable[[Versions], Versions]) -> None:
        """In the roster; without a store, what was done lives in Redis alone."""
        if self._settings.bundles:
            self._roster.change(what, line, self._register.status(line).digest, update)

    def _active(self, algorithm: str) -> Status:
        active = {
            algorithm_of(version.status.line): version.status
            for version in self._register.versions()
            if version.active
        }
        if algorithm not in active:
            served = ", ".join(sorted(active)) or "nothing"
            raise NotDone(f"nothing called {algorithm} is served here; {served} is")
        return active[algorithm]

    def _workers_of(self, line: str) -> int:
        return self._register.status(line).workers


def _process_bytes(active: Status) -> int:
    """How large one is, and one of the next version at a guess."""
    return active.resident_bytes // max(1, active.workers)


def _staged(line: str) -> Callable[[Versions], Versions]:
    return lambda versions: versions.model_copy(
        update={
            "staged": (*(one for one in versions.staged if one != line), line),
            "retired": tuple(one for one in versions.retired if one != line),
        }
    )


def _retired(line: str) -> Callable[[Versions], Versions]:
    return lambda versions: versions.model_copy(
        update={
            "staged": tuple(one for one in versions.staged if one != line),
            "retired": (*(one for one in versions.retired if one != line), line),
            "previous": "" if versions.previous == line else versions.previous,
        }
    )


def _until(holds: Callable[[], bool], within_s: float) -> bool:
    """Wait until something holds; False when it does not."""
    until = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True
