"""Fixtures: a Redis per test, one service for the tests that leave it as it was; and ``--unit``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from npm.package import SETTING
from tests.browser import launched, watched
from tests.memory_redis import MemoryRedis
from tests.model import graphs
from tests.npm.registry import served
from tests.redis_process import RedisProcess
from tests.service_process import Service

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

AnyRedis: TypeAlias = MemoryRedis | RedisProcess

# Whoever uses one of these fixtures has the marker beside it, and is no unit test.
_MARKS = {"browser": "browser", "redis": "redis", "service": "service", "freeze": "tensorflow"}

# Nor is anything in these: they start servers or an interpreter a case, make environments, train.
_NO_UNITS = {
    *("bench/test_caller.py", "bench/test_environments.py", "bench/test_peer.py"),
    *("bench/test_scenarios.py", "model/test_costly_image.py", "pipeline"),
    *("serverless/test_aws_lambda.py", "serverless/test_sagemaker.py", "service", "training"),
    *("test_environment.py", "test_nginx.py", "test_run.py"),
}


# What waits for services comes first, what computes last: beside it the workers of a service, which
# give way to everybody else, would be late. The longest file first, so that none is left over.
_TURNS = ("test_run.py", "service", "", "training")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--unit",
        action="store_true",
        help="only what needs no service, no Redis process, no browser and no TensorFlow",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("unit"):
        # An import fails where it is tried, whether or not they are installed.
        sys.modules.update(dict.fromkeys(("keras", "tensorflow")))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    left_out = {Path(__file__).parent / path for path in _NO_UNITS}
    return True if config.getoption("unit") and collection_path in left_out else None


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Files are no names: they are long, and archives differ from one second to the next."""
    return argname if isinstance(val, bytes) and len(val) > 40 else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        for fixture in _MARKS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(_MARKS[fixture])
    if config.getoption("unit"):
        others = [item for item in items if any(map(item.get_closest_marker, _MARKS.values()))]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    place = item.path.relative_to(Path(__file__).parent).parts[0]
    return _TURNS.index(place if place in _TURNS else "")


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    process = RedisProcess(tmp_path_factory.mktemp("redis"))
    process.start()
    yield process
    process.stop()


@pytest.fixture
def redis(redis_process: RedisProcess) -> RedisProcess:
    """An empty Redis."""
    redis_process.client.flushall()
    return redis_process


@pytest.fixture
def memory() -> MemoryRedis:
    """An empty Redis that is no process."""
    return MemoryRedis()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def any_redis(request: pytest.FixtureRequest) -> AnyRedis:
    """One after the other: what is tested does not depend on which it is."""
    redis: AnyRedis = request.getfixturevalue(request.param)
    return redis


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is served as the registry of npm packages; its file ``address`` says where."""
    folder = tmp_path / "registry"
    folder.mkdir()
    with served(folder) as address:
        (folder / "address").write_text(address)
        monkeypatch.setenv(SETTING, address)
        yield folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Not for the whole run: beside it nothing else can use asyncio."""
    with launched() as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page; the test fails when a request of it leaves this machine or a script fails."""
    with watched(browser) as empty:
        yield empty


@pytest.fixture(scope="session")
def freeze() -> Callable[..., Path]:
    """Makes a graph, for which it needs TensorFlow."""
    return graphs.freeze


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service that tests share and must leave running."""
    with Service(
        tmp_path_factory.mktemp("service"), CAPTAIN_EMAIL="captain@example.org", SALT="pepper"
    ) as running:
        running.start()
        yield running
