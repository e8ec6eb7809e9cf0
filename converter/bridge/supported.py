"""The operators that paddle2onnx knows.

It names none of those it refuses, and its own lists (``get_all_supported_operators_pir``) use the
names of old programs. The table was made by trying every operator name of Paddle's library.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path


@cache
def supported_operators() -> frozenset[str]:
    """Full names (``pd_op.relu``) of the operators that paddle2onnx 2.1.0 converts somehow."""
    path = Path(__file__).with_name("data") / "paddle2onnx_operators.json"
    names = json.loads(path.read_text(encoding="utf-8"))["operators"]
    return frozenset(f"pd_op.{name}" for name in names)
