"""The query: what a caller says behind the question mark."""

from __future__ import annotations

from collections.abc import Collection

from flask import request

from web.problems import FieldInvalid


def require_known(names: Collection[str]) -> None:
    """Raise when something else is said, which would look as if it had been heeded.

    Raises:
        FieldInvalid: 422.
    """
    for name in request.args:
        if name not in names:
            raise FieldInvalid(f"{name[:40]}: not one of {', '.join(names)}.")


def number(name: str, default: int, most: int) -> int:
    """One that is said, from 1 on.

    Raises:
        FieldInvalid: it is none.
    """
    text = request.args.get(name, str(default))
    if not text.isascii() or not text.isdigit():
        raise FieldInvalid(f"{name}: not a number. Leave it out, or take it from a reply.")
    return max(1, min(int(text), most))
