"""Quiet: the frameworks keep to themselves what is no error, so that a command can be heard."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

# TensorFlow's C++ side: of INFO, WARNING, ERROR and FATAL, what is numbered below is not written.
TENSORFLOW, ERRORS = "TF_CPP_MIN_LOG_LEVEL", "2"
_TALKATIVE = "tensorflow"


def quiet() -> None:
    """Before a framework is imported, for this process and those that it starts.

    Who wants to hear more sets the frameworks' own variable, or -W of Python.
    """
    if TENSORFLOW not in os.environ:
        os.environ[TENSORFLOW] = ERRORS
        sys.meta_path.insert(0, _Finder())
    logging.disable(logging.WARNING)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


class _Finder(MetaPathFinder):
    """Has TensorFlow imported silently: on some CPUs it says so much that heeds no variable."""

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        """Only of TensorFlow, and once."""
        if name != _TALKATIVE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Silent(spec.loader)
        return spec


class _Silent(Loader):
    """Another loader, while which runs nothing is written. What fails is still raised."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> Any:
        """As the other one does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        """As the other one does, in silence."""
        with _silence():
            self._loader.exec_module(module)


@contextmanager
def _silence() -> Iterator[None]:
    """Nothing reaches the standard error of the process, from whichever language."""
    sys.stderr.flush()
    spoken, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(spoken, 2)
        os.close(spoken)
        os.close(nothing)
