"""The address of Redis: what its URL says, read in one place.

redis-py and kombu both read URLs, and differ in what they take and in what they leave unchecked.
So neither of them reads ours.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

_PORT = 6379
_SENTINEL_PORT = 26379
_SOCKET_SCHEMES = ("unix", "redis+socket")
_SCHEMES = ("redis", "rediss", "sentinel", *_SOCKET_SCHEMES)

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
_SENTINEL_OPTIONS = ("master_name", "sentinel_password")
_OPTIONS = {
    scheme: (*_DB_OPTIONS, *{"rediss": _TLS_OPTIONS, "sentinel": _SENTINEL_OPTIONS}.get(scheme, ()))
    for scheme in _SCHEMES
}


class Sentinels(NamedTuple):
    """Who knows which Redis is the master: their hosts and ports, and what they call it."""

    addresses: tuple[tuple[str, int], ...]
    master_name: str = "mymaster"
    password: str = ""

    def __repr__(self) -> str:
        return f"Sentinels({self.addresses!r}, {self.master_name!r})"


@dataclass(frozen=True)
class Address:
    """Where Redis is, and as whom and how to connect to it.

    Either ``sentinels``, or ``socket``, a path, or ``host`` and ``port`` count. ``tls`` holds the
    options of encryption, under the names that redis-py and Celery share; without them nothing is
    encrypted. ``username``, ``password`` and ``db`` are those of Redis itself.
    """

    host: str = "127.0.0.1"
    port: int = _PORT
    socket: str = ""
    db: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: dict[str, Any] | None = None
    sentinels: Sentinels | None = None

    @classmethod
    def parse(cls, url: str, password: str = "") -> Address:
        """Read a URL; ``password`` counts when the URL carries none.

        Raises:
            ValueError: what is wrong with it, in one line that gives no password away.
        """
        if url.startswith("sentinel://"):
            return _behind_sentinels(url, password)
        parts, port = _split(url)
        local = parts.scheme in _SOCKET_SCHEMES
        options = _options(parts)
        if local and (parts.hostname or not parts.path.strip("/")):
            raise ValueError(f"must be {parts.scheme}:///path/of/the/socket")
        return cls(
            host=unquote(parts.hostname or cls.host),
            port=port,
            socket=unquote(parts.path) if local else "",
            db=_db(parts, options, local=local),
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
        if self.sentinels:
            return ";".join(
                f"sentinel://{user}{_host(host)}:{port}/{self.db}"
                for host, port in self.sentinels.addresses
            )
        if self.socket:
            return f"redis+socket://{user}{quote(self.socket)}?virtual_host={self.db}"
        scheme = "rediss" if self.tls else "redis"
        return f"{scheme}://{user}{_host(self.host)}:{self.port}/{self.db}"


def _behind_sentinels(urls: str, password: str) -> Address:
    """As kombu writes it: a URL for each sentinel, with ``;`` between them.

    User, password, database and options may stand in any of them, and are those of all.
    """
    found, addresses, dbs, options = Address(password=password), [], set[int](), dict[str, str]()
    for url in urls.split(";"):
        parts, port = _split(url.strip(), _SENTINEL_PORT)
        if parts.scheme != "sentinel" or not parts.hostname:
            raise ValueError(
                "must be sentinel://HOST:PORT;sentinel://HOST:PORT/DB?master_name=NAME"
            )
        addresses.append((unquote(parts.hostname), port))
        own = _options(parts)
        if parts.path.strip("/") or any(name in own for name in _DB_OPTIONS):
            dbs.add(_db(parts, own, local=False))
        options |= own
        if parts.username or parts.password:
            found = replace(
                found,
                username=unquote(parts.username or ""),
                password=unquote(parts.password or "") or password,
            )
    if len(dbs) > 1:
        raise ValueError(f"names several databases: {', '.join(map(str, sorted(dbs)))}")
    sentinels = Sentinels(
        tuple(addresses),
        options.get("master_name") or Sentinels._field_defaults["master_name"],
        options.get("sentinel_password", ""),
    )
    return replace(found, db=dbs.pop() if dbs else 0, sentinels=sentinels)


def _host(host: str) -> str:
    host = quote(host, safe=":")
    return f"[{host}]" if ":" in host else host


def _options(parts: SplitResult) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    allowed = _OPTIONS[parts.scheme]
    for name in options:
        if name not in allowed:
            raise ValueError(f"has the option {name}; {parts.scheme}:// takes {', '.join(allowed)}")
    return options


def _split(url: str, default_port: int = _PORT) -> tuple[SplitResult, int]:
    """The parts and the port. Python's own errors would show pieces of a password."""
    try:
        parts = urlsplit(url)
        port = parts.port or default_port
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


def _db(parts: SplitResult, options: dict[str, str], *, local: bool) -> int:
    """The number of the database, said once or several times over."""
    dbs = {options[name] for name in _DB_OPTIONS if name in options}
    if not local and parts.path.strip("/"):
        dbs.add(unquote(parts.path).strip("/"))
    dbs = dbs or {"0"}
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
