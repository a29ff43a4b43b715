"""The Lua scripts: each is one step, that happens in Redis once or not at all.

They know the keys by the names that ``keys`` gives them, share what is in ``lua/head.lua`` and
``lua/shared.lua``, and take the time from Redis. So clocks of other machines are never compared.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from redis import Redis

from workers.contract import keys
from workers.contract.clock import Clock

_LUA = Path(__file__).with_name("lua")
_KEYS = {
    name: value
    for name, value in vars(keys).items()
    if name.isupper() and not name.startswith("_") and isinstance(value, str)
}
_NAMES = "\n".join(f"local {name} = '{value}'" for name, value in _KEYS.items())
# Written out: a step has no time to look for the place of the line in a dozen keys.
_ENTER = "\n".join(
    (
        "local line\nlocal function enter(name)\n  line = name",
        *(
            "  {} = '{}' .. name .. '{}'".format(name, *value.split("{line}"))
            for name, value in _KEYS.items()
            if "{line}" in value  # as `keys.of` has it
        ),
        "end",
    )
)

Script = Callable[..., Any]


def _read(name: str) -> str:
    return (_LUA / f"{name}.lua").read_text()


class Scripts:
    """Loads them. ``clock`` takes the place of Redis' own in tests."""

    def __init__(self, redis: Redis, lease_ms: int, clock: Clock | None = None) -> None:
        self._redis = redis
        self._lease_ms = lease_ms
        self._clock = clock

    def load(self, name: str, *first: str) -> Script:
        """One step, called with its line, or algorithm, and the other arguments that it names.

        ``first``: files that may end it. What takes a script its time is to make the functions that
        it might need, so they stand before those of ``lua/shared.lua``.
        """
        before = (_read(file) for file in ("head", *first))
        texts = (_NAMES, *before, _ENTER, _read("shared"), _read(name))
        script = self._redis.register_script("\n".join(texts))

        def step(*arguments: Any) -> Any:
            now_ms = self._clock() if self._clock else ""
            return script(args=[now_ms, self._lease_ms, *arguments])

        return step
