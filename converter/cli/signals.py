"""What a signal that asks the command to end does, from its first moment to its last.

Imports nothing that takes time: the first moment is before everything else is imported.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from converter.engine.interruption import SIGNALS
from converter.errors import Interrupted


def on_signals(handler: Callable[[int, FrameType | None], object]) -> None:
    """Have those signals call ``handler``, but for those that whoever started us wants ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def tell_and_end(_number: int, _frame: FrameType | None) -> NoReturn:
    """End the process with a word, while there is nothing yet that could say or undo more.

    Imports and calls nothing of ours: it may come in the middle of any import.
    """
    told = f"error: interrupted\nhint: {Interrupted.again}\n"
    with contextlib.suppress(OSError):
        os.write(2, told.encode())
    if "--json" in sys.argv[1:]:
        errors = f'[\n    {{\n      "message": "interrupted",\n      "hint": "{Interrupted.again}"'
        errors += "\n    }\n  ]"
        with contextlib.suppress(OSError):
            os.write(1, f'{{\n  "exit_code": 130,\n  "errors": {errors}\n}}\n'.encode())
    os._exit(Interrupted.exit_code)


def end(_number: int, _frame: FrameType | None) -> NoReturn:
    """End the process: all is done and told, or whoever is told does not listen."""
    os._exit(Interrupted.exit_code)
