"""Drawing: a page with boxes around its characters, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

# As probable as that is green, else orange; red is what nobody has read or the list does not have.
_SURE: Final = 0.9
_GREEN, _ORANGE, _RED, _GREY = (0, 150, 60), (235, 140, 0), (215, 30, 40), (130, 130, 130)


def drawn(picture: Image.Image, page: Mapping[str, Any], font: str | None = None) -> Image.Image:
    """The picture with the characters of ``page``, which is as ``model.page`` tells it.

    Print is framed in grey. With a ``font``, a file that has these characters, what was read stands
    above its box.
    """
    made = picture.copy()
    draw = ImageDraw.Draw(made)
    for printed in page["print"]:
        draw.rectangle(_corners(printed["box"]), outline=_GREY)
    for line in page["lines"]:
        for one in line["characters"]:
            left, top, right, bottom = _corners(one["box"])
            colour = _colour(one)
            draw.rectangle((left, top, right, bottom), outline=colour, width=2)
            if font is not None and one["text"]:
                size = max(10, (bottom - top) / 3)
                face = ImageFont.truetype(font, size)
                draw.text((left, top - 2), one["text"], colour, face, anchor="lb")
    return made


def _corners(box: list[float]) -> tuple[float, float, float, float]:
    x, y, w, h = box
    return x, y, x + w, y + h


def _colour(one: dict[str, Any]) -> tuple[int, int, int]:
    if one["text"] is None:
        return _RED
    return _GREEN if one["confidence"] >= _SURE else _ORANGE
