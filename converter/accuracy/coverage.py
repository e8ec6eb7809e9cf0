"""What was planned to be compared, and was not because the reference itself refuses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.accuracy.inputs import LIMITED
from converter.accuracy.predictor import SHAPES_HINT
from converter.accuracy.reference import PaddleReference
from converter.model.result import Message

if TYPE_CHECKING:
    from converter.accuracy.inputs import Kind

#: What to do where the values were too tame to tell much.
_VALUES_HINT = "convert --data compares on your own data; validate takes a record of it (.npz)"


def is_narrow(reference: PaddleReference) -> bool:
    """Whether so little was compared that a pass is a ``degraded`` one.

    Only one of several shapes, or of floats only those from [0, 1): Relu and LeakyReLU are then
    one.
    """
    return bool(reference.only_shape) or "wide" in reference.too_wide()


def coverage(reference: PaddleReference, runner: str = "Paddle") -> tuple[Message, ...]:
    """Say what was left out; ``runner`` is what runs the reference."""
    messages = []
    if reference.only_shape:
        text = f"only one of the planned shapes runs in {runner}: {reference.only_shape}"
        messages.append(Message(level="warning", text=text, hint=SHAPES_HINT))
    elif dims := reference.uncovered():
        text = f"compared with {', '.join(dims)} only: {runner} refused the others tried"
        messages.append(Message(level="warning", text=text, hint=SHAPES_HINT))
    left_out = reference.too_wide()
    if "uniform" in left_out:
        messages.append(_limited(left_out))
    for kind, reason in left_out.items():
        if kind == "uniform" or kind in LIMITED:
            continue
        if kind == "signed":
            # Said of every model that takes indices: nothing to worry about.
            text = f"integers below 0 were not compared: {reason}"
            messages.append(Message(level="info", text=text))
        else:
            text = f"inputs outside [0, 1) were not compared: {reason}"
            messages.append(Message(level="warning", text=text, hint=_VALUES_HINT))
    return tuple(messages)


def _limited(left_out: dict[Kind, str]) -> Message:
    """Say which integers were compared where the reference refuses those from 0 to 7."""
    low, beyond = next(ints for kind, ints in LIMITED.items() if kind not in left_out)
    told = "0" if beyond == 1 else f"{low} to {beyond - 1}"
    text = f"of integers only {told} were compared: {left_out['uniform']}"
    return Message(level="warning" if beyond == 1 else "info", text=text)
