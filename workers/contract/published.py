"""The published cards: what fronts show of algorithms, with their pictures, as Redis has them."""

from __future__ import annotations

from typing import Any

from redis import Redis

from workers.contract.card import Card
from workers.contract.keys import CARDS, PICTURES


class PublishedCards:
    """Methods raise ``redis.RedisError`` when Redis is away."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def all(self) -> dict[str, Card]:
        """By algorithm."""
        cards: Any = self._redis.hgetall(CARDS)
        return {name.decode(): Card.parse(card) for name, card in cards.items()}

    def of(self, algorithm: str) -> Card | None:
        """The card of one algorithm, if it has one."""
        card: Any = self._redis.hget(CARDS, algorithm)
        return Card.parse(card) if card else None

    def picture(self, algorithm: str) -> bytes:
        """The picture's file; empty where there is none."""
        picture: Any = self._redis.hget(PICTURES, algorithm)
        return picture or b""

    def publish(self, card: Card, picture: bytes) -> None:
        """Show these, in the place of any before."""
        with self._redis.pipeline() as pipeline:
            pipeline.hset(CARDS, card.name, card.to_json())
            pipeline.hset(PICTURES, card.name, picture)
            pipeline.execute()
