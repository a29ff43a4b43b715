"""Cards that are registered: checked, kept in files, and published again where Redis lost them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import AnyRedis
from workers.cards import Cards
from workers.contract.card import CardInvalid
from workers.contract.published import PublishedCards

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


class Desk:
    """Where cards are handed in."""

    def __init__(self, redis: AnyRedis, folder: Path) -> None:
        self.redis = redis.client
        self.published = PublishedCards(self.redis)
        self.cards = Cards(folder / "store", self.published)
        self.folder = folder

    def file(self, **fields: object) -> Path:
        path = self.folder / "register.json"
        card = {"name": "forms", "title": "讀表單", "type": "image", **fields}
        path.write_text(json.dumps(card))
        return path


@pytest.fixture
def desk(memory: AnyRedis, tmp_path: Path) -> Desk:
    return Desk(memory, tmp_path)


def test_a_card_is_shown_with_its_picture(desk: Desk) -> None:
    (desk.folder / "forms.png").write_bytes(PNG)
    desk.cards.register(desk.file(image_key="forms.png"))
    card = desk.published.of("forms")
    assert card
    assert card.title == "讀表單"
    assert desk.published.picture("forms") == PNG


def test_another_card_takes_its_place(desk: Desk) -> None:
    (desk.folder / "forms.png").write_bytes(PNG)
    desk.cards.register(desk.file(image_key="forms.png"))
    desk.cards.register(desk.file(title="表單"))
    card = desk.published.of("forms")
    assert card
    assert card.title == "表單"
    assert desk.published.picture("forms") == b""


def test_a_redis_that_has_lost_them_is_given_them_again(desk: Desk) -> None:
    (desk.folder / "forms.png").write_bytes(PNG)
    desk.cards.register(desk.file(image_key="forms.png"))
    before = desk.published.all()
    desk.redis.flushall()
    desk.cards.restore()
    assert desk.published.all() == before
    assert desk.published.picture("forms") == PNG


@pytest.mark.parametrize(
    ("key", "content", "told"),
    [
        ("../forms.png", PNG, "must be the name of a file beside the card"),
        ("absent.png", None, "absent.png cannot be read: No such file"),
        ("forms.svg", b"<svg onload='alert(1)'/>", "is no PNG, JPEG, GIF or WebP picture"),
        ("huge.png", PNG + bytes(500_000), "is larger than 500000 bytes"),
    ],
)
def test_a_picture_that_cannot_be_shown_is_refused_with_its_card(
    desk: Desk, key: str, content: bytes | None, told: str
) -> None:
    if content is not None:
        (desk.folder / key).write_bytes(content)
    with pytest.raises(CardInvalid, match=f"image_key: .*{told}"):
        desk.cards.register(desk.file(image_key=key))
    assert desk.published.all() == {}
    desk.cards.restore()
    assert desk.published.all() == {}


def test_a_wrong_card_is_refused_with_the_field_and_what_was_found(desk: Desk) -> None:
    with pytest.raises(CardInvalid, match="title: 63 bytes, at most 60"):
        desk.cards.register(desk.file(title="表" * 21))
    with pytest.raises(CardInvalid, match=r"absent.json cannot be read"):
        desk.cards.register(desk.folder / "absent.json")
