"""The arguments of commands that take a reader of lines over into a bundle."""

import argparse
from pathlib import Path


def add_line_reader(parser: argparse.ArgumentParser) -> None:
    """The reader, and what it allows."""
    parser.add_argument(
        "--reader",
        type=Path,
        required=True,
        help="ONNX file of a recogniser of PaddleOCR's kind, with its characters in it",
    )
    parser.add_argument("--licence", default="", help="of the reader, added to that of the bundle")
