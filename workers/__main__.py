"""``python -m workers``: versions of bundles, changed while callers are served.

Of a service of ``make run`` on this machine the commands know by themselves; of another one by
REDIS_URL and BUNDLES, its bundle store.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from redis import RedisError

from workers.cards import Cards
from workers.contract.card import CardInvalid
from workers.contract.connection import impatient
from workers.contract.published import PublishedCards
from workers.contract.refusal import Refusal
from workers.contract.register import NotPromoted, Register
from workers.contract.shadow import Shadow
from workers.lifecycle import Lifecycle, NotDone
from workers.report import compared, history, report
from workers.roster import RosterBroken
from workers.settings import WorkerSettings
from workers.whereabouts import Unclear, find

# So many of the latest steps and changes are told.
_TOLD = 8


class Commands:
    """Each takes its arguments and tells what it has done, a line at a time."""

    def __init__(self, settings: WorkerSettings) -> None:
        redis = impatient(settings, settings.redis_timeout_ms)
        self._settings = settings
        self._register = Register(redis, settings)
        self._shadow = Shadow(redis)
        self._lifecycle = Lifecycle(settings, self._register, self._shadow)
        self._cards = Cards(Path(settings.bundles), PublishedCards(redis))

    def stage(self, arguments: argparse.Namespace) -> Iterator[str]:
        """See ``Lifecycle.stage``; ``-`` is the archive that comes in."""
        self._lifecycle.require_store()
        if str(arguments.source) != "-":
            yield from self._lifecycle.stage(arguments.source)
            return
        # A container has no other way in, and may have no disk but the store's.
        store = Path(self._settings.bundles)
        store.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=store, prefix=".stdin-") as archive:
            shutil.copyfileobj(sys.stdin.buffer, archive)
            archive.flush()
            yield from self._lifecycle.stage(Path(archive.name))

    def shadow(self, arguments: argparse.Namespace) -> Iterator[str]:
        """See ``Lifecycle.shadow``."""
        yield self._lifecycle.shadow(arguments.line, arguments.percent)

    def promote(self, arguments: argparse.Namespace) -> Iterator[str]:
        """See ``Lifecycle.promote``."""
        before = self._lifecycle.promote(arguments.line, fewer=arguments.fewer)
        yield f"{arguments.line} is active now" + (f", {before} was" if before else "")

    def rollback(self, arguments: argparse.Namespace) -> Iterator[str]:
        """See ``Lifecycle.rollback``."""
        line, before = self._lifecycle.rollback(arguments.algorithm)
        yield f"{line} is active again, {before} was"

    def retire(self, arguments: argparse.Namespace) -> Iterator[str]:
        """See ``Lifecycle.retire``."""
        return self._lifecycle.retire(arguments.line)

    def card(self, arguments: argparse.Namespace) -> Iterator[str]:
        """See ``Cards.register``."""
        self._lifecycle.require_store()
        card = self._cards.register(arguments.file)
        yield f"{card.name} is shown as {card.title}"

    def status(self, _: argparse.Namespace) -> Iterator[str]:
        """See ``report``."""
        versions = self._register.versions()
        yield from report(versions)
        for version in versions:
            line = version.status.line
            yield from compared(line, self._shadow.figures(line), self._shadow.changes(line, _TOLD))
        yield from history(self._lifecycle.steps(_TOLD))


def main() -> int:
    """Run one command; 1 and a message when a person has to act."""
    arguments = _parser().parse_args()
    try:
        for name, value in find(os.environ.get("REDIS_URL", "")).items():
            os.environ.setdefault(name, value)
        for line in arguments.run(Commands(WorkerSettings.read()), arguments):
            print(line, flush=True)
    except BrokenPipeError:
        # Whoever reads has seen enough (`status | head`); what is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except NotPromoted as error:
        print(f"Nothing was changed: {error}.", file=sys.stderr)
        return 1
    except (NotDone, CardInvalid, RosterBroken, Unclear, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except RedisError as error:
        print(f"Redis {Refusal.of(error) or 'is away'}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    stage = commands.add_parser("stage", help="store a version and start it beside the others")
    stage.add_argument("source", type=Path, metavar="FOLDER", help="a bundle, its .tar.gz, or -")
    stage.set_defaults(run=Commands.stage)
    shadow = commands.add_parser("shadow", help="have a version read along, for comparison")
    shadow.add_argument("line", metavar="NAME/VERSION")
    shadow.add_argument(
        "percent", nargs="?", type=int, choices=range(101), default=10, metavar="PERCENT"
    )
    shadow.set_defaults(run=Commands.shadow)
    promote = commands.add_parser("promote", help="new requests go to this version")
    promote.add_argument("line", metavar="NAME/VERSION")
    promote.add_argument(
        "--fewer",
        action="store_true",
        help="even with fewer processes than the version before it, where memory is short",
    )
    promote.set_defaults(run=Commands.promote)
    rollback = commands.add_parser("rollback", help="new requests go to the version before it")
    rollback.add_argument("algorithm", metavar="NAME")
    rollback.set_defaults(run=Commands.rollback)
    retire = commands.add_parser("retire", help="stop a version that is not active, and remove it")
    retire.add_argument("line", metavar="NAME/VERSION")
    retire.set_defaults(run=Commands.retire)
    card = commands.add_parser("card", help="register how an algorithm is presented")
    card.add_argument("file", type=Path, metavar="REGISTER.JSON")
    card.set_defaults(run=Commands.card)
    status = commands.add_parser("status", help="versions, their workers and what waits for them")
    status.set_defaults(run=Commands.status)
    return parser


if __name__ == "__main__":
    sys.exit(main())
