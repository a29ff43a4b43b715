"""``python -m client``: read a folder, zip, tar, CSV or PDF as one job, and fetch the result.

Stopped by Ctrl-C or SIGTERM, the job goes on; the same command fetches it. Where the service has
accounts, the environment holds a key, in PUNCTUAL_KEY.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from client.service import Refused, Service
from client.source import Source, source

_LOOK_EVERY_S = 0.5
_BAR = 40
_COLUMNS = ("item", "id", "answer", "members", "bundle", "error")
_INTERRUPTED = 130


def main() -> int:
    """Run once; 1 and a message when a person has to act, 2 when some images could not be read."""
    # As by Ctrl-C: what was packed to be sent is not left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = _parser().parse_args()
    try:
        service = Service(arguments.url, os.environ.get("PUNCTUAL_KEY", ""))
        with tempfile.TemporaryDirectory(prefix="punctual-client-") as scratch:
            brought = source(arguments.source, Path(scratch))
            job = _ordered(service, brought, arguments.algorithm)
        job = _awaited(service, job)
        failed = _written(service.lines(job["result"]), arguments.out)
    except (OSError, ValueError, Refused) as error:
        print(error.args[0] if isinstance(error, Refused) else error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe job goes on. The same command fetches it.", file=sys.stderr)
        return _INTERRUPTED
    if job["problem"]:
        print(f"{job['state']}: {job['problem']['detail']}", file=sys.stderr)
        return 1
    print(f"{job['state']}: {job['counts']['succeeded']} read, {failed} not", file=sys.stderr)
    return 2 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m client", description=__doc__)
    parser.add_argument("source", type=Path, help="a folder of images, or a zip, tar, CSV or PDF")
    parser.add_argument("--out", type=Path, help="a .csv or .jsonl file; without it, JSON lines")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="of the service")
    parser.add_argument("--algorithm", help="what is to read; without it, the default one")
    return parser


def _ordered(service: Service, brought: Source, algorithm: str | None) -> Any:
    """The job, which is called by what it reads: the same again is the same job."""
    name = hashlib.sha256(f"{algorithm or ''} {brought.sha256}".encode()).hexdigest()[:32]
    job = service.find(f"/jobs/{name}")
    if job is None:
        own = {"algorithm": algorithm} if algorithm else {}
        order = {**own, "input": {"upload": _uploaded(service, brought)}}
        job = service.call("PUT", f"/jobs/{name}", order)
    return job


def _uploaded(service: Service, brought: Source) -> str:
    """The id of the upload of this file; of one that was interrupted only the rest is sent."""
    ticket = service.call("POST", "/uploads", {"bytes": brought.size}, key=brought.sha256)
    with brought.path.open("rb") as stream:
        for part in ticket["parts"]:
            if not part["arrived"]:
                stream.seek(part["offset"])
                service.call("PUT", part["url"], stream.read(part["bytes"]))
            _show("sending", (part["offset"] + part["bytes"]) / brought.size)
    service.call("POST", ticket["completion"], {"sha256": brought.sha256})
    return str(ticket["id"])


def _awaited(service: Service, job: Any) -> Any:
    while job["ended_at"] is None:
        _show(job["state"], job["progress"])
        time.sleep(_LOOK_EVERY_S)
        job = service.call("GET", f"/jobs/{job['id']}")
    _show(job["state"], job["progress"])
    print(file=sys.stderr)
    return job


def _written(lines: Iterable[dict[str, Any]], out: Path | None) -> int:
    """How many are errors."""
    if out is None:
        return _write_lines(lines, sys.stdout)
    with out.open("w", encoding="utf-8", newline="") as stream:
        return (_write_table if out.suffix == ".csv" else _write_lines)(lines, stream)


def _write_lines(lines: Iterable[dict[str, Any]], stream: TextIO) -> int:
    failed = 0
    for line in lines:
        failed += "error" in line
        print(json.dumps(line, ensure_ascii=False), file=stream)
    return failed


def _write_table(lines: Iterable[dict[str, Any]], stream: TextIO) -> int:
    table = csv.DictWriter(stream, _COLUMNS, restval="", extrasaction="ignore")
    table.writeheader()
    failed = 0
    for line in lines:
        failed += "error" in line
        table.writerow(line | ({"error": line["error"]["detail"]} if "error" in line else {}))
    return failed


def _show(what: str, share: float) -> None:
    """A bar, for people."""
    if sys.stderr.isatty():
        full = round(_BAR * share)
        bar = "#" * full + "." * (_BAR - full)
        print(f"\r{what:<10} [{bar}] {share:4.0%}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
