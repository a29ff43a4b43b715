"""The caller: like the contest's, it gives a request a second and sends it again under its uuid.

Arrivals are an open loop: the moment of every send is fixed beforehand, whatever the server does,
and every latency is counted from that moment. So a server that makes its callers wait cannot make
them send less, and the caller's own lateness counts against the server, never for it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

from bench.connection import Connections, Reply

_SOON_S = 0.05
_COMPUTE = re.compile(rb"compute;dur=([\d.]+)")


@dataclass(frozen=True)
class Patience:
    """How a caller treats a uuid: ``resends`` more copies, each when the last got no reply.

    A status of 400 or more is a reply, and the end of that uuid: the contest's caller counts it as
    a failure. A broken connection is none; the next copy leaves when its limit is over.

    ``insists``: a 503 or 504 is none either. ``heeds``: after one that says when to come again
    (Retry-After), the next copy leaves then.
    """

    limit_ms: int = 1_000
    resends: int = 2
    prefer: bool = False
    fresh: bool = False
    insists: bool = False
    heeds: bool = False

    @property
    def header(self) -> str:
        """``Prefer: wait=N`` of a caller that says how long it waits.

        And ``Connection: close`` of one that makes a connection for each copy.
        """
        prefer = f"Prefer: wait={self.limit_ms / 1000:g}\r\n" if self.prefer else ""
        return prefer + ("Connection: close\r\n" if self.fresh else "")


@dataclass(frozen=True, slots=True)
class Call:
    """One uuid to ask for: an image in base64, and when, in seconds from the beginning.

    ``label`` is what the image shows. ``group`` tells the parts of one run apart. ``key``: that of
    an account, where there are some.
    """

    uuid: str
    image: bytes
    label: str
    due_s: float
    group: str = ""
    key: str = ""

    @property
    def header(self) -> bytes:
        """What its request has beside those of its caller."""
        return b"X-API-Key: %b\r\n" % self.key.encode() if self.key else b""


# The status of a copy without one.
CLOSED = -1


@dataclass(slots=True)
class Copy:
    """One send: how late it left, and what came back how long after it was due.

    Status 0: nothing came within the limit; ``CLOSED``: the connection was refused or broken.
    """

    lag_ms: float
    status: int = 0
    took_ms: float = 0.0


@dataclass(slots=True)
class Record:
    """What became of one uuid. ``took_ms`` counts from when its first copy was due."""

    call: Call
    copies: list[Copy] = field(default_factory=list)
    answer: str | None = None
    took_ms: float = 0.0
    members: tuple[int, int] | None = None
    settled: bool = False
    source: str = ""
    compute_ms: float | None = None

    @property
    def full(self) -> bool:
        """Answered as all members would: by all, or by as many as the server says will do.

        A server that does not say how many has used all.
        """
        if self.answer is None:
            return False
        return self.settled or self.members is None or self.members[0] == self.members[1]


# What a caller is told that is to send the same again.
_COME_AGAIN = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)

Finished = Callable[[Record], None]


class Caller:
    """Sends calls to one server. Made inside a running event loop."""

    def __init__(self, url: str, patience: Patience) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        self._connections = Connections(host, port, fresh=patience.fresh)
        self._patience = patience
        self._head = (
            f"POST {parts.path.rstrip('/')}/inference HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Content-Type: application/json\r\n{patience.header}"
        ).encode()
        self._loop = asyncio.get_running_loop()
        self._open = 0
        self._done = asyncio.Event()
        self.sends = 0
        self._cpu_s = 0.0

    @property
    def cost_us(self) -> float:
        """CPU time of this process for each send of all runs, in microseconds."""
        return self._cpu_s / max(1, self.sends) * 1e6

    async def run(self, calls: Iterable[Call], finished: Finished) -> None:
        """Send every call when it is due and wait until all are answered or given up.

        ``calls`` come in the order in which they are due, and are asked for one by one: whoever
        makes them may end when it has seen enough. ``finished`` gets each record once.
        """
        _raise_file_limit()
        gc.collect()
        gc.freeze()
        cpu_s = _cpu_s()
        begin_s = self._loop.time() + _SOON_S
        for call in calls:
            due_s = begin_s + call.due_s
            # Also when it is late: the replies of others must be read in between.
            await asyncio.sleep(max(0.0, due_s - self._loop.time()))
            self._start(call, due_s, finished)
        while self._open:
            self._done.clear()
            await self._done.wait()
        self._cpu_s += _cpu_s() - cpu_s
        self._connections.close()
        gc.unfreeze()

    async def ask(self, call: Call) -> Record:
        """Send one call now and wait for its record."""
        future: asyncio.Future[Record] = self._loop.create_future()
        self._start(call, self._loop.time(), future.set_result)
        return await future

    def close(self) -> None:
        """Close idle connections."""
        self._connections.close()

    def _start(self, call: Call, due_s: float, finished: Finished) -> None:
        self._open += 1
        _Attempt(self, Record(call), due_s, finished).send()

    def _finish(self, record: Record, finished: Finished) -> None:
        self._open -= 1
        self._done.set()
        finished(record)


class _Attempt:
    """One uuid on its way, through all its copies."""

    def __init__(self, caller: Caller, record: Record, due_s: float, finished: Finished) -> None:
        self._caller, self._record, self._finished = caller, record, finished
        self._first_due_s = self._due_s = due_s

    def send(self) -> None:
        caller, patience = self._caller, self._caller._patience
        self._copy = Copy(lag_ms=(caller._loop.time() - self._due_s) * 1000)
        self._record.copies.append(self._copy)
        caller.sends += 1
        self._limit = caller._loop.call_at(self._due_s + patience.limit_ms / 1000, self._time_is_up)
        left = patience.resends + 1 - len(self._record.copies)
        call = self._record.call
        body = _body(call, left)
        length = b"Content-Length: %d\r\n\r\n" % len(body)
        payload = b"".join((caller._head, call.header, length, body))
        self._give_up = caller._connections.send(payload, self._replied)

    def _replied(self, reply: Reply | None) -> None:
        took_ms = (self._caller._loop.time() - self._due_s) * 1000
        self._give_up = _nothing  # the connection may be another's by now
        if took_ms > self._caller._patience.limit_ms:
            return  # the clock goes on
        self._copy.status, self._copy.took_ms = reply.status if reply else CLOSED, took_ms
        if reply is None:
            return  # and is what the next copy waits for
        if reply.status in _COME_AGAIN and self._caller._patience.insists:
            if self._caller._patience.heeds and (after := reply.headers.get(b"retry-after")):
                self._limit.cancel()
                again_s = self._caller._loop.time() + float(after)
                self._limit = self._caller._loop.call_at(again_s, self._again, again_s)
            return
        self._limit.cancel()
        _note(self._record, reply)
        if self._record.answer is not None:
            self._record.took_ms = took_ms + (self._due_s - self._first_due_s) * 1000
        self._caller._finish(self._record, self._finished)

    def _time_is_up(self) -> None:
        self._give_up()
        self._again(self._due_s + self._caller._patience.limit_ms / 1000)

    def _again(self, due_s: float) -> None:
        if len(self._record.copies) > self._caller._patience.resends:
            self._caller._finish(self._record, self._finished)
            return
        self._due_s = due_s
        self.send()


def _nothing() -> None:
    """Nothing is left to give up."""


def _body(call: Call, left: int) -> bytes:
    """The contest's four fields; base64 and our uuids need no escapes."""
    return b'{"esun_uuid": "%b", "esun_timestamp": %d, "image": "%b", "retry": %d}' % (
        call.uuid.encode(),
        int(time.time()),
        call.image,
        left,
    )


def _note(record: Record, reply: Reply) -> None:
    """Take the answer out of a reply, if it is one by the rules of the contest's caller."""
    if reply.status != HTTPStatus.OK:
        return
    try:
        fields = json.loads(reply.body)
        sound = fields["esun_uuid"] == record.call.uuid and bool(fields["server_uuid"])
        if sound and isinstance(fields["server_timestamp"], int) and fields["answer"]:
            record.answer = fields["answer"]
    except (ValueError, KeyError, TypeError):
        return
    if members := reply.headers.get(b"punctual-members"):
        counts, _, parameter = members.partition(b";")
        answered, _, of = counts.partition(b"/")
        record.members = int(answered), int(of)
        record.settled = parameter.strip() == b"settled"
    record.source = reply.headers.get(b"punctual-source", b"").decode()
    if found := _COMPUTE.search(reply.headers.get(b"server-timing", b"")):
        record.compute_ms = float(found[1])


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _raise_file_limit() -> None:
    """A waiting request holds a socket, and many systems allow a process only 1,024 files."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
