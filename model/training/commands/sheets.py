"""Draw whole sheets with the boxes of their characters, for training a detector."""

import argparse
import json
from pathlib import Path

from tqdm import tqdm

from model.training.commands.synthesise import CACHE
from model.training.data.labels import read_characters
from model.training.errors import DataError
from model.training.synthesis.fetch import fetched

HELP = "draw whole sheets out of fonts, strokes and images of characters"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many sheets, of what, and where to."""
    add = parser.add_argument
    add("--labels", type=Path, required=True, help="label list, one a line, isnull last")
    add("--out", type=Path, required=True, help="folder; what it has already is not drawn again")
    add("--count", type=int, default=300, help="of sheets (default: %(default)s)")
    add("--images", type=Path, help="characters to cut out and write with, too: folder or tar")
    add("--fonts", type=Path, help="folder to draw with; without it, npm packages are fetched")
    add(
        "--cache",
        type=Path,
        default=CACHE,
        help="folder for what is fetched (default: %(default)s)",
    )
    add("--seed", type=int, default=1, help="other sheets for another (default: %(default)s)")


def run(arguments: argparse.Namespace) -> None:
    """Each sheet is a JPEG, and a JSON of the boxes of its writing and print."""
    from model.training.pages.stream import Stream
    from model.training.synthesis.shapes import Shapes

    labels = read_characters(arguments.labels)
    shapes = Shapes(arguments.fonts or fetched(arguments.cache, labels, 1), labels)
    stream = Stream(shapes, arguments.images, arguments.seed)
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        for number in tqdm(range(arguments.count), "drawing", unit="sheet", disable=None):
            picture = arguments.out / f"{number:05d}.jpg"
            if picture.exists():
                continue
            sheet = stream.sheet(number)
            truth = json.dumps(sheet.truth, ensure_ascii=False)
            picture.with_suffix(".json").write_text(truth, "utf-8")
            # What has a name is whole: a training may be reading the folder.
            beside = picture.with_suffix(".part")
            beside.write_bytes(sheet.jpeg)
            beside.replace(picture)
    except OSError as error:
        raise DataError(f"cannot write {arguments.out}: {error}") from error
