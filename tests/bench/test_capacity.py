"""Capacity is what all cores do together."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.capacity import Capacity, measure
from bench.errors import BenchError
from bench.pictures import Pictures


def test_c_is_cores_by_the_time_of_a_full_answer() -> None:
    capacity = Capacity("tiny/1", 5, "openvino", cores=4, alone_ms=20, together_ms=40, settled_ms=9)
    assert capacity.per_s == 100
    assert capacity.describe()["C per s"] == 100


def test_every_answer_is_timed_to_where_it_is_settled_and_to_its_end(tiny_bundle: Path) -> None:
    found = measure(tiny_bundle, Pictures.varied(tiny_bundle, 2), "openvino", 0.1)
    assert (found.bundle, found.members) == ("tiny/1", 2)
    assert min(found.alone_ms, found.together_ms, found.settled_ms) > 0


def test_a_bundle_that_does_not_load_is_told_at_once(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="BundleInvalid"):
        measure(tmp_path, Pictures.varied(tiny_bundle, 2), "openvino", 0.1)
