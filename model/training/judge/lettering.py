"""Lettering: which of the fonts at hand writes the characters under a picture."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from fontTools.ttLib import TTFont, TTLibError

from model.training.errors import DataError

SUFFIXES = (".ttf", ".ttc", ".otf")
INSTALLED = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
    Path.home() / ".local/share/fonts",
    Path.home() / ".fonts",
)


class Lettering:
    """The fonts below a folder, or those installed."""

    def __init__(self, folder: Path | None = None) -> None:
        """Raises DataError when there is no font in the folder that can be read."""
        faces = dict(_faces((folder,) if folder else INSTALLED))
        if folder and not faces:
            raise DataError(f"{folder}: no font that can be read ({', '.join(SUFFIXES)})")
        self._faces = {**dict(_read(latin())), **faces}

    def best(self, texts: Sequence[str]) -> tuple[Path, list[str]]:
        """The font that has most of the characters, and the texts as they can be written with it.

        What it lacks is spelled as a code point, U+5FB7. Only fonts with all of the plain letters
        and signs among the characters are considered.
        """
        wanted = {*"".join(texts)}
        plain = {each for each in wanted if each.isascii() and each.isprintable()}
        able = {path: has for path, has in self._faces.items() if plain <= has}
        path = max(able, key=lambda each: len(wanted & able[each]))
        return path, [_spelled(text, able[path]) for text in texts]


def latin() -> Path:
    """A font that comes with matplotlib, so that there is always one."""
    import matplotlib  # half a second, which whoever asks for help need not wait

    return Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


def _spelled(text: str, known: set[str]) -> str:
    """The text with every character that is not `known` as its code point."""
    return "".join(each if each in known else f"U+{ord(each):04X}" for each in text)


def _faces(folders: Sequence[Path]) -> Iterator[tuple[Path, set[str]]]:
    """Every font file below the folders with the characters it has; others are passed over."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in SUFFIXES:
                yield from _read(path)


def _read(path: Path) -> Iterator[tuple[Path, set[str]]]:
    """One, or none when the file is no font or damaged."""
    try:
        with path.open("rb") as file, TTFont(file, fontNumber=0, lazy=True) as tables:
            yield path, set(map(chr, tables.getBestCmap() or {}))
    except (OSError, TTLibError):
        return
