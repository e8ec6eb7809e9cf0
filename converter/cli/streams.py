"""Standard output and error whose reader may go before the command has ended."""

from __future__ import annotations

import io
import os
import sys


class _Stream(io.TextIOWrapper):
    """A standard stream that leads nowhere once nobody reads it any more.

    ``paddle2om ... | head`` is no mistake, and the command ends as it would have.
    """

    def write(self, text: str) -> int:
        """Write ``text``, or nothing."""
        try:
            return super().write(text)
        except BrokenPipeError:
            self._lead_nowhere()
            return len(text)

    def flush(self) -> None:
        """Write what is held back, or nothing."""
        try:
            super().flush()
        except BrokenPipeError:
            self._lead_nowhere()

    def _lead_nowhere(self) -> None:
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
