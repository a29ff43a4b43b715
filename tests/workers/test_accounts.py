"""The file of accounts, and what the ledger charges them."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import AnyRedis
from workers.contract import keys
from workers.contract.account import Account, Charge, Limits, Right, month_of, name_and_secret
from workers.contract.accounts import Accounts, Amount, NoAccounts, Unfit, Use
from workers.contract.clock import Deadlines
from workers.contract.ledger import Admission, Ledger, Name, Room, Verdict
from workers.contract.line import Line, Rate
from workers.contract.settings import QueueSettings

ALGORITHM, LINE = "handwriting", "handwriting/1"
NOW_MS = 1_764_000_000_000
DAY_MS = 86_400_000
MONTH = "2026-11"
BANK = Account("bank", Limits(2.5, 5, 1e6), frozenset({"sheet"}), frozenset({Right.USAGE}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some folder" / "accounts.db"


@pytest.fixture
def accounts(path: Path) -> Any:
    with Accounts(path, 1_000, begin=True) as opened:
        yield opened


def opens(accounts: Accounts, sent: str, now_ms: int) -> bool:
    name, secret = name_and_secret(sent)
    return any(key.opens_with(secret, now_ms) for key in accounts.keyring() if key.id == name)


def test_an_account_is_kept_as_it_was_made(accounts: Accounts, path: Path) -> None:
    accounts.add(BANK, NOW_MS)
    accounts.add(Account("anybody"), NOW_MS)
    with Accounts(path, 1_000) as others:
        assert others.all() == {"bank": BANK, "anybody": Account("anybody")}
    assert path.stat().st_mode & 0o777 == 0o600


def test_of_a_key_the_file_has_no_more_than_its_name(accounts: Accounts, path: Path) -> None:
    sent = accounts.add(BANK, NOW_MS)
    name, secret = name_and_secret(sent)
    assert sent == f"punctual_{name}_{secret}"
    assert len(secret) >= 43
    assert opens(accounts, sent, NOW_MS)
    assert not opens(accounts, f"{sent}x", NOW_MS)
    stored = b"".join(each.read_bytes() for each in path.parent.iterdir())
    assert secret.encode() not in stored


def test_two_keys_are_valid_while_one_takes_the_place_of_the_other(accounts: Accounts) -> None:
    first = accounts.add(BANK, NOW_MS)
    second = accounts.rotate("bank", NOW_MS, NOW_MS + DAY_MS)
    assert opens(accounts, first, NOW_MS + DAY_MS - 1)
    assert opens(accounts, second, NOW_MS + DAY_MS - 1)
    assert not opens(accounts, first, NOW_MS + DAY_MS)
    assert opens(accounts, second, NOW_MS + DAY_MS)

    third = accounts.rotate("bank", NOW_MS + 1, NOW_MS + DAY_MS)
    valid = [opens(accounts, key, NOW_MS + 2) for key in (first, second, third)]
    assert valid == [False, True, True]


def test_what_is_revoked_lets_nobody_in_and_its_usage_stays(accounts: Accounts) -> None:
    first = accounts.add(BANK, NOW_MS)
    second = accounts.rotate("bank", NOW_MS, NOW_MS + DAY_MS)
    use = Use(MONTH, "bank", ALGORITHM)
    accounts.use({use: Amount(1, 1.0)})

    accounts.revoke("bank", name_and_secret(first)[0])
    assert [opens(accounts, key, NOW_MS) for key in (first, second)] == [False, True]
    accounts.revoke("bank")
    assert (accounts.all(), accounts.keyring()) == ({}, [])
    assert accounts.usage(MONTH) == {use: Amount(1, 1.0)}


def test_what_cannot_be_done_is_told_and_changes_nothing(accounts: Accounts) -> None:
    accounts.add(BANK, NOW_MS)
    for do in (
        lambda: accounts.add(Account("bank"), NOW_MS),
        lambda: accounts.limit(Account("nobody")),
        lambda: accounts.rotate("nobody", NOW_MS, NOW_MS),
        lambda: accounts.revoke("nobody"),
        lambda: accounts.revoke("bank", "00000000"),
    ):
        before = accounts.edition()
        with pytest.raises(Unfit):
            do()
        assert accounts.edition() == before
    assert accounts.all() == {"bank": BANK}


def test_every_change_makes_another_edition(accounts: Accounts) -> None:
    editions = [accounts.edition()]
    for do in (
        lambda: accounts.add(BANK, NOW_MS),
        lambda: accounts.limit(BANK._replace(limits=Limits())),
        lambda: accounts.rotate("bank", NOW_MS, NOW_MS),
        lambda: accounts.revoke("bank"),
    ):
        do()
        editions.append(accounts.edition())
    assert len(set(editions)) == len(editions)


def test_usage_adds_up_over_everybody_who_tells_it(accounts: Accounts, path: Path) -> None:
    use = Use(MONTH, "bank", ALGORITHM)
    accounts.use({use: Amount(3, 1.5, 1, 1, 1, 0, 5, 9_000), Use("2026-10", *use[1:]): Amount(9)})
    with Accounts(path, 1_000) as others:
        others.use({use: Amount(1, 0.5, refused=1), use._replace(algorithm="sheet"): Amount(1, 4)})
    assert accounts.usage(MONTH) == {
        use: Amount(4, 2.0, 1, 1, 1, 1, 5, 9_000),
        use._replace(algorithm="sheet"): Amount(1, 4.0),
    }
    assert accounts.units(MONTH) == {"bank": 6.0}


def test_what_is_no_file_of_accounts_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoAccounts, match="accounts add"):
        Accounts(tmp_path / "none", 0)
    (tmp_path / "empty").touch()
    with pytest.raises(NoAccounts, match="version 0"):
        Accounts(tmp_path / "empty", 0)
    (tmp_path / "other").write_text("something that is no database at all")
    with pytest.raises(sqlite3.DatabaseError):
        Accounts(tmp_path / "other", 0)


def test_a_month_begins_at_midnight_utc() -> None:
    assert month_of(1_764_547_199_999) == ("2025-11", 30 * 86_400, 1_764_547_200_000)
    assert month_of(1_764_547_200_000)[:2] == ("2025-12", 31 * 86_400)


class Till:
    """A ledger with a ready worker, and a clock in a test's hand."""

    def __init__(self, redis: AnyRedis) -> None:
        self.redis, self.now_ms = redis.client, NOW_MS
        settings = QueueSettings(lease_ms=60_000, ready_within_ms=60_000)
        clocks = (lambda: self.now_ms, lambda: self.now_ms)
        self._ledger = Ledger(redis.client, settings, *clocks)
        self._line = Line(LINE, redis.client, settings, *clocks)
        self.be_ready()

    def be_ready(self) -> None:
        self._line.beat("host:1", Rate(100, 1e9), takes_default=True)
        self._line.probed()

    def ask(self, uuid: str, image: str = "an image", *, room: int = 100, **of: Any) -> Admission:
        charge = Charge(**{**CHARGE._asdict(), **of})
        deadlines = Deadlines.after(
            self.now_ms, due_in_ms=600, wait_ms=900, useful_for_ms=3_000, drop_after_ms=9_000
        )
        return self._ledger.admit(
            *(Name(ALGORITHM, uuid, charge.account), image, image, deadlines),
            *("front", Room(600, 1, 1.0, 0.0, room, 10**6), image.encode(), len(image), "", charge),
        )

    def verdicts(self, *uuids: str, **of: Any) -> list[Verdict]:
        return [self.ask(uuid, **of).verdict for uuid in uuids]


