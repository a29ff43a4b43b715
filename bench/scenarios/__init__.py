"""Scenarios: what is done to a server, one module for each.

A module has HELP, ``add_arguments``, ``patience`` (how its callers wait), ``measure`` (of a Load),
``draw`` (a picture of all targets), and KEYS and COMPARED: the columns that name a row, and those
whose ratio to ours is told.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Protocol

from matplotlib.figure import Figure

from bench.caller import Patience
from bench.load import Load, Measured


class Scenario(Protocol):
    """The module-level interface of every scenario."""

    @property
    def HELP(self) -> str:  # noqa: N802
        """For the command line."""

    @property
    def KEYS(self) -> tuple[str, ...]:  # noqa: N802 - a constant of the module
        """Columns that name a row."""

    @property
    def COMPARED(self) -> tuple[str, ...]:  # noqa: N802
        """Columns whose ratio to ours is told."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Its own options."""

    def patience(self, options: Namespace) -> Patience:
        """How its callers wait."""

    def measure(self, load: Load, options: Namespace) -> Measured:
        """Do it to one target."""

    def draw(self, figure: Figure, measured: dict[str, Measured]) -> None:
        """Draw what was measured, by the names of the targets."""
