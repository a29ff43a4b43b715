"""Read whole sheets with a bundle that has a detector, from the command line."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from model.errors import ImageUnreadable
from model.training.errors import DataError

HELP = "read whole sheets: scans, photos, PDFs"
BUNDLE = Path(__file__).resolve().parents[3] / "bundles" / "sheet"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to read, and what to make of it."""
    add = parser.add_argument
    add("file", type=Path, help="JPEG, PNG, TIFF or PDF; with --answers a folder of such")
    add("--bundle", type=Path, default=BUNDLE, help="folder of the bundle (default: %(default)s)")
    add("--engine", default="openvino", help="what computes (default: %(default)s)")
    add("--threads", type=int, default=1, help="that compute (default: %(default)s)")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--text", action="store_true", help="print the text; that is the default")
    how.add_argument("--json", action="store_true", help="print all that was found")
    how.add_argument(
        "--png", type=Path, help="draw boxes onto the pages; of several, OUT-2.png ..."
    )
    how.add_argument(
        "--answers",
        type=Path,
        help="folder for a JSON of every picture, with the seconds of CPU that it took",
    )
    add("--font", help="font file, to write into --png what was read")


def run(arguments: argparse.Namespace) -> None:
    """Read and write."""
    from model.sheet import SheetReader

    reader = SheetReader.load(arguments.bundle, arguments.engine, arguments.threads)
    if arguments.answers is not None:
        _answer(reader, arguments.file, arguments.answers)
        return
    try:
        data = arguments.file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {arguments.file}: {error}") from error
    reading = reader.read(data)
    if arguments.json:
        json.dump(reading.output, sys.stdout, ensure_ascii=False, indent=1)
        print()
    elif arguments.png is not None:
        _draw(reader, data, reading.output or {}, arguments)
    else:
        print(reading.answer)


def _draw(reader: Any, data: bytes, output: dict[str, Any], arguments: argparse.Namespace) -> None:
    from model.documents import Document
    from model.drawing import drawn

    document = Document(data, reader.bundle.manifest.sheet.pages)
    for number, page in enumerate(output["pages"]):
        out = arguments.png if number == 0 else _numbered(arguments.png, number + 1)
        if page["looked_at"]:
            try:
                drawn(document.picture(number), page, arguments.font).save(out, "PNG")
            except OSError as error:
                raise DataError(f"cannot write {out}: {error}") from error
            print(out)


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def _answer(reader: Any, folder: Path, out: Path) -> None:
    """A JSON of the first page of each picture, as scorers of sheets compare it with the truth."""
    pictures = sorted(path for path in folder.glob("*") if path.suffix in {".jpg", ".png", ".tif"})
    if not pictures:
        raise DataError(f"{folder}: no pictures (.jpg, .png, .tif)")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path in pictures:
            began = time.process_time()
            try:
                pages = (reader.read(path.read_bytes()).output or {})["pages"]
            except ImageUnreadable as error:
                print(f"{path}: {error}", file=sys.stderr)
                continue
            answer = {"seconds": time.process_time() - began, **pages[0]}
            text = json.dumps(answer, ensure_ascii=False)
            (out / path.with_suffix(".json").name).write_text(text, "utf-8")
    except OSError as error:
        raise DataError(f"cannot write {out}: {error}") from error
