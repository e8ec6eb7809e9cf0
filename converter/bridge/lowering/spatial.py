"""What the operators on images have in common: layouts, SAME and VALID padding, extents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from converter.bridge.lowering.errors import CannotLower
from converter.bridge.lowering.graph import Graph, Tensor


@dataclass(frozen=True)
class Pads:
    """Padding of the spatial axes: before and after each, or ``same`` for ONNX's SAME_UPPER."""

    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    same: bool = False

    @property
    def attributes(self) -> dict[str, Any]:
        """As attributes of an ONNX operator."""
        if self.same:
            return {"auto_pad": "SAME_UPPER"}
        return {"pads": [*self.before, *self.after]}

    @property
    def asymmetric(self) -> bool:
        """Whether an axis is padded more on one side."""
        return self.before != self.after


def channels_last(layout: str) -> bool:
    """Whether Paddle's ``data_format`` has the channels at the end (NLC, NHWC, NDHWC)."""
    return len(layout) > 2 and layout.endswith("C")


def to_channels_first(graph: Graph, x: Tensor, layout: str) -> Tensor:
    """``x`` with its channels on axis 1."""
    if not channels_last(layout):
        return x
    last = len(layout) - 1
    return graph.transpose(x, [0, last, *range(1, last)])


def from_channels_first(graph: Graph, x: Tensor, layout: str) -> Tensor:
    """Back to ``layout``."""
    if not channels_last(layout):
        return x
    return graph.transpose(x, [0, *range(2, len(layout)), 1])


def spatial_extents(shape: Sequence[int], layout: str) -> tuple[int, ...]:
    """The extents of the spatial axes; -1 is dynamic."""
    return tuple(shape[1:-1] if channels_last(layout) else shape[2:])


def paddings(
    algorithm: str,
    given: Sequence[int],
    extents: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
) -> Pads:
    """Paddle's padding (``UpdatePadding`` in phi/kernels/funcs/pooling.h and cpu/conv_util.h).

    SAME pads (ceil(L / s) - 1) * s + k - L, the smaller half before. Convolutions ignore their
    dilations then, which is why ``kernel`` is the undilated one for them.
    """
    count = len(kernel)
    if algorithm == "VALID":
        return Pads((0,) * count, (0,) * count)
    if algorithm == "SAME":
        if any(extent < 0 for extent in extents):
            return Pads(same=True)
        sums = [
            max((-(-extent // s) - 1) * s + k - extent, 0)
            for extent, k, s in zip(extents, kernel, strides, strict=True)
        ]
        return Pads(tuple(total // 2 for total in sums), tuple((t + 1) // 2 for t in sums))
    if len(given) == count:
        return Pads(tuple(given), tuple(given))
    if len(given) == 2 * count:
        return Pads(tuple(given[::2]), tuple(given[1::2]))
    raise CannotLower(f"its padding {list(given)} does not fit its kernel")


def pad_spatial(graph: Graph, x: Tensor, pads: Pads, value: float, rank: int) -> Tensor:
    """``x`` (channels first) with its spatial axes padded; no node when there is nothing to pad."""
    if not any((*pads.before, *pads.after)):
        return x
    front = (0,) * (rank - len(pads.before))
    return graph.pad(x, [*front, *pads.before, *front, *pads.after], value=value)
