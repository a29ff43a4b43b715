"""The guard: whose key a request has, and whether that account may do what it asks for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from flask import Blueprint, current_app, g, request

from web.account_problems import Forbidden, RateLimited, Unauthorized
from web.books import Books
from web.openapi.operation import operation_of
from workers.contract.account import Account, Right, filed, name_and_secret
from workers.contract.clock import Clock

# Wrong keys that an address may send at once, and after how long one more.
_GUESSES = 20
_ANOTHER_AFTER_MS = 3_000
_MOST_ADDRESSES = 10_000
_LONGEST_ADDRESS = 45

_DOES = {
    Right.USAGE: "look at what was used",
    Right.JOBS: "use jobs",
    Right.OPERATE: "look at how everything is",
}


class Guesses:
    """Who has sent wrong keys, by address.

    Whoever has sent too many of them is not told any more whether another key is one, but for keys
    that have been right from there before.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        # When each address may have all its guesses again, in epoch milliseconds.
        self._free_at_ms: OrderedDict[str, int] = OrderedDict()
        self._proven: OrderedDict[tuple[str, str], None] = OrderedDict()

    def require_left(self, address: str, key: str) -> None:
        """Raise when there is no guess left.

        Raises:
            RateLimited: 429.
        """
        if not self._free_at_ms:
            return
        owed_ms = self._free_at_ms.get(address, 0) - self._clock()
        again_ms = owed_ms - (_GUESSES - 1) * _ANOTHER_AFTER_MS
        if again_ms > 0 and (address, key) not in self._proven:
            raise RateLimited(
                -(-again_ms // 1000),
                "Too many wrong keys came from this address. Send the right one after Retry-After "
                "seconds.",
            )

    def wrong(self, address: str) -> None:
        """A wrong key came from there."""
        now_ms = self._clock()
        free_at_ms = max(now_ms, self._free_at_ms.pop(address, 0)) + _ANOTHER_AFTER_MS
        self._free_at_ms[address] = free_at_ms
        if len(self._free_at_ms) > _MOST_ADDRESSES:
            self._free_at_ms.popitem(last=False)

    def right(self, address: str, key: str) -> None:
        """The key of this name was right."""
        if (address, key) not in self._proven:
            self._proven[address, key] = None
            if len(self._proven) > _MOST_ADDRESSES:
                self._proven.popitem(last=False)


class Guard:
    """Lets nobody in who has no account, once there are accounts."""

    def __init__(self, books: Books, clock: Clock) -> None:
        self._books = books
        self._guesses = Guesses(clock)

    def watch(self, blueprint: Blueprint) -> Blueprint:
        """Have requests to its views checked, after what it does before them itself."""
        if self._books.is_on:
            blueprint.before_request(self._check)
        return blueprint

    def _check(self) -> None:
        operation = operation_of(current_app.view_functions[request.endpoint or ""])
        # What tells nothing of itself is the operator's.
        needs = operation.needs if operation else Right.OPERATE
        if operation and operation.is_open:
            return
        account = self.let_in(request.environ)
        if account and needs is not None and not account.has(needs):
            raise Forbidden(_DOES[needs])

    def let_in(self, environ: Mapping[str, str]) -> Account | None:
        """Whose request this is, whatever it is for; None while there are no accounts.

        Raises:
            Unauthorized: it has no key, or none that is valid.
            RateLimited: too many wrong ones came from there.
        """
        if not self._books.is_on:
            return None
        account: Account = self._account(environ)
        g.account = account
        return account

    def _account(self, environ: Mapping[str, str]) -> Account:
        """Out of WSGI's own dictionary: Flask's view of the headers takes ten times as long."""
        name, secret = name_and_secret(_sent(environ))
        # nginx says from where it was asked.
        address = environ.get("HTTP_X_REAL_IP") or environ.get("REMOTE_ADDR", "")
        address = address[:_LONGEST_ADDRESS]
        self._guesses.require_left(address, name)
        if not name:
            raise Unauthorized
        account = self._books.account(name, secret) or self._books.look_up(name, secret)
        if account is None:
            self._guesses.wrong(address)
            raise Unauthorized
        self._guesses.right(address, name)
        return account


def account_of_request() -> Account | None:
    """Whose the current request is; None while there are no accounts."""
    account: Account | None = g.get("account")
    return account


def account_name() -> str:
    """Of that account; empty while there are none."""
    account = account_of_request()
    return account.name if account else ""


def own(name: str) -> str:
    """The id of a job or upload that the current request's account calls so."""
    return filed(account_name(), name)


def _sent(environ: Mapping[str, str]) -> str:
    """The key as it was sent; empty where there is none."""
    kind, _, key = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else environ.get("HTTP_X_API_KEY", "")
