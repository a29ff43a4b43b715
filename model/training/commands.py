"""The command line of training: `train`, `export` and `release`."""

import argparse
from pathlib import Path

from model.training import ensemble, member, release
from model.training.dataset import read_labels
from model.training.trainer import Plan


def add_commands(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `train`, `export` and `release`; each sets `run`, a function of the parsed arguments.

    What `run` raises for a person to act on is a TrainingError.
    """
    _add_train(subparsers.add_parser("train", help="train one member on labelled images"))
    _add_export(subparsers.add_parser("export", help="freeze trained members, with their figures"))
    _add_release(subparsers.add_parser("release", help="make a bundle that can be served"))


def _add_train(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder or tar of <id>_<label>.jpg")
    add("--labels", type=Path, required=True, help="label list, one a line, isnull last")
    add("--weights", type=Path, required=True, help="EfficientNetB0 without its top, .weights.h5")
    add("--out", type=Path, required=True, help="folder of this training; resumes what it holds")
    add("--cache", type=Path, help="folder for decoded images (default: OUT/cache)")
    add("--fonts", type=Path, help="folder of fonts: draws characters outside the list, for isnull")
    add(
        "--phases",
        type=_phases,
        default="64x9,96x6",
        help="SIZExEPOCHS,...: input sizes in pixels, multiples of 32 (default: %(default)s)",
    )
    add("--batch", type=int, default=128, help="images a step (default: %(default)s)")
    add(
        "--seed",
        type=int,
        default=1,
        help="of order, looks and first weights (default: %(default)s)",
    )
    add(
        "--held-out",
        type=float,
        default=0.03,
        dest="held_out",
        help="share of the data kept to choose by, never trained on (default: %(default)s)",
    )
    parser.set_defaults(run=_train)


def _add_export(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--run", type=Path, nargs="+", required=True, dest="runs", help="folders of trainings")
    add("--data", type=Path, required=True, help="what they were trained on: folder or tar")
    add("--labels", type=Path, required=True, help="label list, one a line, isnull last")
    add(
        "--out",
        type=Path,
        required=True,
        help="folder for members/1.pb ... and report.json, made anew",
    )
    add("--cache", type=Path, help="folder for decoded images (default: RUN/cache)")
    add(
        "--storage",
        choices=("int8", "fp16", "fp32"),
        default="fp16",
        help="how large kernels are stored (default: %(default)s)",
    )
    add("--val", type=Path, help="labelled images to report on and never to choose by")
    add("--negatives", type=Path, help="images that should be answered isnull, to report on")
    parser.set_defaults(run=_export)


def _add_release(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--export", type=Path, required=True, help="folder that export made")
    add("--labels", type=Path, required=True, help="label list, one a line, isnull last")
    add("--golden", type=Path, required=True, help="folder of a few <id>_<label>.jpg to ship")
    add("--compare", type=Path, required=True, help="images on which the engines must agree")
    add("--cache", type=Path, help="folder for decoded images (default: EXPORT/cache)")
    add("--out", type=Path, required=True, help="the bundle, made anew")
    add("--name", required=True, help="of the bundle: lower-case letters, digits, dashes")
    add("--version", required=True, help="of the bundle")
    add("--licence", required=True, help="what the weights may be used for")
    parser.set_defaults(run=_release)


def _phases(text: str) -> tuple[tuple[int, int], ...]:
    """`64x9,96x6` as ((64, 9), (96, 6)): input size in pixels, epochs."""
    try:
        phases = tuple((int(a), int(b)) for a, b in (part.split("x") for part in text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not SIZExEPOCHS,...") from None
    if any(epochs < 1 for _, epochs in phases):
        raise argparse.ArgumentTypeError(f"{text!r}: a phase lasts one epoch at least")
    return phases


def _train(arguments: argparse.Namespace) -> None:
    plan = Plan(arguments.phases, batch=arguments.batch, seed=arguments.seed)
    member.train(
        arguments.data,
        read_labels(arguments.labels),
        arguments.weights,
        arguments.out,
        arguments.cache or arguments.out / "cache",
        plan,
        arguments.held_out,
        arguments.fonts,
    )


def _export(arguments: argparse.Namespace) -> None:
    ensemble.export(
        arguments.runs,
        arguments.data,
        read_labels(arguments.labels),
        arguments.out,
        arguments.cache or arguments.runs[0] / "cache",
        arguments.storage,
        arguments.val,
        arguments.negatives,
    )


def _release(arguments: argparse.Namespace) -> None:
    release.release(
        arguments.export,
        read_labels(arguments.labels),
        arguments.golden,
        arguments.compare,
        arguments.cache or arguments.export / "cache",
        arguments.out,
        name=arguments.name,
        version=arguments.version,
        licence=arguments.licence,
    )
