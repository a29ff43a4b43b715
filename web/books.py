"""The books: which accounts there are, and what they use; in step with their file every second.

A request reads and adds to what is in memory, and waits for no disk. Only a key that nobody knows
has the file looked into, so that a new one is valid at once.
"""

from __future__ import annotations

import atexit
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import gevent
from redis import RedisError

from web.account_problems import AccountsAway, Forbidden
from web.bill import Bill, quota_exceeded
from workers.contract.account import NO_KEY, Account, Charge, Key, month_of
from workers.contract.accounts import Accounts, Amount, NoAccounts, Use
from workers.contract.clock import Clock
from workers.contract.jobs import Jobs
from workers.contract.published import PublishedCards

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 1.0
_LOCKED_MS = 300
_WITHIN_S = 0.5

# What a request is where its algorithm has no price in its card.
_ONE_UNIT = 1.0

_Found = TypeVar("_Found")


class Books:
    """Those of one front process; without a file there are no accounts."""

    def __init__(
        self, path: str, published: PublishedCards, clock: Clock, jobs: Jobs | None = None
    ) -> None:
        self.is_on = bool(path)
        self._path = Path(path)
        self._published = published
        self._clock = clock
        self._jobs = jobs
        self._edition: int | None = None
        self._accounts: dict[str, Account] = {}
        self._keys: dict[str, Key] = {}
        # By algorithm, and by account.
        self._prices: dict[str, float] = {}
        self._used: dict[str, float] = {}
        self._month = ""
        self._unwritten: dict[Use, Amount] = {}
        self._fails = False
        self._thread = threading.Thread(target=self._work, name="books", daemon=True)

    def start(self) -> None:
        """Begin, with a first look before this returns; what is used last is written at the end."""
        if self.is_on:
            self.look()
            self._thread.start()
            atexit.register(self._close)

    def account(self, name: str, secret: str) -> Account | None:
        """Whose key this is, if it is a valid one as far as is known."""
        key = self._keys.get(name, NO_KEY)
        return self._accounts.get(key.account) if key.opens_with(secret, self._clock()) else None

    def holder(self, name: str) -> str:
        """Which account the key of this name is of; empty where there is none."""
        return self._keys.get(name, NO_KEY).account

    def look_up(self, name: str, secret: str) -> Account | None:
        """The same, as the file has it now.

        Raises:
            AccountsAway: it cannot be read.
        """
        self._aside(self._read, _WITHIN_S)
        return self.account(name, secret)

    def usage(self, month: str) -> dict[Use, Amount]:
        """What was used in it, by account and algorithm, as all fronts have written it.

        Raises:
            AccountsAway: the file cannot be read.
        """
        return self._aside(partial(self._usage, month), _WITHIN_S)

    def bill(self, account: Account | None, algorithm: str) -> Bill | None:
        """For a request that has not been charged yet; none where there are no accounts.

        Raises:
            Forbidden: the account may not ask this algorithm.
        """
        if account is None:
            return None
        if not account.may_ask(algorithm):
            raise Forbidden(f"ask {algorithm}")
        month = month_of(self._clock()).name
        units = self._prices.get(algorithm, _ONE_UNIT)
        used = self._used.get(account.name, 0.0) if month == self._month else 0.0
        return Bill(account, Charge(account.name, month, units, *account.limits, used))

    def require_left(self, account: Account | None, algorithm: str) -> None:
        """A job is charged for what is read of it: it may begin while any of the quota is left.

        Raises:
            Forbidden: the account may not ask this algorithm.
            QuotaExceeded: 429.
        """
        bill = self.bill(account, algorithm)
        if bill and 0 < bill.charge.quota <= bill.charge.used:
            raise quota_exceeded(self._clock())

    def count(self, account: str, algorithm: str, amount: Amount) -> None:
        """Add this to what was used."""
        use = Use(month_of(self._clock()).name, account, algorithm)
        self._unwritten[use] = self._unwritten.get(use, Amount()).plus(amount)

    def look(self) -> None:
        """Get in step with the file, and with the prices; a failure is logged."""
        # Who asks Redis all the time tells when it is away.
        with suppress(RedisError):
            self._prices = {
                name: card.point_per_frame or _ONE_UNIT
                for name, card in self._published.all().items()
            }
        try:
            try:
                self._write()
            finally:
                # A key that was revoked ends, though what was used cannot be written.
                self._aside(self._read, _WITHIN_S)
            # Last: where jobs cannot be read, accounts are kept up with all the same.
            self._charge_jobs()
        except AccountsAway as error:
            if not self._fails:
                logger.error("the accounts are away: %s; trying again", error.__cause__ or error)
            self._fails = True
        else:
            if self._fails:
                logger.warning("the accounts are there again")
            self._fails = False

    def _charge_jobs(self) -> None:
        """What any front finds is charged by it alone."""
        if self._jobs:
            for account, algorithm, images in self._aside(self._jobs.charge, None):
                units = images * self._prices.get(algorithm, _ONE_UNIT)
                self.count(account, algorithm, Amount(images, units, computed=images))

    def _write(self) -> None:
        """What was used since; what cannot be written is kept for the next time."""
        used, self._unwritten = self._unwritten, {}
        if not used:
            return
        try:
            # However long it takes: what was given up and is written after all would count twice.
            self._aside(partial(self._use, used), None)
        except BaseException:
            for use, amount in used.items():
                self._unwritten[use] = self._unwritten.get(use, Amount()).plus(amount)
            raise

    def _use(self, used: dict[Use, Amount]) -> None:
        with Accounts(self._path, _LOCKED_MS) as accounts:
            accounts.use(used)

    def _usage(self, month: str) -> dict[Use, Amount]:
        with Accounts(self._path, _LOCKED_MS) as accounts:
            return accounts.usage(month)

    def _read(self) -> None:
        month = month_of(self._clock()).name
        with Accounts(self._path, _LOCKED_MS) as accounts:
            edition = accounts.edition()
            if edition != self._edition:
                self._accounts = accounts.all()
                self._keys = {key.id: key for key in accounts.keyring()}
                self._edition = edition
            self._month, self._used = month, accounts.units(month)

    def _aside(self, do: Callable[[], _Found], within_s: float | None) -> _Found:
        """In a thread of the system: whoever waits for an answer does not wait for the disk."""

        def tried() -> _Found | Exception:
            # gevent prints what a thread of its raises.
            try:
                return do()
            except (sqlite3.Error, OSError, NoAccounts) as error:
                return error

        with gevent.Timeout(within_s, AccountsAway("The disk does not answer. Ask again.")):
            outcome = gevent.get_hub().threadpool.apply(tried)
        if isinstance(outcome, Exception):
            raise AccountsAway from outcome
        found: _Found = outcome
        return found

    def _close(self) -> None:
        """Nobody waits any more, so no thread is needed."""
        if self._unwritten:
            try:
                self._use(self._unwritten)
            except (sqlite3.Error, OSError, NoAccounts) as error:
                logger.error("the last that was used is lost: %s", error)

    def _work(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY_S)
            try:
                self.look()
            except Exception:
                # Without this thread nobody new would get in: whatever it was, go on.
                logger.exception("looking at the accounts failed, going on")
