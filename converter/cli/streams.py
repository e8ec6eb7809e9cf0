"""Standard output and error whose reader may go before the command has ended."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any


class _Stream(io.TextIOWrapper):
    """A standard stream that leads nowhere once nobody reads it any more.

    ``paddle2om ... | head`` is no mistake, and neither is a terminal that is closed: the command
    ends as it would have.
    """

    def __init__(self, buffer: Any, *words: Any, **named: Any) -> None:
        super().__init__(buffer, *words, **named)
        self._gone = {errno.EPIPE}
        # Of a terminal that is gone the system says EIO, and no more that it is one. Of a file on
        # a broken disk it says that too, and that is to be told.
        if self.isatty():
            self._gone |= {errno.EIO, errno.ENXIO}

    def write(self, text: str) -> int:
        """Write ``text``, or nothing."""
        try:
            return super().write(text)
        except OSError as error:
            self._forgive(error)
            return len(text)

    def flush(self) -> None:
        """Write what is held back, or nothing."""
        try:
            super().flush()
        except OSError as error:
            self._forgive(error)

    def _forgive(self, error: OSError) -> None:
        # Of standard error there is nowhere to tell it; the exit code and the report are left.
        if error.errno not in self._gone and self.fileno() != 2:
            raise error
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.fileno())
        os.close(nowhere)


def let_readers_go() -> None:
    """Make the process's own standard streams such; those that a caller has put there stay."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            stream.flush()
            forgiving = _Stream(
                stream.buffer,
                stream.encoding,
                stream.errors,
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
            setattr(sys, name, forgiving)
