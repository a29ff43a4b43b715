"""What the document tells of evidence."""

from __future__ import annotations

from typing import Any, Final, get_type_hints

from pydantic import create_model

from web.account_problems import Forbidden
from web.evidence_problems import EvidenceAway, EvidenceUnknown
from web.openapi.operation import Body, Operation, Parameter, Reply, Value
from web.problems import FieldInvalid
from workers.contract.evidence import Evidence

_UUID = "6465e4f1"
_EXAMPLE = Evidence(
    *(_UUID, "handwriting", 1_763_627_409_120, 1_763_627_409_128, 200, "answered", "host:4711"),
    source="computed",
    answer="德",
    members=1,
    of_members=5,
    stopped="settled",
    bundle="handwriting/8",
    worker="host:4720",
    queued_ms=1_763_627_409_122,
    begun_ms=1_763_627_409_124,
    ended_ms=1_763_627_409_126,
)
# On the wire a reply has names where a tuple has places.
_COLUMNS: Any = {name: (kind, ...) for name, kind in get_type_hints(Evidence).items()}
_Told: Any = create_model("EvidenceOfReply", **_COLUMNS)
_OfUuid: Any = create_model("EvidenceOfUuid", esun_uuid=(str, ...), evidence=(list[_Told], ...))
_Found: Any = create_model("FoundEvidence", evidence=(list[_Told], ...), next=(str | None, ...))

_WHO = (
    "Evidence of a reply is there about a second after it. docs/HTTP.md tells what it says. An "
    "account sees the replies that it had itself, one with the right `operate` all."
)
_MS: dict[str, Any] = {"type": "integer", "minimum": 0}

FIND_EVIDENCE: Final = Operation(
    "What was replied to a uuid?",
    "operation",
    (
        Reply(
            "The latest 100 replies, the oldest of them first.",
            Body(_OfUuid, {"one": {"esun_uuid": _UUID, "evidence": [_EXAMPLE._asdict()]}}),
        ),
    ),
    _WHO,
    parameters=(Parameter("uuid", "path", Value("The `esun_uuid`, percent-encoded.", _UUID)),),
    problems=(EvidenceUnknown(kept=True), EvidenceAway()),
)
SEARCH_EVIDENCE: Final = Operation(
    "What was replied, by answer, account or time?",
    "operation",
    (
        Reply(
            "What all that is asked for applies to, the latest first; `next` is the cursor of the "
            "replies before them, null when there are none.",
            Body(_Found, {"one": {"evidence": [_EXAMPLE._asdict()], "next": None}}),
        ),
    ),
    _WHO,
    parameters=(
        Parameter("answer", "query", Value("What was answered.", "德")),
        Parameter("account", "query", Value("Who asked.", "bank")),
        Parameter("since_ms", "query", Value("Arrived then or later.", "1763627409120", _MS)),
        Parameter("until_ms", "query", Value("Arrived before then.", "1763631009120", _MS)),
        Parameter("limit", "query", Value("So many at most, up to 200; else 100.", "100", _MS)),
        Parameter("cursor", "query", Value("`next` of the page before.", "1763627409120.57")),
    ),
    problems=(
        FieldInvalid("since_ms: not a number. Leave it out, or take it from a reply."),
        Forbidden("look at what others were replied"),
        EvidenceUnknown(kept=False),
        EvidenceAway(),
    ),
)
