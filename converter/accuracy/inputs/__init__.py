"""What models are compared on: which input shapes, and which values.

Shapes: a static model is run three times at its one shape. A dynamic one gets two shapes that
differ in every dynamic dim (batch 1 and 2, landscape and portrait, sequences of 16 and 7), each
twice. Values, each shape with both of two kinds:

* ``uniform`` noise, in the range that the model's own normalisation gives, else in [0, 1);
* ``text`` for image inputs, a page or line of drawn words: on noise an OCR detector's sigmoid stays
  near 1e-6, where almost any wrong model would agree;
* ``wide`` where the range is not known: normal noise with outliers up to 10 on both sides, so that
  a clip, a threshold or a branch that [0, 1) never reaches is reached;
* ``signed`` for models that also take signed integers: ``wide``, and integers below 0 too. Paddle
  itself refuses them where they are indices; ``narrower`` then gives the kinds to fall back to:
  ``uniform``, and where that is refused too ``positive`` (no integer is 0: it may divide),
  ``binary`` (0 and 1: indices of short axes) and ``zero`` (0 only).

A sweep (``sweep``) runs many more shapes, each once.

A known range is not exceeded: it is where pixels of 0 and 255 land, so no image can.

Everything is deterministic in ``seed``; plans are light and arrays are drawn when needed.
"""

from __future__ import annotations

from converter.accuracy.inputs.cases import alternatives, narrower, plan_cases, reshaped
from converter.accuracy.inputs.shapes import Shapes
from converter.accuracy.inputs.sweep import SweptCase, plan_sweep
from converter.accuracy.inputs.values import LIMITED, InputCase, Kind, make_inputs

__all__ = [
    "LIMITED",
    "InputCase",
    "Kind",
    "Shapes",
    "SweptCase",
    "alternatives",
    "make_inputs",
    "narrower",
    "plan_cases",
    "plan_sweep",
    "reshaped",
]
