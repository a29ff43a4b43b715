"""The manifest: what a bundle says of itself, as ``manifest.json`` at its root."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

# Regular expressions. A bundle's name and version are also names of folders.
NAME: Final = "[a-z0-9][a-z0-9-]{0,29}"
VERSION: Final = "[0-9A-Za-z][0-9A-Za-z.-]{0,62}"


def _inside_the_folder(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or "\\" in path or "\0" in path:
        raise ValueError("must be a relative path with forward slashes")
    if any(part.startswith(".") for part in parts):
        raise ValueError("must not leave the folder or name a hidden file")
    return str(PurePosixPath(path))


RelativePath = Annotated[str, AfterValidator(_inside_the_folder)]
Label = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Record(BaseModel):
    """Unknown keys are refused: a misspelt rule must not be silently ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class File(_Record):
    """One file of the bundle and its digest."""

    path: RelativePath
    sha256: Sha256


class InputSpec(_Record):
    """What the network reads: RGB, 0-255 as float32, the whole picture squeezed to this size."""

    height: int = Field(ge=8, le=1024, description="pixels")
    width: int = Field(ge=8, le=1024, description="pixels")
    scaling: Literal["rgb-0-255"] = "rgb-0-255"


class Member(_Record):
    """One network: a frozen TensorFlow graph, placeholder ``image`` to ``probabilities``."""

    name: str
    graph: File


class Express(_Record):
    """A form of the first member that costs less, to be asked when the line is too long for it.

    ``engine`` runs the member's graph, with fewer digits. As found on labelled images: how often
    the form gives the member's own answer, and how much of its accuracy it loses.
    """

    engine: str
    agreement: Share
    lost: float = Field(ge=-1, le=1)


class IsNull(_Record):
    """When the answer is `isnull`, by the members' mean probabilities.

    That class has ``threshold`` or more, or no other class has ``least`` or more: the members have
    no idea.
    """

    label: str
    threshold: float = Field(gt=0, le=1)
    least: Share = 0.0


class Calibration(_Record):
    """How sure the averaged probabilities are.

    ``temperature`` sharpens (below 1) or softens (above 1) what is told of the full ensemble.
    ``exits`` has an entry for 1, 2, ... members, but not for all: where the likeliest class of
    their mean has that probability or more, all members would give the same answer. None: never.
    """

    temperature: float = Field(default=1.0, gt=0)
    exits: tuple[Share | None, ...] = ()


class Canvas(_Record):
    """A size at which the detector is compiled: sheets are made to fit, and padded."""

    height: int = Field(ge=64, le=2048, multiple_of=32, description="pixels")
    width: int = Field(ge=64, le=2048, multiple_of=32, description="pixels")


class Second(_Record):
    """What is shown the characters of a sheet that all members refuse, and knows others.

    ``graph``: as a member's; it tells how probable each of its ``labels`` is, and last none of
    them. From ``least`` on one of them is the answer.
    """

    graph: File
    labels: tuple[Label, ...] = Field(min_length=1)
    least: Share


class Sheet(_Record):
    """What finds the characters on a sheet, which the members then read, and what that may cost.

    ``detector``: a frozen TensorFlow graph, placeholder ``image`` to ``found``. It takes pictures
    of any size, so ``canvases`` says which are used. What it finds counts from ``threshold`` on. A
    character that is less probable than ``review`` is for a person to look at.
    """

    detector: File
    canvases: tuple[Canvas, ...] = Field(min_length=1)
    threshold: float = Field(gt=0, lt=1)
    margin: Share = Field(description="of its sides, with which a character is cut out")
    review: Share
    pages: int = Field(ge=1, description="at most so many of a file are read")
    task_limit_ms: int = Field(ge=100, description="a task may take so long, at the least, ms")
    task_memory_bytes: int = Field(ge=0, description="and so much memory, at the least, bytes")
    second: Second | None = None

    def files(self) -> tuple[File, ...]:
        """Those of its own."""
        return (self.detector, *((self.second.graph,) if self.second else ()))


class Golden(_Record):
    """A picture whose answer is known, for a sheet its text; loading reads it and compares."""

    image: File
    answer: str


class Manifest(_Record):
    """The whole manifest.

    ``engines``, ``accuracy``, ``provenance`` and ``licence`` are for people, the rest is obeyed.
    """

    format: Literal[1] = 1
    name: str = Field(pattern=f"^{NAME}$")
    version: str = Field(pattern=f"^{VERSION}$")
    labels: tuple[Label, ...] = Field(min_length=2, description="line number = class index")
    input: InputSpec
    members: tuple[Member, ...] = Field(min_length=1)
    engines: dict[str, Share] = Field(description="engine: agreement with the reference, 0-1")
    calibration: Calibration = Calibration()
    express: tuple[Express, ...] = ()
    isnull: IsNull | None = None
    sheet: Sheet | None = None
    golden: tuple[Golden, ...] = Field(min_length=1)
    accuracy: dict[str, Any]
    provenance: dict[str, Any]
    licence: str

    @model_validator(mode="after")
    def _answers_are_labels(self) -> Manifest:
        if twice := [label for label, times in Counter(self.labels).items() if times > 1]:
            raise ValueError(f"a label stands twice: {', '.join(twice)}")
        spoken = set() if self.sheet else {golden.answer for golden in self.golden}
        if self.isnull:
            spoken.add(self.isnull.label)
        second = self.sheet.second.labels if self.sheet and self.sheet.second else ()
        if twice := [label for label in second if label in self.labels]:
            raise ValueError(f"the members know them already: {', '.join(twice)}")
        if unknown := spoken - set(self.labels):
            raise ValueError(f"not among the labels: {', '.join(sorted(unknown))}")
        return self

    @model_validator(mode="after")
    def _one_exit_a_member(self) -> Manifest:
        if len(self.calibration.exits) not in (0, len(self.members) - 1):
            raise ValueError("calibration.exits needs an entry for every member but the last")
        return self

    def files(self) -> tuple[File, ...]:
        """Every file the bundle consists of, beside the manifest itself."""
        graphs = tuple(member.graph for member in self.members)
        of_sheet = self.sheet.files() if self.sheet else ()
        return graphs + of_sheet + tuple(golden.image for golden in self.golden)
