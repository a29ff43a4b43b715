"""The accounts, their keys and what they have used: an SQLite file, which outlives Redis."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import add
from pathlib import Path
from typing import Any, Final, NamedTuple, Self
from urllib.parse import quote

from workers.contract.account import Account, Key, Limits, Right

VERSION: Final = 1
_SCHEMA = Path(__file__).with_name("accounts.sql")


class NoAccounts(Exception):
    """The file is not there or none of this release. The message tells what to do."""


class Unfit(Exception):
    """It cannot be done. The message tells the operator why."""


class Use(NamedTuple):
    """Whose row of usage it is."""

    month: str
    account: str
    algorithm: str


class Amount(NamedTuple):
    """What was asked and given.

    ``requests`` are all replies, ``refused`` those with a status from 400 on. ``members`` and
    ``compute_us`` (microseconds) are those of what was ``computed``.
    """

    requests: int = 0
    units: float = 0
    computed: int = 0
    joined: int = 0
    kept: int = 0
    refused: int = 0
    members: int = 0
    compute_us: int = 0

    def plus(self, other: Amount) -> Amount:
        """Both together."""
        return Amount._make(map(add, self, other))


class Accounts:
    """Methods raise ``sqlite3.Error`` when the file cannot be read or written."""

    def __init__(self, path: Path, timeout_ms: int, *, begin: bool = False) -> None:
        """Open it.

        Args:
            path: the file.
            timeout_ms: how long to wait for who has locked it.
            begin: make it where there is none.

        Raises:
            NoAccounts: there is none of this release.
        """
        if begin:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
        if not path.exists():
            raise NoAccounts(f"{path} is not there. Begin it: python -m web accounts add NAME")
        uri = f"file:{quote(str(path.absolute()))}?mode=rw"
        self._db = sqlite3.connect(uri, timeout=timeout_ms / 1000, uri=True)
        try:
            self._prepare(path, begin=begin)
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def edition(self) -> int:
        """Another one after every change of accounts or keys."""
        (number,) = self._db.execute("SELECT number FROM edition").fetchone()
        return int(number)

    def all(self) -> dict[str, Account]:
        """By name."""
        rows = self._db.execute(
            "SELECT name, rate, burst, quota, algorithms, rights FROM accounts ORDER BY name"
        )
        return {row[0]: _account(*row) for row in rows}

    def keyring(self) -> list[Key]:
        """Those of all accounts, the oldest of each first."""
        rows = self._db.execute(
            "SELECT id, sha256, account, ends_ms FROM keys ORDER BY account, made_ms, id"
        )
        return [Key(*row) for row in rows]

    def add(self, account: Account, now_ms: int) -> str:
        """A new account, with its first key, which is returned as it is to be sent.

        Raises:
            Unfit: there is one of this name.
        """
        with self._changing():
            try:
                self._db.execute(
                    "INSERT INTO accounts VALUES (:name, :rate, :burst, :quota, :algorithms, "
                    ":rights)",
                    _row(account),
                )
            except sqlite3.IntegrityError as error:
                raise Unfit(f"There is an account {account.name} already.") from error
            return self._new_key(account.name, now_ms)

    def rotate(self, name: str, now_ms: int, old_until_ms: int) -> str:
        """A second key, which is returned; the one before it is valid until then, others no more.

        Raises:
            Unfit: there is no such account.
        """
        self.account(name)
        with self._changing():
            # The latest key is the one that has no end yet.
            self._db.execute("DELETE FROM keys WHERE account = ? AND ends_ms IS NOT NULL", [name])
            self._db.execute("UPDATE keys SET ends_ms = ? WHERE account = ?", [old_until_ms, name])
            return self._new_key(name, now_ms)

    def limit(self, account: Account) -> None:
        """What it may from now on.

        Raises:
            Unfit: there is no such account.
        """
        self.account(account.name)
        with self._changing():
            self._db.execute(
                "UPDATE accounts SET rate = :rate, burst = :burst, quota = :quota, "
                "algorithms = :algorithms, rights = :rights WHERE name = :name",
                _row(account),
            )

    def revoke(self, name: str, key: str | None = None) -> None:
        """Let nobody in any more: with this key, or with any of the account, which goes with them.

        Raises:
            Unfit: there is no such account, or it has no such key.
        """
        self.account(name)
        with self._changing():
            if key is None:
                self._db.execute("DELETE FROM keys WHERE account = ?", [name])
                self._db.execute("DELETE FROM accounts WHERE name = ?", [name])
                return
            done = self._db.execute("DELETE FROM keys WHERE account = ? AND id = ?", [name, key])
            if not done.rowcount:
                raise Unfit(f"{name} has no key {key}. See: python -m web accounts list")

    def account(self, name: str) -> Account:
        """One of them.

        Raises:
            Unfit: there is none of this name.
        """
        found = self.all().get(name)
        if found is None:
            raise Unfit(f"There is no account {name}. See: python -m web accounts list")
        return found

    def use(self, used: Mapping[Use, Amount]) -> None:
        """Add this to what was used, all of it or nothing."""
        columns = ", ".join((*Use._fields, *Amount._fields))
        places = ", ".join("?" * (len(Use._fields) + len(Amount._fields)))
        added = ", ".join(f"{name} = {name} + excluded.{name}" for name in Amount._fields)
        with self._db:
            self._db.executemany(
                f"INSERT INTO usage ({columns}) VALUES ({places}) "  # noqa: S608
                f"ON CONFLICT DO UPDATE SET {added}",
                [(*use, *amount) for use, amount in used.items()],
            )

    def units(self, month: str) -> dict[str, float]:
        """What each account has used of a month in all."""
        rows = self._db.execute(
            "SELECT account, total(units) FROM usage WHERE month = ? GROUP BY account", [month]
        )
        return dict(rows.fetchall())

    def usage(self, month: str) -> dict[Use, Amount]:
        """All of a month, by account and algorithm."""
        columns = ", ".join((*Use._fields, *Amount._fields))
        rows = self._db.execute(
            f"SELECT {columns} FROM usage WHERE month = ? ORDER BY account, algorithm",  # noqa: S608
            [month],
        )
        return {Use(*row[:3]): Amount(*row[3:]) for row in rows}

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._db:
            self._db.execute("UPDATE edition SET number = number + 1")
            yield

    def _new_key(self, name: str, now_ms: int) -> str:
        key, sent = Key.made(name)
        self._db.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?, NULL)", [key.id, key.sha256, name, now_ms]
        )
        return sent

    def _prepare(self, path: Path, *, begin: bool) -> None:
        # What a crash of the machine takes is the last moments' usage.
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON"
        )
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version == 0 and begin:
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA.read_text()}; COMMIT")
        elif version != VERSION:
            raise NoAccounts(
                f"{path} is of version {version}, and this release knows {VERSION}: name another "
                "file (ACCOUNTS)"
            )


def _row(account: Account) -> dict[str, Any]:
    algorithms = account.algorithms
    return {
        "name": account.name,
        **account.limits._asdict(),
        "algorithms": None if algorithms is None else json.dumps(sorted(algorithms)),
        "rights": json.dumps(sorted(account.rights)),
    }


def _account(
    name: str, rate: float, burst: int, quota: float, algorithms: str | None, rights: str
) -> Account:
    return Account(
        name,
        Limits(rate, burst, quota),
        None if algorithms is None else frozenset(json.loads(algorithms)),
        frozenset(map(Right, json.loads(rights))),
    )
