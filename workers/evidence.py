"""``python -m workers.evidence``: what was replied, when and by what; EVIDENCE says where that is.

Of a service of ``make run`` on this machine it is known.

find      replies by uuid, answer, account or time, the latest first, a JSON object a line
status    how much there is, since when, and what is missing
forget    delete what was answered to a uuid, and its image; that it was forgotten is kept
replay    read the kept images again with a bundle, and tell what changed
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from workers import whereabouts
from workers.contract.clock import wall_clock_ms
from workers.contract.logbook import FILE, Logbook
from workers.contract.settings import EvidenceSettings
from workers.scribe import OtherVersion, Scribe

# The logbook writes for a few milliseconds; a person can wait for that.
_LOCKED_MS = 5_000


class NotDone(Exception):
    """A person has to act. The message says how."""


def main() -> int:
    """Run one command; 1 and a message when a person has to act."""
    arguments = _parser().parse_args()
    folder = Path(arguments.evidence)
    try:
        if not arguments.evidence or not (folder / FILE).exists():
            raise NotDone(f"no evidence in {str(folder)!r}: name its folder, EVIDENCE=...")
        for line in arguments.run(folder, arguments):
            print(line, flush=True)
    except (NotDone, OtherVersion, OSError, sqlite3.Error) as error:
        print(f"Not done: {error}", file=sys.stderr)
        return 1
    return 0


def _of_make_run() -> str:
    """Where the only service that runs here keeps it, else nowhere."""
    try:
        return whereabouts.find().get("EVIDENCE", "")
    except whereabouts.Unclear:
        return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m workers.evidence",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(evidence=EvidenceSettings.read().evidence or _of_make_run())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    find = commands.add_parser("find", help="replies, by whatever is given")
    find.add_argument("uuid", nargs="?")
    find.add_argument("--answer")
    find.add_argument("--account")
    find.add_argument("--since", type=_moment_ms, help="2026-11-24, 2026-11-24T09:30, ...+08:00")
    find.add_argument("--until", type=_moment_ms)
    find.add_argument("--most", type=int, default=100)
    find.set_defaults(run=_find)
    status = commands.add_parser("status", help="how much there is, and what is missing")
    status.set_defaults(run=_status)
    forget = commands.add_parser("forget", help="delete what was answered to a uuid")
    forget.add_argument("uuid")
    forget.set_defaults(run=_forget)
    replay = commands.add_parser("replay", help="read kept images again")
    replay.add_argument("--bundle", type=Path, required=True, help="which reads them, a folder")
    replay.add_argument("--engine", choices=["openvino", "tensorflow"], default="openvino")
    replay.set_defaults(run=_replay)
    return parser


def _find(folder: Path, arguments: argparse.Namespace) -> Iterator[str]:
    with Logbook(folder, _LOCKED_MS) as logbook:
        for found in logbook.search(
            arguments.most,
            uuid=arguments.uuid,
            answer=arguments.answer,
            account=arguments.account,
            since_ms=arguments.since,
            until_ms=arguments.until,
        ):
            told = found.evidence._asdict()
            yield json.dumps({"arrived": _moment(found.position.arrived_ms), **told})


def _status(folder: Path, _: argparse.Namespace) -> list[str]:
    with Logbook(folder, _LOCKED_MS) as logbook:
        found = logbook.summary()
    if not found.replies or found.since_ms is None or found.until_ms is None:
        return [f"nothing yet in {folder}"]
    each = found.size_bytes / found.replies
    return [
        f"{found.replies:,} replies, {found.size_bytes:,} bytes, {each:.0f} each",
        f"from {_moment(found.since_ms)} to {_moment(found.until_ms)}",
        f"{found.images:,} images",
        f"missing: {found.losses.dropped:,} that fronts had no room for, "
        f"{found.losses.missed:,} that were on their way when the logbook died",
    ]


def _forget(folder: Path, arguments: argparse.Namespace) -> list[str]:
    with Scribe(folder) as scribe:
        count = scribe.forget(arguments.uuid, wall_clock_ms())
    if not count:
        raise NotDone(f"nothing is known of {arguments.uuid!r}")
    return [f"forgotten: what {count} replies to {arguments.uuid!r} said, and its image"]


def _replay(folder: Path, arguments: argparse.Namespace) -> Iterable[str]:
    # It loads an engine, which the other commands can do without.
    from model.errors import ModelError
    from workers.replay import replay

    try:
        with Logbook(folder, _LOCKED_MS) as logbook:
            yield from replay(logbook.kept_images(), arguments.bundle, arguments.engine)
    except ModelError as error:
        raise NotDone(str(error)) from error


def _moment_ms(text: str) -> int:
    """Epoch milliseconds of an ISO date or time; without a zone, of this machine's."""
    return int(datetime.fromisoformat(text).astimezone().timestamp() * 1000)


def _moment(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).isoformat(timespec="milliseconds")


if __name__ == "__main__":
    sys.exit(main())
