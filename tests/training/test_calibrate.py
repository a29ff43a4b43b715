"""A bundle of the tests' own graphs, calibrated anew and assessed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from model.bundle import MANIFEST, Bundle
from model.engines import engine
from model.ensemble import Ensemble
from model.errors import BundleInvalid
from model.image import decode
from model.packing import pack
from model.training.calibrate import recalibrate
from model.training.data.dataset import load
from model.training.errors import DataError, ExportError
from model.training.evaluate import assess, table, write
from model.training.fit.run import Settings
from model.training.frozen import null_head
from model.training.judge.evaluation import Rule
from model.training.judge.lettering import Lettering
from tests.training.world import LABELS

Draw = Callable[[str, int], Path]
SIDE = 32


def member(path: Path, seed: int) -> Path:
    """A graph of one dense layer on the shrunken picture."""
    rng = np.random.default_rng(seed)
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, (None, SIDE, SIDE, 3), "image")
        small = tf.nn.avg_pool2d(image / 255 - 0.9, 4, 4, "VALID")
        kernel = rng.normal(0, 0.5, (192, len(LABELS))).astype(np.float32)
        logits = tf.matmul(tf.reshape(small, (-1, 192)), tf.constant(kernel))
        tf.nn.softmax(logits, name="probabilities")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


@pytest.fixture
def data(draw: Draw) -> Path:
    return draw("data", 60)


@pytest.fixture
def bundle(data: Path, tmp_path: Path) -> Path:
    """Three members, trained on three quarters of the data as it says, and a golden image."""
    graphs = [member(tmp_path / f"{seed}.pb", seed) for seed in range(3)]
    golden = sorted(data.iterdir())[0]
    pixels = decode(golden.read_bytes(), SIDE, SIDE).astype(np.float32)
    runs = [engine("tensorflow").load(graph, 1)(pixels) for graph in graphs]
    answer = LABELS[int(np.mean(runs, axis=0)[:-1].argmax())]
    images = load(data, LABELS, SIDE, tmp_path / "cache")
    settings = Settings.of(LABELS, images, SIDE, 0.5, seed=1)
    facts = {
        "name": "tiny", "version": "1", "licence": "none", "labels": LABELS,
        "input": {"height": SIDE, "width": SIDE}, "engines": {"openvino": 1.0},
        "isnull": {"label": "isnull", "threshold": 1.0}, "accuracy": {},
        "provenance": {"data": {"names_sha256": settings.data, "held_out": 0.5}},
    }  # fmt: skip
    return pack(tmp_path / "bundles" / "tiny", graphs, {golden: answer}, facts).folder


def manifest(folder: Path) -> Any:
    return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))


@pytest.mark.parametrize("tuned", [False, True])
def test_of_what_was_learnt_only_what_was_held_out_counts(
    tuned: bool, bundle: Path, data: Path, tmp_path: Path
) -> None:
    if tuned:
        written = manifest(bundle)
        learnt = written["provenance"].pop("data")
        written["provenance"]["finetuned"] = [{"names_sha256": "another", "held_out": 0.1}, learnt]
        (bundle / MANIFEST).write_text(json.dumps(written), encoding="utf-8")
    calibrated = recalibrate(bundle, data, tmp_path / "cache", bundle, "2")

    written = manifest(bundle)
    assert calibrated.id == "tiny/2"
    assert written["provenance"]["calibration"]["images"] == 30
    assert written["accuracy"]["tuning"]["images"] == 30
    assert written["calibration"]["exits"] == [None, None]
    assert [path.name for path in bundle.parent.iterdir()] == ["tiny"]


def test_of_other_data_all_counts(bundle: Path, draw: Draw, tmp_path: Path) -> None:
    out = tmp_path / "bundles" / "other"

    recalibrate(bundle, draw("fresh", 33), tmp_path / "cache", out, "2")

    assert manifest(out)["accuracy"]["tuning"]["images"] == 33
    assert Bundle.open(bundle).id == "tiny/1"


def test_the_chosen_order_is_the_order_of_the_graphs(
    bundle: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "model.training.judge.calibration.early_exits", lambda *_: ((2, 0, 1), (0.9, 0.8))
    )
    before = plain_members(bundle)

    recalibrate(bundle, data, tmp_path / "cache", bundle, "2")

    after = plain_members(bundle)
    assert after == [before[2], before[0], before[1]]
    assert manifest(bundle)["calibration"]["exits"] == [0.9, 0.8]


def plain_members(bundle: Path) -> list[set[bytes]]:
    """The weights of each member, without the head of isnull."""
    paths = [bundle / each["graph"]["path"] for each in manifest(bundle)["members"]]
    graphs = [null_head.without(null_head.load(path)) for path in paths]
    return [
        {node.attr["value"].tensor.tensor_content for node in graph.node if node.op == "Const"}
        for graph in graphs
    ]


def test_a_calibration_that_misreads_a_golden_image_is_not_written(
    bundle: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = Rule(LABELS.index("isnull"), threshold=1e-6)
    monkeypatch.setattr("model.training.judge.calibration.isnull_rule", lambda *_: everything)

    with pytest.raises(BundleInvalid, match="the manifest says"):
        recalibrate(bundle, data, tmp_path / "cache", bundle, "2")

    assert Bundle.open(bundle).id == "tiny/1"


def test_too_few_images_are_refused(bundle: Path, draw: Draw, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="6 images are too few"):
        recalibrate(bundle, draw("few", 6), tmp_path / "cache", bundle, "2")


def test_an_assessment_says_what_the_ensemble_reads(
    bundle: Path, draw: Draw, tmp_path: Path
) -> None:
    fresh = draw("fresh", 21)
    ensemble = Ensemble.load(bundle, "openvino", 1)
    readings = {path: ensemble.read(path.read_bytes()) for path in fresh.iterdir()}
    right = [reading.answer == path.stem[-1] for path, reading in readings.items()]

    found = assess(bundle, fresh, tmp_path / "cache", draw("foreign", 9))

    report, mistakes = found.report, found.report["mistakes"]

    assert report["accuracy"] == pytest.approx(np.mean(right), abs=1e-4)
    sure = np.average(
        [each["confidence"] for each in report["reliability"]],
        weights=[each["images"] for each in report["reliability"]],
    )
    assert sure == pytest.approx(np.mean([r.probability for r in readings.values()]), abs=1e-4)
    assert sum(each["times"] for each in report["confused"]) == len(right) - sum(right)
    assert report["isnull"]["images"] == 9
    assert report["members"]["first"][-1] == report["accuracy"]
    assert report["early_exit"]["answered_by_first"] == [0, 0, 21]
    assert len(report["member_ms"]) == 3
    among = {path.name: reading for path, reading in readings.items()}
    own = [each for each in mistakes if each["label"] != "isnull"]
    assert len(own) == len(right) - sum(right)
    assert all(among[each["name"]].answer == each["read"] != each["label"] for each in own)
    assert len(mistakes) - len(own) == 9 - round(9 * report["isnull"]["recall"])
    sureness = [each["confidence"] for each in mistakes]
    assert sureness == sorted(sureness, reverse=True)
    assert len(found.mistaken) == len(mistakes)


def test_an_audit_tells_what_is_read_where_the_label_is_right(
    bundle: Path, draw: Draw, tmp_path: Path
) -> None:
    """Called right: all images of two of the labels. Of one more file there is no image."""
    fresh = draw("fresh", 21)
    ensemble = Ensemble.load(bundle, "openvino", 1)
    verdicts = {p.name: "label" if p.stem[-1] == LABELS[0] else "right" for p in fresh.iterdir()}
    right = [
        ensemble.read((fresh / name).read_bytes()).answer == Path(name).stem[-1]
        for name, verdict in verdicts.items()
        if verdict == "right"
    ]
    lines = ["file,verdict", *(f"{name}, {verdict}" for name, verdict in verdicts.items())]
    audited = tmp_path / "audit.csv"
    audited.write_text("\ufeff" + "\n".join([*lines, "elsewhere.jpg,Right"]), encoding="utf-8")

    found = assess(bundle, fresh, tmp_path / "cache", audited=audited).report

    assert 0 < sum(right) < len(right)
    assert found["audit"]["accuracy"] == pytest.approx(np.mean(right), abs=1e-4)
    assert found["audit"]["images"] == len(right)
    assert found["audit"]["verdicts"] == {"label": 21 - len(right), "right": len(right)}
    assert found["audit"]["absent"] == 1
    assert f"an audit calls the label right ({len(right)} images)" in table(found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("name,verdict\n0_A.jpg,right\n", "is no audit: 'file'; expected a CSV with the columns"),
        ("file,verdict\n0_A.jpg\n", "is no audit"),
        ("file,verdict\nx.jpg,right\n", "calls none of these images right .1 of its 1 files"),
    ],
)
def test_what_is_no_audit_is_refused(
    text: str, why: str, bundle: Path, draw: Draw, tmp_path: Path
) -> None:
    (tmp_path / "audit.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=why):
        assess(bundle, draw("fresh", 9), tmp_path / "cache", audited=tmp_path / "audit.csv")


def test_a_report_is_written_whole(bundle: Path, draw: Draw, tmp_path: Path) -> None:
    found = assess(bundle, draw("fresh", 21), tmp_path / "cache", engine="tensorflow")
    out = tmp_path / "report"

    write(found, out, Lettering())
    write(found, out, Lettering())

    assert sorted(path.name for path in out.iterdir()) == [
        "confused.png", "evaluation.json", "evaluation.md", "members.png", "mistakes.png",
        "reliability.png",
    ]  # fmt: skip
    assert json.loads((out / "evaluation.json").read_text(encoding="utf-8")) == found.report
    assert (out / "evaluation.md").read_text(encoding="utf-8") == table(found.report)
    assert (out / "members.png").read_bytes().startswith(b"\x89PNG")


def test_a_report_that_cannot_be_written_is_told(bundle: Path, draw: Draw, tmp_path: Path) -> None:
    found = assess(bundle, draw("fresh", 21), tmp_path / "cache")
    (tmp_path / "file").write_text("no folder", encoding="utf-8")

    with pytest.raises(ExportError, match="cannot write"):
        write(found, tmp_path / "file" / "report", Lettering())


def test_labels_that_may_not_be_answered_are_isnull(
    bundle: Path, data: Path, tmp_path: Path
) -> None:
    """Held out is what was before, and counts as isnull where it shows another label."""
    wide = Bundle.open(bundle)
    (golden,) = wide.manifest.golden
    another = next(label for label in LABELS if label not in {golden.answer, "isnull"})
    left = [label for label in LABELS if label in {golden.answer, another, "isnull"}]
    out = tmp_path / "bundles" / "narrow"

    made = recalibrate(bundle, data, tmp_path / "cache", out, "2", answers=[another, golden.answer])

    assert made.manifest.labels == tuple(left)
    written = manifest(out)
    assert written["provenance"]["unanswered"] == sorted(set(LABELS) - set(left))
    assert written["accuracy"]["tuning"]["images"] == 30
    assert written["accuracy"]["tuning"]["isnull"]["images"] > 6
    ensemble = Ensemble.load(out, "openvino", 1)
    assert {ensemble.read(path.read_bytes()).answer for path in data.iterdir()} <= set(left)


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (["not there"], "cannot answer what is not among its labels: not there"),
        (["isnull"], "a label besides isnull"),
        (["another"], "no golden image of tiny/1 shows a label"),
    ],
)
def test_answers_that_make_no_list_are_refused(
    answers: list[str], problem: str, bundle: Path, data: Path, tmp_path: Path
) -> None:
    golden = Bundle.open(bundle).manifest.golden[0].answer
    if answers == ["another"]:
        answers = [next(label for label in LABELS if label not in {golden, "isnull"})]
    with pytest.raises(DataError, match=problem):
        recalibrate(bundle, data, tmp_path / "cache", bundle, "2", answers=answers)
    assert Bundle.open(bundle).id == "tiny/1"
