"""What came of the shapes of a sweep, for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from converter.accuracy.gate import compare_case
from converter.model.comparison import CaseComparison, SweptShape
from converter.model.result import Message

if TYPE_CHECKING:
    from converter.accuracy.inputs import InputCase
    from converter.accuracy.reference import Arrays, Swept


def swept_shape(swept: Swept) -> SweptShape:
    """One shape of a sweep, without arrays."""
    return SweptShape(
        what=swept.what,
        input_shapes=swept.shapes,
        case=swept.ran.case.label if swept.ran else None,
        refused=swept.refused,
        instead_of=swept.instead_of,
    )


def not_run(case: InputCase, reference: Arrays, reason: str) -> CaseComparison:
    """A case that has failed because the candidate does not run; ``reason`` in its words."""
    nothing = compare_case(case.label, case.shapes, case.seed, reference, {})
    outputs = tuple(out.model_copy(update={"reason": reason}) for out in nothing.outputs)
    return nothing.model_copy(update={"outputs": outputs})


def nothing_swept(shapes: Sequence[SweptShape]) -> tuple[Message, ...]:
    """Say that a sweep compared nothing: a warning where the reference refuses every shape."""
    if any(shape.case for shape in shapes):
        return ()
    if not shapes:
        text = "the model has no dynamic dims: there is nothing to sweep"
        return (Message(level="info", text=text),)
    text = f"the reference itself refuses every shape of the sweep: {shapes[0].refused}"
    hint = "check the shapes in the model's inference.yml (Hpi dynamic shapes)"
    return (Message(level="warning", text=text, hint=hint),)
