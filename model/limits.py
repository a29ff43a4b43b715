"""What a picture may cost: known from its headers, before a pixel is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from model.errors import ImageUnreadable

# A few kilobytes can declare gigapixels.
MAX_PIXELS: Final = 4_000_000
MAX_SHEET_PIXELS: Final = 40_000_000

# A progressive JPEG has about ten; every scan, of a few bytes, costs a pass over all pixels.
MAX_JPEG_SCANS: Final = 100

# Every strip or tile of a TIFF is set up for itself.
MAX_SEGMENTS: Final = 65_536

# Blank strips may share their bytes; millions of them may not share all of the file.
MAX_TIMES_READ: Final = 4


@dataclass(frozen=True)
class Limits:
    """So many pixels may a picture have; the advice is for whoever sends more of something."""

    pixels: int
    advice: str

    @property
    def unpacked_pixels(self) -> int:
        """Tiles stick out over the picture's edge: 2,048 x 2,048 for 2,000 x 2,000."""
        return 2 * self.pixels

    def refuse_above(self, limit: int, found: int, things: str) -> None:
        """Raise ``ImageUnreadable`` if there is more of something than is read."""
        if found > limit:
            raise ImageUnreadable(
                f"the image has {found:,} {things}; at most {limit:,} are read. {self.advice}"
            )


CHARACTER: Final = Limits(MAX_PIXELS, "Send the cropped character as a plain file.")
SHEET: Final = Limits(MAX_SHEET_PIXELS, "Send a scan of 300 dpi as a plain file.")