CHARGE = Charge("bank", MONTH, 2.0, rate=0, burst=0, quota=1e6, used=0)
NEW, SHARED, LIMITED, EXCEEDED = (
    *(Verdict.ENQUEUED, Verdict.JOINED),
    *(Verdict.LIMITED, Verdict.EXCEEDED),
)


@pytest.fixture
def till(any_redis: AnyRedis) -> Till:
    return Till(any_redis)


def test_a_uuid_is_charged_once(till: Till) -> None:
    charged = [till.ask("a").standing for _ in range(4)]
    assert [standing and standing.charged for standing in charged] == [2, 0, 0, 0]
    another = till.ask("b").standing
    assert another
    assert (another.charged, another.used) == (2, 4)
    # To whom else asks the same, it is charged as well.
    standing = till.ask("a", account="insurer").standing
    assert standing
    assert (standing.charged, standing.used) == (2, 2)


def test_a_uuid_is_its_accounts_own(till: Till) -> None:
    """Two who count their requests from one on are in nobody's way."""
    assert till.verdicts("1") == [NEW]
    assert till.ask("1", "another image", account="insurer").verdict is NEW
    assert till.ask("1", "another image").verdict is Verdict.CONFLICT


def test_what_is_refused_costs_nothing(till: Till) -> None:
    till.ask("a")
    assert till.ask("a", "another image").verdict is Verdict.CONFLICT
    assert till.ask("b", "another image", room=0).verdict is Verdict.FULL
    standing = till.ask("c").standing
    assert standing
    assert standing.used == 4


