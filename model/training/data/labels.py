"""Label lists: one label a line, line number = class index."""

from pathlib import Path

from model.training.errors import DataError

ISNULL = "isnull"


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels of any task; raises DataError when the file is no list of different labels."""
    try:
        # Some editors of Windows put a mark before the first label.
        lines = path.read_text(encoding="utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read the labels {path}: {error}") from error
    labels = tuple(line.strip() for line in lines)
    if not labels or "" in labels or len(set(labels)) < len(labels):
        raise DataError(f"{path}: expected one label a line, none of them empty or twice")
    return labels


def read_characters(path: Path) -> tuple[str, ...]:
    """Labels of which the last is `isnull`, as they are trained here.

    Raises DataError for another list, too.
    """
    labels = read_labels(path)
    if labels[-1] != ISNULL or len(labels) == 1:
        raise DataError(f"{path}: expected characters, one a line, and {ISNULL!r} as the last")
    return labels
