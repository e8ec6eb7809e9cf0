"""Signals that ended a process, in words."""

from __future__ import annotations

import signal


def signal_name(number: int) -> str:
    """``SIGSEGV``, or ``signal 35`` for a real-time signal."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def describe_kill(number: int, *, kernel: bool = False) -> str:
    """``was killed by SIGSEGV``; ``kernel`` says that it killed for want of memory meanwhile."""
    if kernel and number == signal.SIGKILL:
        return "was killed by the kernel for want of memory (SIGKILL)"
    return f"was killed by {signal_name(number)}"
