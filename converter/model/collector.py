"""Keeps Python's garbage collector out of work on programs.

A parsed program is a tree of some hundred thousand objects without a cycle. The collector finds
nothing in it, and walks it again and again: a third of the time of an export.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """No collections inside; on again afterwards if they were on."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
