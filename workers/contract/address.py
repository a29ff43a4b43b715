"""The address of Redis: what its URL says, read in one place.

redis-py and kombu both read URLs, and differ in what they take and in what they leave unchecked.
So neither of them reads ours.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

_PORT = 6379
_SOCKET_SCHEMES = ("unix", "redis+socket")
_SCHEMES = ("redis", "rediss", *_SOCKET_SCHEMES)

# Names of options are those of redis-py, which Celery has too; for their values each has its own.
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_VERIFY = {
    "required": ssl.CERT_REQUIRED,
    "cert_required": ssl.CERT_REQUIRED,
    "none": ssl.CERT_NONE,
    "cert_none": ssl.CERT_NONE,
}
_CHECK_HOSTNAME = {"true": True, "false": False}
_DB_OPTIONS = ("db", "virtual_host")
_TLS_OPTIONS = (*_FILES, "ssl_cert_reqs", "ssl_check_hostname")


@dataclass(frozen=True)
class Address:
    """Where Redis is, and as whom and how to connect to it.

    Either ``socket``, a path, or ``host`` and ``port`` count. ``tls`` holds the options of
    encryption, under the names that redis-py and Celery share; without them nothing is encrypted.
    """

    host: str = "127.0.0.1"
    port: int = _PORT
    socket: str = ""
    db: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: dict[str, Any] | None = None

    @classmethod
    def parse(cls, url: str, password: str = "") -> Address:
        """Read a URL; ``password`` counts when the URL carries none.

        Raises:
            ValueError: what is wrong with it, in one line that gives no password away.
        """
        parts, port = _split(url)
        local = parts.scheme in _SOCKET_SCHEMES
        allowed = (*_DB_OPTIONS, *(_TLS_OPTIONS if parts.scheme == "rediss" else ()))
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name in options:
            if name not in allowed:
                raise ValueError(
                    f"has the option {name}; {parts.scheme}:// takes {', '.join(allowed)}"
                )
        if local and (parts.hostname or not parts.path.strip("/")):
            raise ValueError(f"must be {parts.scheme}:///path/of/the/socket")
        dbs = {options[name] for name in _DB_OPTIONS if name in options}
        if not local and parts.path.strip("/"):
            dbs.add(unquote(parts.path).strip("/"))
        return cls(
            host=unquote(parts.hostname or cls.host),
            port=port,
            socket=unquote(parts.path) if local else "",
            db=_number(dbs or {"0"}),
            username=unquote(parts.username or ""),
            password=unquote(parts.password or "") or password,
            tls=_tls(options) if parts.scheme == "rediss" else None,
        )

    @property
    def broker_url(self) -> str:
        """For kombu, whose own spelling leaves nothing to be understood differently."""
        user = quote(self.username, safe="")
        if self.password:
            user += f":{quote(self.password, safe='')}"
        user += "@" if user else ""
        if self.socket:
            return f"redis+socket://{user}{quote(self.socket)}?virtual_host={self.db}"
        host = quote(self.host, safe=":")
        host = f"[{host}]" if ":" in host else host
        return f"{'rediss' if self.tls else 'redis'}://{user}{host}:{self.port}/{self.db}"


def _split(url: str) -> tuple[SplitResult, int]:
    """The parts and the port. Python's own errors would show pieces of a password."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORT
    except ValueError:
        raise ValueError(
            "cannot be read; in a user's name or a password, / ? # @ : and [ are written "
            "%2F %3F %23 %40 %3A and %5B"
        ) from None
    if parts.scheme not in _SCHEMES or "://" not in url:
        raise ValueError(f"must begin with {', '.join(f'{scheme}://' for scheme in _SCHEMES)}")
    if parts.fragment:
        raise ValueError("has a # in it; in a password it is written %23")
    return parts, port


def _number(dbs: set[str]) -> int:
    """The number of the database, said once or several times over."""
    if len(dbs) > 1:
        raise ValueError(f"names several databases: {', '.join(sorted(dbs))}")
    (db,) = dbs
    if not (db.isascii() and db.isdigit()):
        raise ValueError(f"names the database {db}, which is no number")
    return int(db)


def _tls(options: dict[str, str]) -> dict[str, Any]:
    """What is not said is verified: the certificate, and that it is the host's."""
    verify = options.get("ssl_cert_reqs", "required").lower()
    if verify not in _VERIFY:
        raise ValueError(f"has ssl_cert_reqs={verify}; it is required or none")
    check_hostname = options.get("ssl_check_hostname", "true").lower()
    if check_hostname not in _CHECK_HOSTNAME:
        raise ValueError(f"has ssl_check_hostname={check_hostname}; it is true or false")
    for name in _FILES:
        if name in options and not Path(options[name]).is_file():
            raise ValueError(f"has {name}={options[name]}, where no file is")
    return {
        "ssl_cert_reqs": _VERIFY[verify],
        "ssl_check_hostname": _CHECK_HOSTNAME[check_hostname],
        **{name: options[name] for name in _FILES if name in options},
    }
