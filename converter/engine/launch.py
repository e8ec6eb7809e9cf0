"""Starts the fork server. Imports next to nothing, so that a command can do it first thing.

The server's imports take more than a second; started early, they run while the command parses its
own flags and makes its plan.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

from converter.engine.worker import THREAD_VARIABLES

#: glibc gives tensors back to the system and asks for them again, thousands of times, and the
#: system clears every page: a seventh of a small model's processor time. Bytes, mallopt(3); before
#: version 2.35 glibc takes no more than 32 MiB for the first, and would be left without either.
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}


class Host:
    """A fork server process, its pipes, and the anonymous file its libraries' words go to."""

    def __init__(self) -> None:
        environment = {**os.environ, "GLOG_minloglevel": "2", "ORT_DISABLE_TELEMETRY": "1"}
        # Each worker gets its share in its task; at import one thread keeps the fork clean.
        environment |= dict.fromkeys(THREAD_VARIABLES, "1")
        environment = {**_MALLOC, **environment}
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the host
        self.process = subprocess.Popen(
            # -P: a directory called onnx or paddle where the user stands must not be imported.
            [sys.executable, "-P", "-m", "converter.engine.host"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            # Not in the terminal's foreground group: Ctrl-C is the parent's to handle.
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    def last_words(self) -> str:
        """The last line the host or a library printed in it."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else "it printed nothing"

    def close(self, *, at_once: bool = False) -> None:
        """End the host and its workers; ``at_once`` when it is known to have no workers yet."""
        if at_once:
            self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()


@contextlib.contextmanager
def started_early() -> Iterator[Host]:
    """A host that imports while a command gets ready inside; it is ended if that fails."""
    host = Host()
    try:
        yield host
    except BaseException:
        host.close(at_once=True)
        raise
