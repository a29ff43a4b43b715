"""``python -m workers``: which versions serve, and changing them while callers are served.

Start workers of the new version beside the old ones (BUNDLE=... celery -A workers worker), promote
it, and stop the old ones when nobody wants to go back. REDIS_URL says which service is meant.
"""

from __future__ import annotations

import argparse
import sys

from redis import RedisError

from workers.contract.connection import impatient
from workers.contract.refusal import Refusal
from workers.contract.register import NotPromoted, Register, Version
from workers.contract.settings import QueueSettings


def main() -> int:
    """Run one command; 1 and a message when a person has to act."""
    arguments = _parser().parse_args()
    settings = QueueSettings.read()
    register = Register(impatient(settings, settings.redis_timeout_ms), settings)
    try:
        for line in arguments.run(register, arguments):
            print(line)
    except NotPromoted as error:
        print(f"Nothing was changed: {error}.", file=sys.stderr)
        return 1
    except RedisError as error:
        print(f"Redis {Refusal.of(error) or 'is away'}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    status = commands.add_parser("status", help="versions, their workers and what waits for them")
    status.set_defaults(run=_status)
    promote = commands.add_parser("promote", help="new requests go to this version")
    promote.add_argument("line", metavar="NAME/VERSION")
    promote.set_defaults(run=_promote)
    rollback = commands.add_parser("rollback", help="new requests go to the version before it")
    rollback.add_argument("algorithm", metavar="NAME")
    rollback.set_defaults(run=_rollback)
    return parser


def _status(register: Register, _: argparse.Namespace) -> list[str]:
    rows: list[tuple[str, ...]] = [
        ("version", "state", "workers", "waiting", "answers/s", "computed")
    ]
    rows += [_row(version) for version in register.versions()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _row(version: Version) -> tuple[str, ...]:
    status = version.status
    state = "beside" if not version.active else "promoted" if version.promoted else "active"
    counts = (
        status.workers,
        status.queue_length,
        round(status.rate.images),
        status.counts.executions,
    )
    return (status.line, state, *map(str, counts))


def _promote(register: Register, arguments: argparse.Namespace) -> list[str]:
    before = register.promote(arguments.line)
    return [f"{arguments.line} is active now" + (f", {before} was" if before else "")]


def _rollback(register: Register, arguments: argparse.Namespace) -> list[str]:
    line, before = register.rollback(arguments.algorithm)
    return [f"{line} is active again, {before} was"]


if __name__ == "__main__":
    sys.exit(main())
