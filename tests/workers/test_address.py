"""The address of Redis: one reading of its URL, and two libraries that make the same of it."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from celery import Celery

from workers.contract.address import Address, Sentinels
from workers.contract.connection import impatient, patient, sentinel_parameters
from workers.contract.settings import QueueSettings

VERIFIED = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://redis:6379/0", Address("redis")),
        ("redis://redis", Address("redis")),
        ("redis://", Address("127.0.0.1")),
        ("redis://redis:7000/3", Address("redis", 7000, db=3)),
        ("redis://redis/?db=3", Address("redis", db=3)),
        ("redis://redis/3?virtual_host=3", Address("redis", db=3)),
        ("redis://[::1]:7000/1", Address("::1", 7000, db=1)),
        ("redis://me@redis", Address("redis", username="me")),
        ("redis://:p%2F%40%23%25w@redis", Address("redis", password="p/@#%w")),
        ("redis://me:known@redis", Address("redis", username="me", password="known")),
        ("rediss://redis", Address("redis", tls=VERIFIED)),
        ("rediss://redis?ssl_cert_reqs=CERT_REQUIRED", Address("redis", tls=VERIFIED)),
        (
            "rediss://redis?ssl_cert_reqs=none",
            Address("redis", tls=VERIFIED | {"ssl_cert_reqs": ssl.CERT_NONE}),
        ),
        (
            "rediss://redis?ssl_check_hostname=false",
            Address("redis", tls=VERIFIED | {"ssl_check_hostname": False}),
        ),
        (
            f"rediss://redis?ssl_ca_certs={__file__}&ssl_certfile={__file__}&ssl_keyfile={__file__}",
            Address(
                "redis",
                tls=VERIFIED
                | dict.fromkeys(("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"), __file__),
            ),
        ),
        ("unix:///run/redis.sock", Address(socket="/run/redis.sock")),
        ("unix:///run/redis.sock?db=2", Address(socket="/run/redis.sock", db=2)),
        ("redis+socket:///run/redis.sock", Address(socket="/run/redis.sock")),
        (
            "redis+socket://me:p%40@/run/a%20b.sock?virtual_host=2",
            Address(socket="/run/a b.sock", db=2, username="me", password="p@"),
        ),
    ],
)
def test_both_libraries_connect_as_the_url_says(url: str, expected: Address) -> None:
    address = Address.parse(url)
    assert address == expected
    wanted = {
        "db": expected.db,
        "username": expected.username or None,
        "password": expected.password or None,
        **(expected.tls or {}),
    }
    if expected.socket:
        wanted |= {"path": expected.socket}
    else:
        wanted |= {"host": expected.host, "port": expected.port}

    settings = QueueSettings(redis_url=url)
    clients = [impatient(settings, 100), patient(settings)]
    pools = [client.connection_pool.connection_kwargs for client in clients]
    classes = [client.connection_pool.connection_class for client in clients]
    consumer = _consumers(address)
    for given in (*pools, consumer):
        assert {name: given.get(name) for name in wanted} == wanted
        assert {name for name in given if name.startswith("ssl_")} == set(expected.tls or {})
    assert {consumer["connection_class"], *classes} == {classes[0]}


def _consumers(address: Address) -> dict[str, object]:
    """What kombu would connect the worker's consumer with."""
    app = Celery(broker=address.broker_url)
    app.conf.broker_use_ssl = address.tls or False
    with app.connection_for_read() as connection:
        transport = connection.transport
        # Without the connecting that a channel begins with.
        channel = object.__new__(transport.Channel)
        channel.connection = transport
        parameters: dict[str, object] = channel._connparams()
    return parameters


