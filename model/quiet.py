"""Quiet: the frameworks keep to themselves what is no error, so that a command can be heard."""

from __future__ import annotations

import logging
import os
import sys
import warnings

# TensorFlow's C++ side: of INFO, WARNING, ERROR and FATAL, what is numbered below is not written.
TENSORFLOW, ERRORS = "TF_CPP_MIN_LOG_LEVEL", "2"


def quiet() -> None:
    """Before a framework is imported, for this process and those that it starts.

    Who wants to hear more sets the frameworks' own variable, or -W of Python.
    """
    os.environ.setdefault(TENSORFLOW, ERRORS)
    logging.disable(logging.WARNING)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
