"""The tally: what is accounted for of each reply, once its caller has it and nothing is urgent."""

from __future__ import annotations

import logging
from http import HTTPStatus

from web.books import Books
from web.exchange import Exchange
from web.metrics import Metrics
from web.reply import Source
from web.traces import end
from web.witness import Witness
from workers.contract.accounts import Amount
from workers.contract.evidence import Evidence

# As whoever reads logs knows it.
logger = logging.getLogger("web.inference")

_ACCOUNT = (
    "algorithm=%(algorithm)s uuid=%(uuid)s status=%(status)d source=%(source)s type=%(type)s "
    "took_ms=%(took_ms)d retry=%(retry)s"
)

# After these a worker may have the image, though no answer has come.
_MAY_BE_READ = {HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.GATEWAY_TIMEOUT}


class Tally:
    """Tells the log, the metrics, the books, the witness and the traces."""

    def __init__(self, metrics: Metrics, books: Books, witness: Witness) -> None:
        self._metrics = metrics
        self._books = books
        self._witness = witness

    def note(self, reply: Exchange) -> None:
        """One reply."""
        took_ms = reply.answered_ms - reply.arrived_ms
        name = self._metrics.observe(
            reply.algorithm, reply.status, reply.source, reply.problem, took_ms
        )
        account = {
            "algorithm": name,
            "uuid": reply.uuid,
            "status": reply.status,
            "source": reply.source,
            "type": reply.problem or "none",
            "took_ms": took_ms,
            "retry": reply.retry,
        }
        logger.info(_ACCOUNT, account)
        if reply.account is not None:
            self._books.count(reply.account.name, name, _used(reply))
        if self._witness.is_on:
            self._witness.note(_evidence(reply, name, self._witness.front), _worth_keeping(reply))
        if reply.span is not None:
            result = reply.answer.result if reply.answer else None
            told = {"algorithm": name, "source": reply.source, "problem": reply.problem}
            end(reply.span, reply.status, result, reply.answered_ms, told)


def _used(reply: Exchange) -> Amount:
    source = reply.answer.source if reply.answer else None
    result = reply.answer.result if reply.answer and source is Source.COMPUTED else None
    return Amount(
        requests=1,
        units=reply.bill.units if reply.bill else 0,
        computed=int(source is Source.COMPUTED),
        joined=int(source is Source.JOINED),
        kept=int(source is Source.KEPT),
        refused=int(reply.status >= HTTPStatus.BAD_REQUEST),
        members=result.members if result else 0,
        compute_us=result.compute_us if result else 0,
    )


def _evidence(reply: Exchange, algorithm: str, front: str) -> Evidence:
    evidence = Evidence(
        uuid=reply.uuid,
        algorithm=algorithm or None,
        arrived_ms=reply.arrived_ms,
        answered_ms=reply.answered_ms,
        status=reply.status,
        outcome=reply.problem or "answered",
        front=front,
        account=reply.account.name if reply.account else None,
        image_sha256=reply.asked.fingerprint if reply.asked else None,
        source=reply.answer.source if reply.answer else None,
    )
    return evidence.read_as(reply.answer.result) if reply.answer else evidence


def _worth_keeping(reply: Exchange) -> bytes | None:
    """The image, if this reply is the first that tells what was read in it, or may be read yet."""
    computed = reply.answer is not None and reply.answer.source is Source.COMPUTED
    return reply.image if computed or reply.status in _MAY_BE_READ else None
