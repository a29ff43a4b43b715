"""Unpacking: makes items of what a job brings, a slice at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workers.contract.contents import Contents, Found
from workers.contract.files import Files
from workers.contract.job import Job
from workers.faults import InputRefused
from workers.inputs import Inputs

# So many bytes or items are taken in together: no longer than one member takes to read.
_BYTES = 1_000_000
_ITEMS = 50

# In so many archives a process keeps its place.
_PLACES = 4


class JobRefused(Exception):
    """Nothing can come of the job; the message tells the caller why."""


@dataclass
class _Open:
    """A job that is being unpacked here, and how far that is."""

    job: Job
    ticket: str
    rest: Iterator[Found | None]
    items: int


class Unpacker:
    """That of one worker process. It keeps its place in an archive between slices."""

    def __init__(self, files: Files, contents: Contents, inputs: Inputs) -> None:
        self._files = files
        self._contents = contents
        self._inputs = inputs
        # By the number of the job, the latest last.
        self._open: dict[int, _Open] = {}

    def step(self, job: Job, ticket: str) -> bool:
        """Take a few items in; False when there is nothing to unpack here now.

        Raises:
            JobRefused: an input is damaged or too large, or there is no image in it.
            TooOften: as many workers as may have died of it.
        """
        opened = self._opened(job, ticket)
        if opened is None:
            return False
        try:
            batch, left_out, is_end = _some(opened.rest)
            is_wanted = self._contents.add(job, opened.items, batch, left_out)
        except InputRefused as error:
            del self._open[job.number]
            raise JobRefused(str(error)) from error
        except BaseException:
            # What was found is lost here; whoever begins anew finds it again.
            del self._open[job.number]
            raise
        opened.items += len(batch)
        if is_end or not is_wanted:
            del self._open[job.number]
        if is_end and is_wanted:
            if not opened.items:
                raise JobRefused("there is no image in it.")
            self._contents.end(job, opened.items)
        return is_wanted

    def _opened(self, job: Job, ticket: str) -> _Open | None:
        """Where this process was, or where the last one has left off."""
        if opened := self._open.pop(job.number, None):
            if not self._contents.go_on(job, opened.ticket, ticket):
                return None
            opened.ticket = ticket
        else:
            there = self._contents.begin(job, ticket)
            if there is None:
                return None
            opened = _Open(job, ticket, _after(there, self._all(job)), there)
        self._open[job.number] = opened
        if len(self._open) > _PLACES:
            # Of a job that has ended, or that another process takes over in a while.
            del self._open[next(iter(self._open))]
        return opened

    def _all(self, job: Job) -> Iterator[Found | None]:
        for number, input_ in enumerate(job.inputs):
            path = self._files.folder(job.folder) / input_.file
            where = f"input {number}: " if len(job.inputs) > 1 else ""
            try:
                yield from self._inputs.find(number, input_, path)
            except InputRefused as error:
                raise InputRefused(f"{where}{error}") from error


def _some(found: Iterator[Found | None]) -> tuple[list[Found], int, bool]:
    """The next images, how many files among them are litter, and whether that was all."""
    batch: list[Found] = []
    size = left_out = 0
    for each in found:
        if each is None:
            left_out += 1
            continue
        batch.append(each)
        size += len(each.data)
        if size >= _BYTES or len(batch) >= _ITEMS:
            return batch, left_out, False
    return batch, left_out, True


def _after(count: int, found: Iterator[Found | None]) -> Iterator[Found | None]:
    """What comes after so many images; litter before them was counted with them."""
    while count:
        count -= next(found) is not None
    return found
