"""What is told to whoever has no account, or not enough of one."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType

from web.problem import Problem


class Unauthorized(Problem):
    """No key, or none that is valid here."""

    status = HTTPStatus.UNAUTHORIZED
    type = "unauthorized"
    title = "A key is needed"
    headers = MappingProxyType({"WWW-Authenticate": 'Bearer realm="punctual"'})
    detail = (
        "Send a key that is valid here as Authorization: Bearer KEY, or as X-API-Key. One in the "
        "URL is not read."
    )


class Forbidden(Problem):
    """The account lacks a right."""

    status = HTTPStatus.FORBIDDEN
    type = "forbidden"
    title = "This account may not do that"

    def __init__(self, what: str) -> None:
        super().__init__(f"This account may not {what}. Whoever runs the service can permit it.")


class RateLimited(Problem):
    """The account asks more often than it may."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    type = "rate-limited"
    title = "Too many requests at once"
    detail = (
        "This account asks more often than it may. Nothing was begun or charged: send the same "
        "request again after Retry-After seconds."
    )

    def __init__(self, retry_after_s: int, detail: str = "") -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class QuotaExceeded(Problem):
    """The account has used its units of the month."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    type = "quota-exceeded"
    title = "The units of this month are used up"
    detail = (
        "To send this again helps only next month, which begins after Retry-After seconds, or when "
        "whoever runs the service raises the quota. Re-sends of what was charged are answered."
    )

    def __init__(self, retry_after_s: int) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s


class AccountsAway(Problem):
    """The file of the accounts cannot be read just now."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    type = "accounts-away"
    title = "The accounts are away"
    retry_after_s = 1
    detail = "Whether this is a key, or what was used, cannot be looked up just now. Ask again."
