"""The cards that were registered, with their pictures: files beside the stored bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from workers.contract.card import Card, CardInvalid
from workers.contract.published import PublishedCards

_FOLDER: Final = ".cards"
_CARD, _PICTURE = ".json", ".picture"

_MAX_PICTURE_BYTES: Final = 500_000
# By how such a file begins. SVG is none of them: it may hold scripts, which a browser would run.
_SIGNATURES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")


class Cards:
    """Those in ``folder``, the bundle store. Redis has a copy, which fronts show."""

    def __init__(self, folder: Path, published: PublishedCards) -> None:
        self._folder = folder / _FOLDER
        self._published = published

    def register(self, path: Path) -> Card:
        """Take in a card's file, and the picture beside it that its ``image_key`` names.

        Raises:
            CardInvalid: a line for each thing that is wrong with it.
            OSError: the store cannot be written.
            redis.RedisError: Redis is away; the keeper publishes what is stored by then.
        """
        try:
            card = Card.parse(path.read_bytes())
        except OSError as error:
            raise CardInvalid(f"{path} cannot be read: {error.strerror}") from error
        picture = _picture(path.parent, card.image_key)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._put(card.name + _PICTURE, picture)
        self._put(card.name + _CARD, card.to_json().encode())
        self._published.publish(card, picture)
        return card

    def restore(self) -> None:
        """Publish those that Redis lacks.

        Raises:
            redis.RedisError: Redis is away.
        """
        published = self._published.all()
        for path in self._folder.glob(f"[!.]*{_CARD}"):
            if path.stem not in published:
                picture = path.with_suffix(_PICTURE).read_bytes()
                self._published.publish(Card.parse(path.read_bytes()), picture)

    def _put(self, name: str, content: bytes) -> None:
        """In one step, for whoever reads it meanwhile."""
        scratch = self._folder / f".{name}"
        scratch.write_bytes(content)
        scratch.replace(self._folder / name)


def _picture(folder: Path, key: str) -> bytes:
    """The picture's bytes; none where the card names none."""
    if not key:
        return b""
    if Path(key).name != key:
        raise CardInvalid("image_key: must be the name of a file beside the card")
    try:
        with (folder / key).open("rb") as file:
            picture = file.read(_MAX_PICTURE_BYTES + 1)
    except OSError as error:
        raise CardInvalid(f"image_key: {key} cannot be read: {error.strerror}") from error
    if len(picture) > _MAX_PICTURE_BYTES:
        raise CardInvalid(f"image_key: {key} is larger than {_MAX_PICTURE_BYTES} bytes")
    if not picture.startswith(_SIGNATURES):
        raise CardInvalid(f"image_key: {key} is no PNG, JPEG, GIF or WebP picture")
    return picture