def test_the_quota_is_not_passed_and_resends_are_still_taken(till: Till) -> None:
    assert till.verdicts("a", "b", "c", "a", quota=5) == [NEW, SHARED, EXCEEDED, SHARED]
    assert till.verdicts("c", quota=6) == [SHARED]
    assert till.verdicts("d", quota=6) == [EXCEEDED]
    assert till.verdicts("d", quota=6, month="2026-12") == [SHARED]


def test_what_redis_has_lost_is_still_counted(till: Till) -> None:
    till.redis.flushall()
    till.be_ready()
    assert till.verdicts("a", quota=100, used=99) == [EXCEEDED]
    assert till.verdicts("a", quota=101, used=99) == [NEW]
    # What Redis knows meanwhile is more than the file does.
    assert till.verdicts("b", quota=101, used=99) == [EXCEEDED]


def test_a_burst_may_come_at_once_and_then_the_rate(till: Till) -> None:
    limits = {"rate": 4, "burst": 3}
    assert till.verdicts(*"abcd", **limits) == [NEW, SHARED, SHARED, LIMITED]
    limited = till.ask("d", **limits).standing
    assert limited
    assert (limited.again_ms, limited.level_ms, limited.charged) == (250, 750, 0)
    # A re-send is no new request.
    assert till.verdicts("a", **limits) == [SHARED]

    till.now_ms += 249
    assert till.verdicts("d", **limits) == [LIMITED]
    till.now_ms += 1
    assert till.verdicts("d", "e", **limits) == [SHARED, LIMITED]
    till.now_ms += 10_000
    assert till.verdicts(*"efgh", **limits) == [SHARED, SHARED, SHARED, LIMITED]


def test_whoever_has_no_limits_is_charged_and_nothing_is_kept_of_that(till: Till) -> None:
    charged = [till.ask(uuid, quota=0).standing for uuid in "aab"]
    assert [standing and standing.charged for standing in charged] == [2, 0, 2]
    assert not till.redis.keys(f"{keys.ACCOUNT_PREFIX}*")


def test_one_who_is_over_the_limit_takes_nothing_from_others(till: Till) -> None:
    limits = {"rate": 1, "burst": 1}
    assert till.verdicts("a", "b", **limits) == [NEW, LIMITED]
    assert till.verdicts("b", account="insurer", **limits) == [SHARED]


def test_nothing_that_was_charged_is_kept_for_ever(till: Till) -> None:
    till.ask("a")
    left = {
        key.decode(): till.redis.pttl(key)
        for prefix in (keys.ACCOUNT_PREFIX, keys.REQUEST_PREFIX)
        for key in till.redis.keys(f"{prefix}*")
    }
    assert list(left) == [
        f"{keys.ACCOUNT_PREFIX}bank",
        f"{keys.REQUEST_PREFIX}{ALGORITHM}:bank/a",
    ]
    assert all(0 < ms < 33 * DAY_MS for ms in left.values())
