"""A bill: what one request is charged to its account, and what the account is told of it."""

from __future__ import annotations

import math
from functools import lru_cache

from web.account_problems import QuotaExceeded, RateLimited
from workers.contract.account import Account, Charge, Limits, Month, Standing, month_of


class Bill:
    """``charge``: what the ledger is told. ``units``: what it has charged."""

    def __init__(self, account: Account, charge: Charge) -> None:
        self.account = account
        self.charge = charge
        self.units = 0.0
        self._standing: Standing | None = None

    def note(self, standing: Standing) -> None:
        """What the ledger says; it may be asked several times for one request."""
        self._standing = standing
        self.units += standing.charged

    def headers(self, now_ms: int) -> dict[str, str]:
        """``RateLimit`` and its policy, as the draft of the IETF has them; none without limits."""
        limits, standing = self.account.limits, self._standing
        if standing is None:
            return {}
        month, items = month_of(now_ms), []
        if limits.rate:
            left = math.floor(limits.burst - standing.level_ms * limits.rate / 1000)
            items.append(f'"rate";r={max(0, left)};t={_seconds(standing.level_ms)}')
        if limits.quota:
            left = math.floor(limits.quota - standing.used)
            items.append(f'"quota";r={max(0, left)};t={_seconds(month.ends_ms - now_ms)}')
        if not items:
            return {}
        return {"RateLimit-Policy": _policy(limits, month), "RateLimit": ", ".join(items)}


# It is the same for each request of an account.
@lru_cache(1_000)
def _policy(limits: Limits, month: Month) -> str:
    policies = []
    if limits.rate:
        window_s = math.ceil(limits.burst / limits.rate)
        policies.append(f'"rate";q={limits.burst};w={window_s}')
    if limits.quota:
        policies.append(f'"quota";q={math.floor(limits.quota)};w={month.whole_s}')
    return ", ".join(policies)


def rate_limited(standing: Standing) -> RateLimited:
    """Of a request over the rate."""
    return RateLimited(max(1, _seconds(standing.again_ms)))


def quota_exceeded(now_ms: int) -> QuotaExceeded:
    """Until the next month begins."""
    return QuotaExceeded(_seconds(month_of(now_ms).ends_ms - now_ms))


def _seconds(ms: int) -> int:
    return math.ceil(ms / 1000)
