"""Pictures to send: as many different ones as a run needs, and what each shows.

A service may keep answers by content, so no two calls of a run get the same bytes. Beyond the
pictures there are, a JPEG comment that no decoder shows tells one from the next.
"""

from __future__ import annotations

import base64
import io
import itertools
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from bench.errors import BenchError
from model.bundle import Bundle

_START = b"\xff\xd8"
_COMMENT = b"\xff\xfe"

# What a pixel of coloured noise takes in a JPEG of quality 90 and full colour resolution.
_BYTES_A_PIXEL = 1.9


class Picture(NamedTuple):
    """A JPEG file, and the answer that is right."""

    jpeg: bytes
    label: str

    @classmethod
    def of_noise(cls, size: float) -> Picture:
        """A JPEG of about so many bytes, that costs what its size says to carry and to decode."""
        side = round((size / _BYTES_A_PIXEL) ** 0.5)
        pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "JPEG", quality=90, subsampling=0)
        return cls(stream.getvalue(), "isnull")

    def marked(self, number: int) -> Picture:
        """The same pixels in a file of its own."""
        text = b"%d" % number
        comment = _COMMENT + (len(text) + 2).to_bytes(2, "big") + text
        return self._replace(jpeg=_START + comment + self.jpeg[len(_START) :])

    @property
    def base64(self) -> bytes:
        """As the contract wants it."""
        return base64.b64encode(self.jpeg)


class Pictures:
    """An endless supply of different pictures."""

    def __init__(self, pictures: list[Picture], source: str) -> None:
        self._pictures = pictures
        self.source = source

    @property
    def first(self) -> Picture:
        """One of them, to try a server with."""
        return self._pictures[0]

    def __iter__(self) -> Iterator[Picture]:
        return self.marked(0)

    def marked(self, first: int) -> Iterator[Picture]:
        """All of them, again and again, with numbers from there on."""
        for number in itertools.count(first):
            yield self._pictures[(number - first) % len(self._pictures)].marked(number)

    @classmethod
    def varied(cls, folder: Path, count: int, seed: int = 0) -> Pictures:
        """From a bundle's golden images: brighter, darker, noisier; labels are the bundle's own."""
        bundle = Bundle.open(folder)
        random = np.random.default_rng(seed)
        golden = bundle.manifest.golden
        pictures = []
        for number in range(count):
            example = golden[number % len(golden)]
            with Image.open(bundle.path(example.image)) as image:
                pixels = np.asarray(image.convert("RGB"), np.float32)
            varied = pixels * random.uniform(0.92, 1.04) + random.normal(0, 2, pixels.shape)
            pictures.append(Picture(_jpeg(varied), example.answer))
        return cls(pictures, f"{len(golden)} golden images of {bundle.id}, varied")

    @classmethod
    def read(cls, path: Path) -> Pictures:
        """From a folder or a tar of ``<id>_<label>.jpg``.

        Raises:
            BenchError: nothing there, or a file of another kind.
        """
        try:
            files = _from_folder(path) if path.is_dir() else _from_tar(path)
        except (OSError, tarfile.TarError) as error:
            raise BenchError(f"{path} is neither a folder nor a tar: {error}") from error
        pictures = []
        for name, data in sorted(files.items()):
            _, _, label = Path(name).stem.partition("_")
            if not label or not data.startswith(_START):
                raise BenchError(f"{path}: {name} is not a JPEG file named <id>_<label>.jpg")
            pictures.append(Picture(data, label))
        if not pictures:
            raise BenchError(f"{path} holds no <id>_<label>.jpg")
        return cls(pictures, f"{len(pictures)} images of {path.name}")


def _jpeg(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _from_folder(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.glob("*.jpg")}


def _from_tar(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        members = [member for member in tar if member.isfile() and member.name.endswith(".jpg")]
        streams = {member.name: tar.extractfile(member) for member in members}
        return {name: stream.read() for name, stream in streams.items() if stream}
