"""The reader of sheets: finds every character of every page, then has each of them read.

It answers step by step, as an ensemble does: what no step has come to yet is told as not read.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path

import numpy as np

from model.bunch import Bunch
from model.bundle import Bundle
from model.detection import Detector, ports
from model.documents import Document
from model.engines import Engine, engine
from model.engines.cache import Cache
from model.ensemble import Ensemble, Reading
from model.errors import BundleInvalid, ImageUnreadable, ModelError
from model.examples import Examples
from model.manifest import Golden, Sheet
from model.page import Character, Page
from model.second import SecondReader

# Characters between two looks at the clock.
_STEP = 8
# Sheets that were left in the middle and are remembered: some megabytes each.
_MOST_BEGUN = 4
# What finding costs, in characters that are read by one member.
_FINDING = 80


class SheetReader:
    """A loaded detector, the ensemble that reads what it finds, and who reads what that refuses."""

    # What a sheet costs is finding its characters, and many of them: those are read in bunches.
    express = None
    bunch = None

    def __init__(
        self,
        bundle: Bundle,
        detector: Detector,
        ensemble: Ensemble,
        second: SecondReader | None = None,
    ) -> None:
        """Raises BundleInvalid if the bundle is not one for sheets."""
        if bundle.manifest.sheet is None:
            raise BundleInvalid(f"{bundle.id} has no detector")
        self.bundle, self._rules = bundle, bundle.manifest.sheet
        self._detector, self._ensemble, self._second = detector, ensemble, second
        # Pages of sheets that were left in the middle, by the file's digest; the oldest first.
        self._begun: dict[bytes, list[Page]] = {}
        self._examples = Examples(bundle, self.read)

    @classmethod
    def load(
        cls, folder: Path, engine_name: str, threads: int, cache: Cache | None = None
    ) -> SheetReader:
        """Verify a bundle, load detector and members and check the golden sheets.

        Raises:
            BundleInvalid: the folder is not what its manifest says, or answers differently.
            EngineUnavailable: the engine is not installed.
        """
        reader = cls.of(Bundle.open(folder), engine_name, threads, cache)
        for golden in reader.bundle.manifest.golden:
            reader.check(golden)
        ensemble = reader._ensemble
        ensemble.bunch = Bunch.load(ensemble, engine_name, threads, cache)
        return reader

    @classmethod
    def of(
        cls, bundle: Bundle, engine_name: str, threads: int, cache: Cache | None = None
    ) -> SheetReader:
        """Detector and members of a verified bundle; the golden answers are not checked."""
        if bundle.manifest.sheet is None:
            raise BundleInvalid(f"{bundle.id} has no detector")
        runtime = engine(engine_name)
        rules = bundle.manifest.sheet
        detector = _detector(bundle, rules, runtime, threads, cache)
        ensemble = Ensemble.of(bundle, runtime, threads, cache)
        second = None
        if rules.second:
            second = SecondReader.load(bundle, rules.second, runtime, threads, cache)
        return cls(bundle, detector, ensemble, second)

    @property
    def size(self) -> int:
        """How many members may read a character."""
        return self._ensemble.size

    def check(self, golden: Golden) -> None:
        """Read one of the bundle's golden sheets.

        Raises:
            BundleInvalid: its text is another one than the manifest says.
        """
        self._examples.check(golden)

    def probe(self) -> None:
        """Ask the first member about a golden image; raises what ``readings`` does."""
        next(self.readings(self._examples.first))

    def read(self, image: bytes) -> Reading:
        """Read one file to the end; raises what ``readings`` does."""
        *_, last = self.readings(image)
        return last

    def readings(self, image: bytes) -> Iterator[Reading]:
        """Page by page find the characters and ask one member, then the others where they matter.

        ``members`` of a reading is how many have been asked of every character, so 0 for as long as
        some have not been read.

        Raises:
            ImageUnreadable: the file is none that can be read, or has too many pages.
            EngineFailed: a network gave something else than it should; raised while asking.
        """
        document = Document(image, self._rules.pages)
        return self._resumed(document, hashlib.sha256(image).digest())

    def _resumed(self, document: Document, key: bytes) -> Iterator[Reading]:
        """From where the sheet was left: who makes it whole while nobody waits is interrupted.

        Nobody else has its pages meanwhile, though a job and a caller may bring the same file.
        """
        pages = self._begun.pop(key, [])
        for page in pages:
            # They were found another time.
            page.finding_us = 0
        try:
            yield from self._steps(document, pages)
        except GeneratorExit:
            while len(self._begun) >= _MOST_BEGUN:
                self._begun.pop(next(iter(self._begun)))
            self._begun[key] = pages
            raise

    def _steps(self, document: Document, pages: list[Page]) -> Iterator[Reading]:
        yield from self._asked(pages, document.pages, 0)
        for number in range(len(pages), document.pages):
            began_ns = time.perf_counter_ns()
            pages.append(self._page(document, number))
            pages[-1].finding_us = (time.perf_counter_ns() - began_ns) // 1000
            yield from self._asked(pages, document.pages, 0)
        for members in range(1, self.size):
            yield from self._asked(pages, document.pages, members)
        asked = [one.reading.members for page in pages for one in page.characters if one.reading]
        yield self._reading(pages, document.pages, max(asked, default=self.size), settled=True)

    def _page(self, document: Document, number: int) -> Page:
        """A page with its characters found; one that cannot be decoded has none, but for a reason.

        Of a file with one page alone that is raised.
        """
        try:
            picture = document.picture(number)
        except ImageUnreadable as error:
            if document.pages == 1:
                raise
            return Page.unreadable(number + 1, str(error), self._ensemble, self._rules)
        found = self._detector.find(picture)
        return Page(number + 1, picture, found, self._ensemble, self._rules, self._second)

    def _asked(self, pages: list[Page], of_pages: int, members: int) -> Iterator[Reading]:
        """Ask a member of every character that so many have read and that is not settled."""
        open_ = [(page, one) for page in pages for one in page.characters if _is_open(one, members)]
        for start in range(0, len(open_), _STEP):
            yield self._reading(pages, of_pages, members)
            for page, of_page in groupby(open_[start : start + _STEP], itemgetter(0)):
                page.ask([character for _, character in of_page], members)

    def _reading(
        self, pages: list[Page], of_pages: int, members: int, settled: bool = False
    ) -> Reading:
        characters = list(chain.from_iterable(page.characters for page in pages))
        missing = [
            {"page": number + 1, "looked_at": False, "lines": [], "print": []}
            for number in range(len(pages), of_pages)
        ]
        sure = [one.reading.probability for one in characters if one.reading]
        isnull = self.bundle.manifest.isnull
        # As for a single character: an answer is never empty.
        nothing = settled and isnull and not any(one.told["text"] for one in characters)
        return Reading(
            answer=isnull.label if nothing and isnull else "\n\n".join(map(Page.text, pages)),
            probability=float(np.mean(sure)) if sure else 0.0,
            members=members,
            settled=settled,
            next_share=_STEP / (_FINDING + max(1, len(characters))),
            output={"pages": [*(page.told() for page in pages), *missing]},
            finding_us=sum(page.finding_us for page in pages),
        )


def _is_open(character: Character, members: int) -> bool:
    """Whether one more member than so many is to be asked.

    Only all of them refuse a character: what is cut out of a sheet is blurred and slanted, and to
    some members it looks like none.
    """
    if character.reading is None:
        return members == 0
    final = character.reading.settled and character.told["text"] is not None
    return character.reading.members == members and not final


def _detector(
    bundle: Bundle, rules: Sheet, runtime: Engine, threads: int, cache: Cache | None
) -> Detector:
    graph = bundle.path(rules.detector)
    sizes = [(canvas.height, canvas.width) for canvas in rules.canvases]
    try:
        networks = {
            size: runtime.load(graph, threads, cache, port) for size, port in ports(sizes).items()
        }
        for size, network in networks.items():
            shape = network(np.full((*size, 3), 255, np.float32)).shape
            if shape != (size[0] // 4, size[1] // 4, 6):
                raise BundleInvalid(f"{bundle.id}: {rules.detector.path} gives the shape {shape}")
    except ModelError:
        raise
    except Exception as error:  # every engine has its own
        raise BundleInvalid(f"{bundle.id}: {rules.detector.path} does not run: {error}") from error
    return Detector(networks, rules.threshold)
