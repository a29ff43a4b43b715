"""supervisord's configuration, written for a list of programs."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from deploy.programs import TIED, Program


def write(programs: Iterable[Program], folder: Path) -> Path:
    """Write ``supervisord.conf`` into a folder, where supervisord has its own files too.

    supervisord is to run in the repository's root, with the environment of all programs.
    """
    configuration = configparser.RawConfigParser()
    configuration["supervisord"] = {
        "nodaemon": "true",
        "silent": "true",
        "logfile": "%(here)s/supervisord.log",
        "pidfile": "%(here)s/supervisord.pid",
        "childlogdir": "%(here)s",
    }
    for priority, program in enumerate(programs):
        configuration[f"program:{program.name}"] = {
            "command": " ".join(map(_quoted, _command(program))),
            "priority": str(priority),
            # Whatever ends is started again, for ever: nothing ends too soon to count as started.
            "startsecs": "0",
            "startretries": "1000",
            "autorestart": "true",
            "stopwaitsecs": str(program.stop_wait_s),
            "killasgroup": str(program.has_children).lower(),
            # What supervisord itself writes to.
            "stdout_logfile": "/dev/fd/1",
            "stdout_logfile_maxbytes": "0",
            "redirect_stderr": "true",
        }
    path = folder / "supervisord.conf"
    # In the encoding in which supervisord opens it: that of the locale.
    with path.open("w") as file:
        configuration.write(file)
    return path


def _command(program: Program) -> tuple[str, ...]:
    """With its environment: supervisord's own way to set one has no means to quote a quote."""
    own = [f"{name}={value}" for name, value in program.environment.items()]
    return (*TIED, *(("env", *own) if own else ()), *program.command)


def _quoted(word: str) -> str:
    """A word of a command, so that it is read as it is.

    What follows a space and a # or ; would be a comment, then % is expanded, and in the end the
    command is split as by a shell.
    """
    return re.sub(r"(\s)([#;])", r"\1''\2", shlex.quote(word)).replace("%", "%%")
