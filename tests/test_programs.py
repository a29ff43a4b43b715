"""The list of programs, and the configuration in which supervisord finds them as they are."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from supervisor.options import ProcessConfig, ServerOptions

from deploy import supervisord
from deploy.programs import LONGEST_STOP_S, TIED, Program, programs, workers
from deploy.run import service_environment

# Of all places for temporary files, the worst.
STATE = 'a b/%s %(here)s %%/it\'s "x" #1 ;2 $HOME \\ 字'

# In one line, and in UTF-8.
WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What ``make run`` would set, with its files in STATE."""
    state = tmp_path / STATE
    state.mkdir(parents=True)
    return service_environment(state, "redis-server", 8123, 5123) | {"WORKER_PROCESSES": "7"}


def read(configuration: Path) -> tuple[ServerOptions, list[ProcessConfig]]:
    """As supervisord does: its options, and its programs in the order of their start."""
    options = ServerOptions()
    options.realize(["-c", str(configuration)])
    groups = sorted(options.process_group_configs)
    return options, [program for group in groups for program in group.process_configs]


def test_redis_starts_before_who_needs_it(environment: dict[str, str]) -> None:
    names = [program.name for program in programs(environment)]
    assert names == ["redis", "workers", "web", "flower"]


def test_commands_are_made_of_the_environment(environment: dict[str, str]) -> None:
    redis, workers, web, flower = programs(environment)
    assert shlex.join(("--port", environment["REDIS_PORT"])) in shlex.join(redis.command)
    assert redis.command[redis.command.index("--dir") + 1] == environment["STATE"]
    assert "--concurrency=7" in workers.command
    assert web.environment == {"PROMETHEUS_MULTIPROC_DIR": f"{environment['STATE']}/metrics"}
    assert "--port=5123" in flower.command


def test_where_evidence_is_kept_somebody_keeps_it_until_the_front_has_ended(
    environment: dict[str, str],
) -> None:
    names = [program.name for program in programs(environment | {"EVIDENCE": "/a folder"})]
    assert names == ["redis", "logbook", "workers", "web", "flower"]
    assert "logbook" not in [program.name for program in programs(environment | {"EVIDENCE": ""})]


def test_other_algorithms_have_workers_of_their_own(environment: dict[str, str]) -> None:
    listed = programs(environment, {"forms": "/a folder"})
    assert [program.name for program in listed] == [
        *("redis", "workers", "workers-forms", "web", "flower")
    ]
    assert listed[1].environment == {}
    assert listed[2].environment == {"ALGORITHM": "forms", "BUNDLE": "/a folder"}
    assert "workers-forms@%h" in listed[2].command


def test_no_command_shows_the_password(environment: dict[str, str]) -> None:
    for program in programs(environment):
        assert environment["REDIS_PASSWORD"] not in " ".join(program.command)


def test_another_worker_beside_the_first_has_a_name_of_its_own(
    environment: dict[str, str],
) -> None:
    ours = workers(environment, app="tests.slow_workers", name="slow", log_level="INFO").command
    usual = workers(environment).command
    differences = [pair for pair in zip(usual, ours, strict=True) if len(set(pair)) > 1]
    assert differences == [
        ("workers", "tests.slow_workers"),
        ("workers@%h", "slow@%h"),
        ("--loglevel=WARNING", "--loglevel=INFO"),
    ]


def test_supervisord_reads_what_is_listed(environment: dict[str, str]) -> None:
    listed = programs(environment)
    state = Path(environment["STATE"])
    options, found = read(supervisord.write(listed, state))
    assert [program.name for program in found] == [program.name for program in listed]
    for theirs, ours in zip(found, listed, strict=True):
        words = shlex.split(theirs.command)
        own = [f"{name}={value}" for name, value in ours.environment.items()]
        assert tuple(words[: len(TIED)]) == TIED
        assert words[len(TIED) :] == [*(["env", *own] if own else []), *ours.command]
        assert theirs.stopwaitsecs == ours.stop_wait_s
        assert theirs.killasgroup == ours.has_children
        assert not theirs.stopasgroup
        assert theirs.stdout_logfile == "/dev/fd/1"
        assert theirs.redirect_stderr
    assert [program.stopwaitsecs for program in found] == [10, LONGEST_STOP_S, LONGEST_STOP_S, 10]
    assert options.nodaemon
    assert Path(options.logfile).parent == Path(options.pidfile).parent == state
    assert Path(options.childlogdir) == state
    assert not options.parse_warnings


def test_the_order_is_that_of_the_list_whatever_the_names_are(tmp_path: Path) -> None:
    names = list("cadbefghijkl")
    listed = [Program(name, ("true",)) for name in names]
    _, found = read(supervisord.write(listed, tmp_path))
    assert [program.name for program in found] == names


@given(
    st.lists(WORDS, min_size=1), st.dictionaries(st.from_regex(r"[A-Z]+", fullmatch=True), WORDS)
)
@example(
    ["a #b", " ;", "#", "; #", "% s", "%(ENV_HOME)s", "'", '"', "\\", "", " "], {"A": "'#\u3000;"}
)
def test_words_and_values_are_read_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], own: dict[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("state")
    _, (found,) = read(supervisord.write([Program("one", tuple(words), own)], folder))
    values = [f"{name}={value}" for name, value in own.items()]
    assert shlex.split(found.command)[-len(words) :] == words
    assert shlex.split(found.command)[len(TIED) : -len(words)] == (["env", *values] if own else [])
