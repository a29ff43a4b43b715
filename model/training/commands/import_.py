"""Make a bundle of Keras models or SavedModels of your own, without training them again."""

import argparse
from pathlib import Path
from typing import get_args

from model.training.choices import Output, Scaling
from model.training.data.labels import read_labels

HELP = "make a bundle of Keras models of your own"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The models, what they expect, and what the bundle is called."""
    add = parser.add_argument
    add(
        "--model",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        dest="models",
        help=".keras or .h5 files or SavedModel folders, one for each member",
    )
    add("--labels", type=Path, required=True, help="label list, one a line, in order of the scores")
    add("--golden", type=Path, help="folder of a few <id>_<label>.jpg that must be read so")
    add(
        "--images",
        type=Path,
        help="a folder, tar or CSV of images to compare engines on; without --golden, three of"
        " them become the golden images, with the answers that TensorFlow reads in them",
    )
    add("--size", type=int, help="input size in pixels, for models that take any")
    add(
        "--scaling",
        choices=get_args(Scaling),
        default="0..255",
        help="the pixels that the models expect, RGB; imagenet: less the mean of ImageNet, by its"
        " deviation (default: %(default)s)",
    )
    add(
        "--output",
        choices=get_args(Output),
        default="auto",
        help="what the scores are (default: found out)",
    )
    add("--out", type=Path, required=True, help="the bundle, made anew")
    add("--name", required=True, help="of the bundle: lower-case letters, digits, dashes")
    add("--version", required=True, help="of the bundle")
    add("--licence", required=True, help="what the weights may be used for")


def run(arguments: argparse.Namespace) -> None:
    """Write the bundle."""
    from model.training import import_

    bundle = import_.import_models(
        arguments.models,
        read_labels(arguments.labels),
        arguments.out,
        name=arguments.name,
        version=arguments.version,
        licence=arguments.licence,
        golden=arguments.golden,
        images=arguments.images,
        size=arguments.size,
        scaling=arguments.scaling,
        output=arguments.output,
    )
    print(f"{bundle.id} is in {arguments.out}")
