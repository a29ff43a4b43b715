"""``python -m web accounts``: who may ask, what and how much.

It writes the file that ACCOUNTS names; fronts know of a change within a second.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import re
import sqlite3
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from web.settings import AccountSettings
from workers.contract.account import Account, Right
from workers.contract.accounts import Accounts, NoAccounts, Unfit
from workers.contract.clock import Clock, wall_clock_ms

_LOCKED_MS = 5_000
_HOUR_MS = 3_600_000

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,29}")

_ONCE = "It is shown this once: only its SHA-256 is kept."


@dataclasses.dataclass(frozen=True)
class Commands:
    """Each takes its arguments and tells what it has done, a line at a time."""

    accounts: Accounts
    clock: Clock = wall_clock_ms

    def add(self, arguments: argparse.Namespace) -> Iterator[str]:
        """A new account, with its first key."""
        yield self.accounts.add(_changed(Account(arguments.name), arguments), self.clock())
        yield _ONCE

    def rotate(self, arguments: argparse.Namespace) -> Iterator[str]:
        """Another key; the one before it is valid for a while."""
        now_ms = self.clock()
        until_ms = now_ms + round(arguments.hours * _HOUR_MS)
        yield self.accounts.rotate(arguments.name, now_ms, until_ms)
        yield f"{_ONCE} The key before it is valid until {_time(until_ms)}."

    def limit(self, arguments: argparse.Namespace) -> Iterator[str]:
        """Other limits, algorithms or rights; what is not named stays."""
        account = _changed(self.accounts.account(arguments.name), arguments)
        self.accounts.limit(account)
        yield _told(account)

    def revoke(self, arguments: argparse.Namespace) -> Iterator[str]:
        """A key, or the account with all of them; what it has used is still told."""
        self.accounts.revoke(arguments.name, arguments.key)
        yield f"revoked: {arguments.key or 'all keys'} of {arguments.name}"

    def list(self, _: argparse.Namespace) -> Iterator[str]:
        """All accounts, with the names of their keys."""
        keys = self.accounts.keyring()
        for account in self.accounts.all().values():
            yield _told(account)
            for key in keys:
                if key.account == account.name:
                    until = "" if key.ends_ms is None else f", until {_time(key.ends_ms)}"
                    yield f"  key {key.id}{until}"


def _changed(account: Account, arguments: argparse.Namespace) -> Account:
    """With what the arguments name.

    Raises:
        Unfit: a burst without a rate.
    """
    limits = account.limits
    if arguments.rate is not None:
        # As many at once as come in a second.
        limits = limits._replace(rate=arguments.rate, burst=math.ceil(arguments.rate))
    if arguments.burst is not None:
        limits = limits._replace(burst=arguments.burst)
    if arguments.quota is not None:
        limits = limits._replace(quota=arguments.quota)
    if bool(limits.rate) != bool(limits.burst):
        raise Unfit("A burst needs a rate, and a rate a burst of at least 1.")
    if arguments.algorithm:
        every = "all" in arguments.algorithm
        account = account._replace(algorithms=None if every else frozenset(arguments.algorithm))
    if arguments.right:
        account = account._replace(rights=frozenset(map(Right, set(arguments.right) - {"none"})))
    return account._replace(limits=limits)


def _told(account: Account) -> str:
    rate, burst, quota = (value or "any" for value in account.limits)
    algorithms = "all" if account.algorithms is None else ", ".join(sorted(account.algorithms))
    rights = ", ".join(sorted(account.rights)) or "none"
    return (
        f"{account.name}: {rate} requests a second, {burst} at once, {quota} units a month; "
        f"algorithms: {algorithms}; rights: {rights}"
    )


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m web", description=__doc__)
    accounts = parser.add_subparsers(required=True).add_parser("accounts", help="who may ask")
    commands = accounts.add_subparsers(dest="command", required=True)
    parsers = {
        name: commands.add_parser(name, help=told, description=told)
        for name in ("add", "rotate", "limit", "revoke", "list")
        if (told := getattr(Commands, name).__doc__)
    }
    for name in ("add", "rotate", "limit", "revoke"):
        parsers[name].add_argument("name", type=_account_name, help="of the account")
    for name in ("add", "limit"):
        options = parsers[name]
        options.add_argument("--rate", type=_amount, help="new requests a second, 0 for any number")
        options.add_argument("--burst", type=_count, help="of these, so many at once; as the rate")
        options.add_argument("--quota", type=_amount, help="units a month, 0 for any number")
        options.add_argument("--algorithm", action="append", help="which it may ask; all")
        options.add_argument(
            "--right", action="append", choices=[*Right, "none"], help="what else it may"
        )
    parsers["rotate"].add_argument(
        "--hours", type=_amount, default=24.0, help="for which the key before stays valid; 24"
    )
    parsers["revoke"].add_argument("key", nargs="?", help="one of them alone, as list names it")
    return parser


def _account_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(
            "up to 30 small letters, digits and -, and begins with a letter or digit"
        )
    return text


def _amount(text: str) -> float:
    amount = float(text)
    if not 0 <= amount < math.inf:
        raise argparse.ArgumentTypeError("not below 0, and finite")
    return amount


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError("not below 0")
    return count


def main(words: list[str] | None = None) -> int:
    """Do what the words say; the exit status."""
    arguments = _parser().parse_args(words)
    path = AccountSettings.read().accounts
    if not path:
        print("ACCOUNTS names no file: export ACCOUNTS=PATH, as the front has it.", file=sys.stderr)
        return 1
    try:
        with Accounts(Path(path), _LOCKED_MS, begin=arguments.command == "add") as accounts:
            for line in getattr(Commands(accounts), arguments.command)(arguments):
                print(line)
    except (NoAccounts, Unfit, OSError, sqlite3.Error) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
