"""A number on the command line that is a part of something, and neither none nor all of it."""

import argparse


def part(text: str) -> float:
    """Between 0 and 1; raises what argparse makes a message of."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return number
