"""``python3 deploy/pipeline/verify.py URL``: does what runs there serve as it should?

It is ready, reads the sample request, says the right version, and answers a short storm: every
uuid within three tries of a second each, nearly all at the first. Needs the standard library alone,
and where there are accounts a key, in PUNCTUAL_KEY.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

_SAMPLE = Path(__file__).resolve().parents[2] / "docs" / "sample-request.json"
_KEY = {"Authorization": f"Bearer {key}"} if (key := os.environ.get("PUNCTUAL_KEY")) else {}
_START, _COMMENT = b"\xff\xd8", b"\xff\xfe"

_LIMIT_S = 1.0
_TRIES = 3
_LOOK_AGAIN_S = 1.0


class Reply(NamedTuple):
    """What came back; status 0: nothing in time."""

    status: int
    answer: str
    bundle: str


_NOTHING = Reply(0, "", "")


class Faulty(Exception):
    """It does not serve as it should: one line."""


def main() -> int:
    """0 when it does; 1 and a line when it does not."""
    parser = argparse.ArgumentParser(prog="verify.py", description=__doc__)
    add = parser.add_argument
    add("url")
    add("--bundle", help="which must answer, as NAME/VERSION")
    add("--answer", help="what the sample request must read")
    add("--algorithm", help="which is asked, whatever name the bundle has elsewhere")
    add("--ready-within", type=float, default=0, help="seconds that it may take to be ready")
    add("--rate", type=float, default=10, help="uuids a second")
    add("--seconds", type=float, default=60, help="of storm")
    add("--first-try", type=float, default=99, help="percent that must be answered by the first")
    options = parser.parse_args()
    url = options.url.rstrip("/")
    if options.algorithm and options.bundle:
        options.bundle = f"{options.algorithm}/{options.bundle.rpartition('/')[2]}"
    try:
        print("\n".join(_findings(url, options)))
    except Faulty as fault:
        print(f"{url}: {fault}", file=sys.stderr)
        return 1
    return 0


def _findings(url: str, options: argparse.Namespace) -> Iterator[str]:
    """A line for each thing that is as it should be; raises Faulty at the first that is not."""
    _await_ready(url, options)
    yield "ready"
    # Under a uuid of its own: an answer that was kept would tell nothing.
    sample = json.loads(_SAMPLE.read_text(encoding="utf-8"))
    at = f"{url}/inference" + (f"/{options.algorithm}" if options.algorithm else "")
    reply = _ask(at, _copy(sample, 0), 10 * _LIMIT_S)
    if not reply.answer:
        raise Faulty(f"the sample request was not answered: status {reply.status}")
    if options.answer not in (None, reply.answer):
        raise Faulty(f"the sample request reads {reply.answer}, not {options.answer}")
    yield f"the sample request reads {reply.answer}"
    if options.bundle not in (None, reply.bundle):
        raise Faulty(f"{reply.bundle} answers, not {options.bundle}")
    yield f"{reply.bundle} answers"
    tries = _storm(at, sample, options)
    lost = tries.count(0)
    first = 100 * tries.count(1) / len(tries)
    told = f"{len(tries)} uuids: {first:.1f} % at the first try, {lost} without an answer"
    if lost or first < options.first_try:
        raise Faulty(told)
    yield told


def _await_ready(url: str, options: argparse.Namespace) -> None:
    """Until it says that it is ready; of an algorithm, that one."""
    until_s = time.monotonic() + options.ready_within
    path = f"/algorithms/{options.algorithm}" if options.algorithm else "/readyz"
    while True:
        try:
            call = urllib.request.Request(f"{url}{path}", headers=_KEY)
            with urllib.request.urlopen(call, timeout=5) as reply:
                state = json.load(reply)["state"] if options.algorithm else "ready"
        except (OSError, ValueError, KeyError) as error:
            state = str(error)
        if state == "ready":
            return
        if time.monotonic() >= until_s:
            raise Faulty(f"not ready: {state}")
        time.sleep(_LOOK_AGAIN_S)


def _storm(at: str, sample: dict[str, Any], options: argparse.Namespace) -> list[int]:
    """By which try each was answered; 0: by none."""
    count = max(1, int(options.rate * options.seconds))
    began_s = time.monotonic()

    def call(number: int) -> int:
        request = _copy(sample, number)
        for tried in range(_TRIES):
            due_s = began_s + (number - 1) / options.rate + tried * _LIMIT_S
            time.sleep(max(0.0, due_s - time.monotonic()))
            reply = _ask(at, request, _LIMIT_S)
            if reply.answer and options.bundle in (None, reply.bundle):
                return tried + 1
        return 0

    # As many as can wait for their last try.
    with ThreadPoolExecutor(max(1, int(options.rate * _TRIES * _LIMIT_S) + 1)) as callers:
        return list(callers.map(call, range(1, count + 1)))


def _copy(sample: dict[str, Any], number: int) -> dict[str, Any]:
    """Another uuid, and a file of other bytes: the same pixels behind a comment of its own."""
    jpeg = base64.b64decode(sample["image"]).removeprefix(_START)
    text = f"{number} {uuid.uuid4()}".encode()
    comment = _COMMENT + (len(text) + 2).to_bytes(2, "big") + text
    image = base64.b64encode(_START + comment + jpeg).decode()
    return sample | {"esun_uuid": uuid.uuid4().hex, "image": image}


def _ask(at: str, request: dict[str, Any], within_s: float) -> Reply:
    call = urllib.request.Request(at, json.dumps(request).encode(), _KEY)
    try:
        with urllib.request.urlopen(call, timeout=within_s) as reply:
            answer = json.load(reply).get("answer", "")
            return Reply(reply.status, answer, reply.headers.get("Punctual-Bundle", ""))
    except urllib.error.HTTPError as error:
        return _NOTHING._replace(status=error.code)
    except (OSError, ValueError):
        return _NOTHING


if __name__ == "__main__":
    sys.exit(main())
