"""A font made for tests: its characters are upright bars."""

from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen


def bar(width: int, height: int) -> object:
    """An upright bar `width` units wide in an em of 1000; nothing when 0."""
    pen = TTGlyphPen(None)
    if width:
        pen.moveTo((500 - width // 2, 0))
        for corner in (
            (500 - width // 2, height),
            (500 + width // 2, height),
            (500 + width // 2, 0),
        ):
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()


def make_font(path: Path, widths: dict[str, int], height: int = 800) -> None:
    """A font whose characters are bars of these widths."""
    builder = FontBuilder(1000, isTTF=True)
    names = [".notdef", *(f"u{ord(character):x}" for character in widths)]
    builder.setupGlyphOrder(names)
    builder.setupCharacterMap({ord(c): f"u{ord(c):x}" for c in widths})
    bars = [bar(width, height) for width in (100, *widths.values())]
    builder.setupGlyf(dict(zip(names, bars, strict=True)))
    builder.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": "Bars", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)
