"""The service as a client sees it: requests that are sent again until they are answered."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

_OPENER = urllib.request.build_opener()

_TIMEOUT_S = 60
_AGAIN_AFTER_S = 1.0


class Refused(Exception):
    """The service has said no; the message tells what to do."""


class Service:
    """At a URL. What is away for a moment is waited for.

    ``account_key``: of the account that asks, empty where none is needed.
    """

    def __init__(self, url: str, account_key: str = "") -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url}: not a URL of http or https")
        self._url = url.rstrip("/")
        # What it was waited for, the last time; once is enough.
        self._told = ""
        self._headers = {"Authorization": f"Bearer {account_key}"} if account_key else {}

    def call(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """The JSON that is replied.

        Args:
            method: of HTTP.
            path: with a slash at its beginning.
            body: bytes are sent as they are, everything else as JSON.
            key: what is asked for under the same key is the same thing.

        Raises:
            Refused: the request is wrong.
        """
        with self._open(method, path, body, key) as reply:
            text = reply.read()
        return json.loads(text) if text else {}

    def find(self, path: str) -> Any:
        """The same of GET, and None where there is nothing."""
        try:
            return self.call("GET", path)
        except Refused as error:
            if error.args[1:] == (HTTPStatus.NOT_FOUND,):
                return None
            raise

    def lines(self, path: str) -> Iterator[dict[str, Any]]:
        """What is replied line by line."""
        with self._open("GET", path) as reply:
            for line in reply:
                yield json.loads(line)

    def _open(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        while True:
            again_after_s = _AGAIN_AFTER_S
            try:
                return _OPENER.open(request, timeout=_TIMEOUT_S)
            except urllib.error.HTTPError as error:
                if error.code < HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise Refused(_detail(error), error.code) from error
                again_after_s = float(error.headers.get("Retry-After", again_after_s))
                why = _detail(error)
            except OSError as error:
                cause = error.reason if isinstance(error, urllib.error.URLError) else error
                if _stays_so(cause):
                    raise Refused(f"{self._url} cannot be reached: {cause}") from error
                why = f"{self._url} does not answer: {cause}"
            except http.client.HTTPException as error:
                raise Refused(f"{self._url} does not speak HTTP: {error!r}") from error
            if why != self._told:
                print(f"{why}. Trying again, until Ctrl-C.", file=sys.stderr, flush=True)
                self._told = why
            time.sleep(again_after_s)


def _stays_so(cause: object) -> bool:
    """A name that nobody has, or a port that is none of TLS."""
    has_no_name = isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME
    return has_no_name or isinstance(cause, ssl.SSLError)


def _detail(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {error.code}: {text[:200]}"
