"""``GET /usage``: what each account asked for in a month, and what that would cost elsewhere."""

from __future__ import annotations

import calendar
import csv
import io
import re
from datetime import UTC, datetime
from typing import Annotated

from flask import Blueprint, Response, jsonify, request
from pydantic import Field
from typing_extensions import TypedDict

from web.account_problems import AccountsAway
from web.books import Books
from web.guard import account_of_request
from web.openapi.examples import ALGORITHM
from web.openapi.operation import Body, Operation, Parameter, Reply, Value, describe
from web.problems import FieldInvalid
from web.settings import PriceSettings
from workers.contract.account import Right, month_of
from workers.contract.accounts import Amount, Use
from workers.contract.clock import Clock

_MONTH = re.compile(r"(?!0000)[0-9]{4}-(0[1-9]|1[0-2])")
_TYPES = ("application/json", "text/csv")  # the first is for those who take any


class Used(TypedDict):
    """What one account asked one algorithm in a month."""

    account: str
    algorithm: Annotated[str, Field(description="empty: of none that is served")]
    requests: Annotated[
        int,
        Field(description="all replies, but those at a crowded door; images that jobs have read"),
    ]
    units: Annotated[float, Field(description="what was charged, by the price of the card")]
    computed: Annotated[int, Field(description="answers that this account had computed")]
    joined: Annotated[int, Field(description="copies of what was under way")]
    kept: Annotated[int, Field(description="answers that were there")]
    refused: Annotated[int, Field(description="problems")]
    members: Annotated[int, Field(description="that were asked, for what was computed")]
    compute_seconds: Annotated[float, Field(description="that these took")]


class Costs(TypedDict):
    """What all that is told would cost, in USD, by the settings."""

    serverless: Annotated[
        float, Field(description="a call and a start for each request, and the computing")
    ]
    calls: float
    wakes: float
    seconds: float
    machine: Annotated[float, Field(description="what the service's machines cost in that time")]


class Usage(TypedDict):
    """A month's usage."""

    month: Annotated[str, Field(description="by UTC")]
    usage: list[Used]
    costs: Costs


_USED: Used = {
    "account": "bank",
    "algorithm": ALGORITHM,
    "requests": 1204,
    "units": 1100.0,
    "computed": 1000,
    "joined": 50,
    "kept": 150,
    "refused": 4,
    "members": 1620,
    "compute_seconds": 38.5,
}
_COSTS: Costs = {
    "serverless": 0.0066,
    "calls": 0.0012,
    "wakes": 0.0002,
    "seconds": 0.0051,
    "machine": 138.4,
}
_EXAMPLE: Usage = {"month": "2026-11", "usage": [_USED], "costs": _COSTS}
_USAGE = Operation(
    "What was asked in a month?",
    "operation",
    (
        Reply(
            "By account and algorithm; with `Accept: text/csv` the rows alone, as CSV.",
            Body(Usage, {"one account": _EXAMPLE}),
        ),
    ),
    "About a second old at most. A key with the right `operate` sees all accounts, others see "
    "their own. Without accounts there is none.",
    parameters=(Parameter("month", "query", Value("By UTC; without it, this one.", "2026-11")),),
    problems=(FieldInvalid("month: not as in 2026-11."), AccountsAway()),
    needs=Right.USAGE,
)


def usage_blueprint(books: Books, prices: PriceSettings, clock: Clock) -> Blueprint:
    """As the books have it."""
    blueprint = Blueprint("usage", __name__)

    @blueprint.get("/usage")
    @describe(_USAGE)
    def usage() -> Response:
        month = request.args.get("month", month_of(clock()).name)
        if not _MONTH.fullmatch(month):
            raise FieldInvalid("month: not as in 2026-11. Leave it out for this one.")
        used = books.usage(month) if books.is_on else {}
        asks = account_of_request()
        if asks is not None and not asks.has(Right.OPERATE):
            used = {use: amount for use, amount in used.items() if use.account == asks.name}
        rows = [_told(use, amount) for use, amount in used.items()]
        if request.accept_mimetypes.best_match(_TYPES) == "text/csv":
            response = Response(_csv(rows), content_type="text/csv; charset=utf-8")
        else:
            costs = _costs(month, list(used.values()), prices, clock())
            response = jsonify(Usage(month=month, usage=rows, costs=costs))
        response.vary.add("Accept")
        return response

    return blueprint


def _told(use: Use, amount: Amount) -> Used:
    return {
        "account": use.account,
        "algorithm": use.algorithm,
        "requests": amount.requests,
        "units": amount.units,
        "computed": amount.computed,
        "joined": amount.joined,
        "kept": amount.kept,
        "refused": amount.refused,
        "members": amount.members,
        "compute_seconds": amount.compute_us / 1_000_000,
    }


def _csv(rows: list[Used]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(Used.__annotations__))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _costs(month: str, used: list[Amount], prices: PriceSettings, now_ms: int) -> Costs:
    requests = sum(amount.requests for amount in used)
    calls = requests / 1_000_000 * prices.price_million_calls
    wakes = requests / 1_000_000 * prices.price_million_wakes
    compute_s = sum(amount.compute_us for amount in used) / 1_000_000
    seconds = compute_s / 1_000 * prices.price_thousand_seconds
    return {
        "serverless": round(calls + wakes + seconds, 6),
        "calls": round(calls, 6),
        "wakes": round(wakes, 6),
        "seconds": round(seconds, 6),
        "machine": round(_hours(month, now_ms) * prices.price_machine_hour, 2),
    }


def _hours(month: str, now_ms: int) -> float:
    """Of the month until now."""
    begun = datetime.strptime(f"{month} +0000", "%Y-%m %z")
    whole = calendar.monthrange(begun.year, begun.month)[1] * 24
    past = (datetime.fromtimestamp(now_ms / 1000, UTC) - begun).total_seconds() / 3_600
    return max(0.0, min(past, whole))
