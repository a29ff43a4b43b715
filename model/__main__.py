"""``python -m model``: trains members, exports them, and releases bundles.

Needs the packages of the extra `training`; serving does not.
"""

from __future__ import annotations

import argparse
import sys

from model.errors import ModelError
from model.quiet import quiet
from model.training.commands import add_commands
from model.training.errors import TrainingError


def main() -> int:
    """Run one command; 1 and a message when a person has to act."""
    quiet()
    parser = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    add_commands(parser.add_subparsers(required=True, metavar="COMMAND"))
    arguments = parser.parse_args()
    try:
        arguments.run(arguments)
    except (TrainingError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
