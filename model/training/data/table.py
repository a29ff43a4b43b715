"""The contest's CSV: a word and an image in base64 in every row."""

import base64
import binascii
import csv
from collections.abc import Iterator
from pathlib import Path

from model.training.errors import DataError

WORD, IMAGE = "word", "image_64_encoded"
# Base64 of the largest image that the front accepts is 8 MB.
LARGEST_FIELD = 16_000_000


def is_table(source: Path) -> bool:
    """Whether the source is a CSV, by its ending."""
    return source.is_file() and source.suffix.lower() == ".csv"


def rows(source: Path) -> Iterator[tuple[str, str, bytes]]:
    """Name, word and image of every row.

    An image is called `row-<number>_<word>`, with the number that a spreadsheet shows: the header
    is row 1. Raises DataError for a file that is damaged or lacks a column or an image.
    """
    csv.field_size_limit(LARGEST_FIELD)
    row = 1
    try:
        with source.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            if missing := {WORD, IMAGE} - set(reader.fieldnames or ()):
                raise DataError(
                    f"{source}: no column {' and no column '.join(sorted(missing))}; expected the "
                    f"columns {WORD} and {IMAGE}, separated by commas, in the first row"
                )
            for row, fields in enumerate(reader, start=2):
                word = (fields[WORD] or "").strip()
                yield f"row-{row}_{word}", word, _image(source, row, fields[IMAGE])
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source}: not UTF-8 somewhere after row {row}; save it as UTF-8"
        ) from error
    except csv.Error as error:
        raise DataError(f"{source}: after row {row}: {error}") from error
    except OSError as error:
        raise DataError(f"cannot read {source}: {error}") from error


def _image(source: Path, row: int, text: str | None) -> bytes:
    """The bytes behind the base64 of a row; line breaks in it are usual and harmless."""
    try:
        data = base64.b64decode("".join((text or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise DataError(
            f"{source}: row {row}: {IMAGE} is not base64 ({error}); correct or remove the row"
        ) from error
    if not data:
        raise DataError(f"{source}: row {row}: {IMAGE} is empty; fill or remove the row")
    return data
