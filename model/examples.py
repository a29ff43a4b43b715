"""The examples: a bundle's golden images, which it must read as its manifest says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from model.bundle import Bundle
from model.errors import BundleInvalid, EngineFailed, ImageUnreadable
from model.manifest import Golden

if TYPE_CHECKING:
    from model.ensemble import Reading


class Examples:
    """In memory: the next release may take the folder's place while this one still works."""

    def __init__(self, bundle: Bundle, read: Callable[[bytes], Reading]) -> None:
        """``read``: what reads an image file to the end. ``images`` are the files."""
        self._bundle, self._read = bundle, read
        self.images = {
            golden.image: bundle.path(golden.image).read_bytes()
            for golden in bundle.manifest.golden
        }

    @property
    def first(self) -> bytes:
        """The image file of one of them."""
        return next(iter(self.images.values()))

    def check(self, golden: Golden) -> None:
        """Read one of them.

        Raises:
            BundleInvalid: it reads differently from what the manifest says.
        """
        where = f"{self._bundle.id}: {golden.image.path}"
        try:
            answer = self._read(self.images[golden.image]).answer
        except (EngineFailed, ImageUnreadable) as error:
            raise BundleInvalid(f"{where}: {error}") from error
        if answer != golden.answer:
            raise BundleInvalid(f"{where} reads {answer!r}, the manifest says {golden.answer!r}")
