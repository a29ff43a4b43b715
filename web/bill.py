"""A bill: what one request is charged to its account, and what the account is told of it."""

from __future__ import annotations

import math

from web.account_problems import QuotaExceeded, RateLimited
from workers.contract.account import Account, Charge, Standing, month_of


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
        policies, items = [], []
        if limits.rate:
            window_s = math.ceil(limits.burst / limits.rate)
            left = math.floor(limits.burst - standing.level_ms * limits.rate / 1000)
            policies.append(f'"rate";q={limits.burst};w={window_s}')
            items.append(f'"rate";r={max(0, left)};t={_seconds(standing.level_ms)}')
        if limits.quota:
            month = month_of(now_ms)
            left = math.floor(limits.quota - standing.used)
            policies.append(f'"quota";q={math.floor(limits.quota)};w={month.whole_s}')
            items.append(f'"quota";r={max(0, left)};t={_seconds(month.ends_ms - now_ms)}')
        if not items:
            return {}
        return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(items)}


def rate_limited(standing: Standing) -> RateLimited:
    """Of a request over the rate."""
    return RateLimited(max(1, _seconds(standing.again_ms)))


def quota_exceeded(now_ms: int) -> QuotaExceeded:
    """Until the next month begins."""
    return QuotaExceeded(_seconds(month_of(now_ms).ends_ms - now_ms))


def _seconds(ms: int) -> int:
    return math.ceil(ms / 1000)
