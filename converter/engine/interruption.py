"""Ctrl-C in a run: it ends the work, once, and never the writing of what was done.

Python raises ``KeyboardInterrupt`` wherever the main thread is just then: between two reports that
belong together, or in what answers the first Ctrl-C. ``guarded`` says for how long that must not
be, and ``interruptible`` for which parts of it all the same. A guard ends with the writing of the
reports; what others read, print or wait for is outside of it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

#: Signals that ask a run to end: CI systems cancel with SIGTERM, a lost terminal says SIGHUP. The
#: command line has them all raise ``KeyboardInterrupt``.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

#: Seconds after the first signal from which on another one ends whatever is being done: a disk that
#: hangs must not make a run that only SIGKILL ends.
_PATIENCE = 20.0


class _Guard:
    """What came of the signals of one guarded run."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.told = False
        self.open = False
        self.over = False

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        """Note a signal; raise for the first alone, and only in work that it may end.

        And for one that comes long after it, or when the guard has ended.
        """
        now = time.monotonic()
        if self.first is None:
            self.first, ends = now, self.open
        else:
            ends = now - self.first >= _PATIENCE
        if ends or self.over:
            self.told = True
            raise KeyboardInterrupt


_guards: list[_Guard] = []


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Let signals end ``interruptible`` work only; those that follow the first one do nothing.

    One that came when there was no such work is raised at the end, unless an exception is on its
    way already. Does nothing within another guard, and in a thread that gets no signals.
    """
    if _guards or threading.current_thread() is not threading.main_thread():
        yield
        return
    guard = _Guard()
    before = {}
    _guards.append(guard)
    try:
        for number in SIGNALS:
            # Others are not ours to replace: nohup ignores SIGHUP, a program may want SIGTERM.
            if signal.getsignal(number) is signal.default_int_handler:
                before[number] = signal.signal(number, guard.handle)
        yield
    finally:
        _guards.remove(guard)
        try:
            for number, handler in before.items():
                signal.signal(number, handler)
        finally:
            guard.over = True  # whichever was not put back: a signal came in between
    if guard.first is not None and not guard.told:
        raise KeyboardInterrupt


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Work that a signal ends with ``KeyboardInterrupt``: at once if one came before it began.

    Without a guard around it signals do what they always do.
    """
    if not _guards or threading.current_thread() is not threading.main_thread():
        yield
        return
    guard = _guards[-1]
    was = guard.open
    try:
        guard.open = True
        if guard.first is not None:
            guard.told = True
            raise KeyboardInterrupt
        yield
    finally:
        guard.open = was
