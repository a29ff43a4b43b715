"""The command line of training: one module for each command.

A command imports what it runs when it runs: whoever asks for help waits for no framework.
"""

import argparse
from types import ModuleType

from model.training.commands import (
    adopt,
    average,
    calibrate,
    detector,
    doubt,
    equip,
    evaluate,
    export,
    express,
    finetune,
    import_,
    second,
    sheet,
    sheets,
    synthesise,
    train,
)

COMMANDS: tuple[ModuleType, ...] = (
    doubt,
    train,
    average,
    finetune,
    export,
    import_,
    adopt,
    calibrate,
    express,
    evaluate,
    synthesise,
    sheets,
    detector,
    equip,
    second,
    sheet,
)


def add_commands(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add every command; each sets `run`, a function of the parsed arguments.

    What `run` raises for a person to act on is a TrainingError or a ModelError.
    """
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2].rstrip("_")  # import_ is called import
        parser = subparsers.add_parser(name, help=command.HELP, description=command.__doc__)
        command.add_arguments(parser)
        parser.set_defaults(run=command.run)
