"""The processes of a server under measurement: started, watched, and ended without a trace."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from bench.errors import TargetUnavailable
from deploy.run import ROOT

_STOP_WITHIN_S = 15
_LAST_CHARACTERS = 2_000


class Processes:
    """Programs by the name of their part, each in a session of its own."""

    def __init__(self, log: Path) -> None:
        self._log_path = log
        self._log = log.open("ab")
        self._parts: dict[str, psutil.Popen] = {}
        self._commands: dict[str, tuple[Sequence[str], Mapping[str, str]]] = {}

    def start(self, part: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start a program from the repository's root; what it prints goes to the log."""
        self._commands[part] = command, environment
        self._parts[part] = psutil.Popen(
            list(command),
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def end(self, part: str) -> None:
        """End a program as its supervisor would."""
        self._parts[part].terminate()
        self._parts[part].wait(_STOP_WITHIN_S)

    def start_again(self, part: str) -> None:
        """Start a program as it was. It ends with the thread that starts it."""
        self.start(part, *self._commands[part])

    def kill_child(self, part: str) -> None:
        """SIGKILL to the youngest descendant of a part, if it has any."""
        children = self._parts[part].children(recursive=True)
        if children:
            with contextlib.suppress(psutil.NoSuchProcess):
                max(children, key=psutil.Process.create_time).kill()

    def kill(self, part: str) -> None:
        """SIGKILL to a part's first process."""
        self._parts[part].kill()
        self._parts[part].wait(_STOP_WITHIN_S)

    def require_alive(self) -> None:
        """Raise TargetUnavailable, with the end of the log, when a program has ended."""
        for part, process in self._parts.items():
            if process.poll() is not None:
                raise TargetUnavailable(f"{part} ended by itself:\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of what the programs have printed."""
        lines = self._log_path.read_text(errors="replace").splitlines()
        return "\n".join(line for line in lines if line.strip())[-_LAST_CHARACTERS:]

    def family(self, part: str) -> list[psutil.Process]:
        """A part's process and all its descendants."""
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = self._parts[part]
            return [parent, *parent.children(recursive=True)]
        return []

    def cpu_s(self) -> dict[str, float]:
        """CPU seconds that each part has used so far; of children that live, or were waited for."""
        used = {}
        for part in self._parts:
            used[part] = 0.0
            for process in self.family(part):
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    used[part] += times.user + times.system
        return used

    def resident_bytes(self, part: str) -> int:
        """Memory that a part's processes hold; 0 for a part that is not there."""
        if part not in self._parts:
            return 0
        resident = 0
        for process in self.family(part):
            with contextlib.suppress(psutil.NoSuchProcess):
                resident += process.memory_info().rss
        return resident

    def stop(self) -> None:
        """SIGTERM to each program, the last started first; SIGKILL for whatever is left."""
        for part, process in reversed(self._parts.items()):
            family = self.family(part)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
            _, alive = psutil.wait_procs(family, timeout=_STOP_WITHIN_S)
            for each in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            # Those whose parent died first are nobody's descendants any more.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._log.close()
