"""Which characters there are beside those of a label list."""

from collections.abc import Iterable


def common_characters() -> set[str]:
    """The frequent characters of the Traditional (Big5) and Simplified (GB 2312) standards."""
    return traditional_characters() | set(_decoded("gb2312", range(0xB0, 0xD8)))


def traditional_characters() -> set[str]:
    """The frequent characters of the Traditional standard, Big5."""
    return set(_decoded("big5", range(0xA4, 0xC7)))


def _decoded(encoding: str, leads: Iterable[int]) -> list[str]:
    trails = (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    pairs = (bytes((lead, trail)) for lead in leads for trail in trails)
    decoded = (pair.decode(encoding, errors="ignore") for pair in pairs)
    return [text for text in decoded if len(text) == 1 and "\u4e00" <= text <= "\u9fff"]
