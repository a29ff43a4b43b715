"""Results on their way between workers and fronts of different releases."""

from __future__ import annotations

import json

from workers.contract.result import Alternative, Outcome, Result

OLD = {
    "outcome": "answered",
    "text": "德",
    "bundle": "handwriting/1",
    "members": 5,
    "of_members": 5,
    "whole": True,
    "queue_ms": 1,
    "compute_us": 9000,
    "finished_s": 1_700_000_000,
}


def test_what_a_result_says_arrives() -> None:
    said = Result(**OLD | {"outcome": Outcome.ANSWERED}, confidence=0.9)
    said = Result.from_json(said.to_json())
    assert said == Result(**OLD | {"outcome": Outcome.ANSWERED}, confidence=0.9)


def test_an_older_worker_says_less_and_a_newer_one_more() -> None:
    told = Result.from_json(json.dumps(OLD))
    assert (told.text, told.confidence, told.alternatives) == ("德", None, None)
    newer = OLD | {"confidence": 0.9, "alternatives": [["得", 0.1]], "mood": "good"}
    assert Result.from_json(json.dumps(newer)).alternatives == (Alternative("得", 0.1),)