ONE = Sentinels((("one", 26379),))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sentinel://one", Address(sentinels=ONE)),
        ("sentinel://one:7000/3", Address(db=3, sentinels=Sentinels((("one", 7000),)))),
        (
            "sentinel://one:7000;sentinel://[::1];sentinel://three:7002/1?master_name=punctual",
            Address(
                db=1,
                sentinels=Sentinels((("one", 7000), ("::1", 26379), ("three", 7002)), "punctual"),
            ),
        ),
        (
            "sentinel://me:p%40@one/1;sentinel://me:p%40@two/1",
            Address(
                db=1,
                username="me",
                password="p@",
                sentinels=Sentinels((("one", 26379), ("two", 26379))),
            ),
        ),
        (
            "sentinel://:p%3B@one?sentinel_password=s%40%3B",
            Address(password="p;", sentinels=ONE._replace(password="s@;")),
        ),
    ],
)
def test_both_libraries_ask_the_sentinels_as_the_url_says(url: str, expected: Address) -> None:
    address = Address.parse(url)
    assert address == expected
    sentinels = expected.sentinels
    assert sentinels is not None
    login = {"username": expected.username or None, "password": expected.password or None}

    settings = QueueSettings(redis_url=url)
    for client in (impatient(settings, 100), patient(settings)):
        given = client.connection_pool.connection_kwargs
        assert {name: given[name] for name in ("db", *login)} == {"db": expected.db, **login}
        assert given["master_name"] == sentinels.master_name
        asked = [each.connection_pool.connection_kwargs for each in given["sentinel"].sentinels]
        assert [(each["host"], each["port"]) for each in asked] == list(sentinels.addresses)
        assert {each["password"] for each in asked} == {sentinels.password or None}

    with Celery(broker=address.broker_url).connection_for_read() as connection:
        channel = object.__new__(connection.transport.Channel)
        channel.connection = connection.transport
        channel.master_name = sentinels.master_name
        channel.sentinel_kwargs = sentinel_parameters(sentinels, 100)
        pool = channel._sentinel_managed_pool()
    given = pool.connection_kwargs
    assert {name: given.get(name) for name in ("db", *login)} == {"db": expected.db, **login}
    assert pool.service_name == sentinels.master_name
    asked = [each.connection_pool.connection_kwargs for each in pool.sentinel_manager.sentinels]
    assert [(each["host"], each["port"]) for each in asked] == list(sentinels.addresses)
    assert {each["password"] for each in asked} == {sentinels.password or None}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "must begin with redis://"),
        ("redis:6379", "must begin with redis://"),
        ("sentinel://", "must be sentinel://HOST:PORT;sentinel://HOST:PORT/DB"),
        ("sentinel://one;redis://two", "must be sentinel://HOST:PORT;sentinel://HOST:PORT/DB"),
        ("sentinel://one;two", "must begin with redis://"),
        ("sentinel://one/0;sentinel://two/1", "names several databases: 0, 1"),
        ("sentinel://one/queue", "names the database queue"),
        ("sentinel://one?ssl_cert_reqs=none", "sentinel:// takes db, virtual_host, master_name"),
        ("sentinel://:geheim@one:port", "cannot be read"),
        ("redis://redis?socket_keepalive=true", "has the option socket_keepalive"),
        ("redis://redis?ssl_cert_reqs=none", "has the option ssl_cert_reqs"),
        ("redis://redis/queue", "names the database queue"),
        ("redis://redis/0?db=1", "names several databases: 0, 1"),
        ("redis://redis/-1", "names the database -1"),
        ("rediss://redis?ssl_cert_reqs=maybe", "it is required or none"),
        ("rediss://redis?ssl_check_hostname=0", "it is true or false"),
        ("rediss://redis?ssl_ca_certs=/no/such/file", "where no file is"),
        ("unix://run/redis.sock", "must be unix:///path/of/the/socket"),
        ("redis+socket://", "must be redis+socket:///path/of/the/socket"),
        ("redis://redis:port/0", "cannot be read"),
        ("redis://[::1/0", "cannot be read"),
        ("redis://:geheim/wort@redis:6379/0", "%2F"),
        ("redis://:geheim#wort@redis:6379/0", "%23"),
    ],
)
def test_what_they_would_disagree_on_is_refused(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("+", r"\+")) as caught:
        Address.parse(url)
    assert "\n" not in str(caught.value)
    assert "geheim" not in str(caught.value)


def test_the_password_of_its_own_counts_when_the_url_has_none() -> None:
    assert Address.parse("redis://me@redis", "se/cret").password == "se/cret"
    assert Address.parse("redis://:known@redis", "secret").password == "known"
    assert Address.parse("redis://me@redis", "se/cret").broker_url == (
        "redis://me:se%2Fcret@redis:6379/0"
    )


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    for url in (
        "redis://:geheim@redis",
        f"unix://:geheim@{tmp_path}/redis.sock",
        "sentinel://:geheim@one;sentinel://two?sentinel_password=geheim",
    ):
        address = Address.parse(url)
        assert "geheim" not in repr(address)
        assert "geheim" not in Celery(broker=address.broker_url).connection_for_read().as_uri()
