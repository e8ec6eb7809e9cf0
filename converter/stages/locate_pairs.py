"""Which value of a Paddle program each tensor of an ONNX file stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from converter.accuracy.locate.pairs import Pair
from converter.accuracy.onnx_values import OnnxValues
from converter.bridge.program_values import ProgramValue, ProgramValues

#: What onnxsim folds into the convolution before it, whose tensor keeps its name and so stands for
#: the folded operator's value.
_FOLDED = {
    f"pd_op.{name}"
    for name in ("batch_norm_", "batch_norm", "add", "subtract", "multiply", "divide", "scale")
}
_FOLDS = {
    f"pd_op.{name}"
    for name in (
        *("conv1d", "conv2d", "conv3d", "depthwise_conv2d"),
        *("conv2d_transpose", "conv3d_transpose", "depthwise_conv2d_transpose"),
    )
}


def paddle_pairs(
    program: ProgramValues, names: Mapping[int, Sequence[str]], candidate: OnnxValues
) -> list[Pair]:
    """Pair the program's values with the tensors that have the name of their place.

    ``names`` are the tensors that stand for each value in an export that nothing has simplified.
    """
    there = set(candidate.names)
    made_of: dict[int, list[ProgramValue]] = {}
    for value in program.values:
        for number in set(value.reads):
            made_of.setdefault(number, []).append(value)

    def tensor_of(number: int) -> str | None:
        return next((name for name in names.get(number, ()) if name in there), None)

    def folded(value: ProgramValue) -> ProgramValue | None:
        """The operator after this one that has no tensor, because it became a part of this one."""
        after = made_of.get(value.number, [])
        if len({reader.index for reader in after}) != 1:
            return None
        only = after[0]
        alone = only.operator in _FOLDED and set(only.reads) == {value.number}
        return only if alone and tensor_of(only.number) is None else None

    pairs, taken = [], set()
    for value in program.values:
        tensor = tensor_of(value.number)
        if tensor is None or tensor in taken:
            continue
        taken.add(tensor)
        whole = [value]
        while value.operator in _FOLDS and (following := folded(whole[-1])):
            whole.append(following)
        parameters = [name for part in whole for name in part.parameters]
        pairs.append(
            Pair(
                key=whole[-1].number,
                tensor=tensor,
                operator=" + ".join(part.operator for part in whole),
                label=f"%{whole[-1].number}",
                location=value.location,
                index=value.index,
                parameters=tuple(dict.fromkeys(parameters)),
            )
        )
    return pairs
