"""Packages of shapes made into one file each: a TrueType font, or a table of pen strokes."""

import io
import json
import re
import tarfile
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.filterPen import DecomposingFilterPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

REGULAR = "-400-normal.woff2"
STROKE_FILE = re.compile(r"package/(.)\.json")


def font_of(tarball: bytes, characters: Collection[str]) -> bytes:
    """One TrueType font of these characters, out of a package's many web fonts of few each.

    The outlines are kept, hints and everything else are not. Raises ValueError, or what tarfile
    and fontTools raise, when the package is of another kind.
    """
    wanted = set(map(ord, characters))
    glyphs = {".notdef": TTGlyphPen(None).glyph()}
    advances = {".notdef": 1000}
    names: dict[int, str] = {}
    for data in _files(tarball, REGULAR):
        with TTFont(io.BytesIO(data)) as part:
            codes = sorted(wanted & part.getBestCmap().keys() - names.keys())
            drawn = part.getGlyphSet() if codes else {}
            for code in codes:
                source = part.getBestCmap()[code]
                names[code] = f"u{code:x}"
                glyphs[names[code]] = _outline(drawn, source)
                advances[names[code]] = drawn[source].width
            units, line = part["head"].unitsPerEm, part["hhea"]
            ascent, descent = line.ascent, line.descent
    if not names:
        raise ValueError("no web fonts of these characters")
    builder = FontBuilder(units, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap(names)
    builder.setupGlyf(glyphs)
    # A glyph is drawn where its left bearing says, whatever its coordinates are.
    left = {name: getattr(glyph, "xMin", 0) for name, glyph in builder.font["glyf"].glyphs.items()}
    builder.setupHorizontalMetrics({name: (advances[name], left[name]) for name in glyphs})
    builder.setupHorizontalHeader(ascent=ascent, descent=descent)
    builder.setupNameTable({"familyName": "Shapes", "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=ascent, sTypoDescender=descent)
    builder.setupPost()
    written = io.BytesIO()
    builder.save(written)
    return written.getvalue()


def strokes_of(tarball: bytes, characters: Collection[str]) -> bytes:
    """A JSON object of the middle lines of each character's strokes, in writing order.

    Points are (x, y) in an em of 1024 units, y upwards, the top at 900.
    """
    wanted, medians = set(characters), {}
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
        for member in archive:
            named = STROKE_FILE.fullmatch(member.name)
            stream = archive.extractfile(member) if named and named[1] in wanted else None
            if named and stream:
                medians[named[1]] = json.load(stream)["medians"]
    if not medians:
        raise ValueError("no strokes of these characters")
    return json.dumps(medians, ensure_ascii=False, separators=(",", ":")).encode()


def _outline(drawn: object, name: str) -> object:
    """A glyph of its own contours alone."""
    pen = TTGlyphPen(None)
    drawn[name].draw(DecomposingFilterPen(pen, drawn))  # type: ignore[index]
    return pen.glyph()


def _files(tarball: bytes, ending: str) -> Iterator[bytes]:
    with tarfile.open(fileobj=io.BytesIO(tarball)) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.name.endswith(ending) else None
            if stream and PurePosixPath(member.name).parts[:1] == ("package",):
                yield stream.read()
