"""Which settings are chosen for a load, whatever the machine."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from bench import tune
from bench.capacity import Capacity
from bench.errors import TargetUnavailable
from bench.target import Target
from bench.tune import Choice, Outcome, search
from tests.bench.scripted import Script, ScriptedServer

FINE = Outcome(within=1.0, full=0.5, p99_ms=400)


@pytest.mark.parametrize(
    "worse",
    [
        Outcome(within=0.9, full=1.0, p99_ms=10),
        Outcome(within=1.0, full=0.4, p99_ms=10),
        Outcome(within=1.0, full=0.49, p99_ms=500),
        Outcome(within=0.0, full=0.0, p99_ms=None),
    ],
)
def test_answers_on_time_come_first_then_all_members_then_speed(worse: Outcome) -> None:
    assert FINE.is_better(worse)
    assert not worse.is_better(FINE)


@pytest.mark.parametrize("alike", [FINE, Outcome(0.995, 0.51, 390), Outcome(1.0, 0.49, 420)])
def test_what_differs_by_chance_is_not_better(alike: Outcome) -> None:
    assert not FINE.is_better(alike)
    assert not alike.is_better(FINE)


def found(by: Callable[[Choice, int], Outcome | None], cores: int = 4) -> tuple[Choice, int]:
    """What is chosen, and after how many tries; ``by`` is told which try of a choice it is."""
    tried: list[Choice] = []

    def attempt(choice: Choice) -> Outcome | None:
        tried.append(choice)
        return by(choice, tried.count(choice))

    return search(cores, ["openvino", "tensorflow"], attempt), len(tried)


def test_where_nothing_is_better_the_defaults_stay() -> None:
    assert found(lambda *_: FINE) == (Choice(4), 9)


def test_each_setting_is_varied_from_the_best_so_far() -> None:
    def by(choice: Choice, _: int) -> Outcome:
        wanted = (choice.processes == 2) + (choice.backlog_ms == 450)
        return Outcome(within=0.5 + 0.2 * wanted, full=0.5, p99_ms=400)

    assert found(by) == (Choice(2, backlog_ms=450), 11)


def test_who_was_lucky_once_is_not_chosen() -> None:
    def by(choice: Choice, time: int) -> Outcome:
        lucky = choice.backlog_ms == 900 and time == 1
        return Outcome(within=1.0 if lucky else 0.5, full=0.5, p99_ms=400)

    assert found(by)[0] == Choice(4)


def test_what_does_not_run_here_is_left_out() -> None:
    def by(choice: Choice, _: int) -> Outcome | None:
        return None if choice.engine == "tensorflow" else FINE

    assert found(by, cores=1) == (Choice(1), 7)
    with pytest.raises(TargetUnavailable):
        found(lambda *_: None)


def test_a_choice_is_measured_on_a_service_with_its_settings(
    capacity: Capacity,
    tiny_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[dict[str, str]] = []
    monkeypatch.setattr("bench.capacity.measure", lambda *_: capacity)
    monkeypatch.setattr(tune, "usable_cores", lambda: 1)
    monkeypatch.setattr(tune, "ENGINES", ("openvino",))
    parser = ArgumentParser()
    tune.add_arguments(parser)
    parser.set_defaults(bundle=tiny_bundle, images=None, variants=4, seed=0, arrivals="poisson")
    parser.set_defaults(capacity_seconds=1)
    options = parser.parse_args(["--rate", "50", "--seconds", "0.1"])
    with ScriptedServer(lambda _body, _copy: Script(Punctual_Members="1/2")) as server:

        def start(_: Path, environment: dict[str, str]) -> Target:
            started.append(environment)
            return Target("scripted", server.url)

        monkeypatch.setattr(tune, "Punctual", start)
        measured = tune.measure(options)
    tune.draw(Figure(), measured)
    (result,) = measured.values()
    assert [each["ENGINE"] for each in started[:2]] == ["auto", "openvino"]
    assert [each["BACKLOG_MS"] for each in started[1:6]] == ["600", "300", "450", "750", "900"]
    assert {row["on time %"] for row in result.rows} == {100}
    assert sum(row["chosen"] == "x" for row in result.rows) >= 1
    assert result.series[".env"][0] == "WORKER_PROCESSES=1"
