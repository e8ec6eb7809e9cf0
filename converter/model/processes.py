"""How processes end, and why some cannot be started, in words."""

from __future__ import annotations

import errno
import os
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


def describe_refusal(code: int, *, log: bool = False) -> str:
    """What ``fork`` or ``pipe`` says with this ``errno``, or ``open`` of the process's ``log``."""
    told = os.strerror(code)
    return f"could not be started: {f'its log cannot be written: {told}' if log else told}"


def hint_for_refusal(code: int, *, log: bool = False) -> str:
    """What helps where a process could not be started (fork(2), pipe(2), open(2) of its log)."""
    if code == errno.EAGAIN:
        return "too many processes: lower --jobs, or raise `ulimit -u` or the container's limit"
    if code == errno.ENOMEM:
        return "no memory for another process: lower --jobs, or end other programs"
    if code in (errno.EMFILE, errno.ENFILE):
        return "too many open files: raise `ulimit -n`, or end other programs"
    if log:
        return "see that the output directory is there and can be written to, then run again"
    return "look at the machine's load and memory, then try again"
