"""One case with ONNX Runtime's graph optimisation off: the graph as it is in the file.

ONNX Runtime replaces patterns of nodes by one kernel, and recognises some that are not quite what
it takes them for: a layer norm whose ``Div`` has its operands swapped computes a layer norm
(1.32.0). Such a file passes every comparison through ONNX Runtime, and atc compiles what is in it.
A fault of this kind does not depend on the values, so that one case shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from converter.accuracy.reference import Arrays

#: What the label of such a case ends with.
PLAIN = ", not optimised"


def run_plain(run: Callable[[], Arrays]) -> tuple[Arrays | None, str]:
    """What ``run`` gives; None, and why, where ONNX Runtime does not run the graph as it is."""
    try:
        return run(), ""
    except StageError as error:
        return None, f"not compared without ONNX Runtime's graph optimisation: {error.message}"
