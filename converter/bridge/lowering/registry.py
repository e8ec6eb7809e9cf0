"""The lowerings by operator: which there are, and when each is used."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from converter.bridge.lowering.graph import Graph, Tensor
from converter.bridge.lowering.operation import Array, Complex, Operation

#: What a lowering returns: one entry per result of the operator. A result that is a list of
#: tensors is a list; a result that nothing may use is ``None``.
Lowered: TypeAlias = (
    "Tensor | Complex | Array | Sequence[Tensor | Complex | Sequence[Tensor | Complex] | None]"
)
LowerFunction: TypeAlias = Callable[[Operation, Graph], Lowered]

#: Modules below ``converter.bridge.lowering.rules``; importing one registers its lowerings.
FAMILIES = (
    "activations",
    "arithmetic",
    "assigning",
    "bits",
    "boxes",
    "comparisons",
    "complex_numbers",
    "control_flow",
    "convolutions",
    "creation",
    "deformable",
    "diagonals",
    "einsum",
    "fourier",
    "fused",
    "grids",
    "hyperbolic",
    "indexed_pooling",
    "interpolation",
    "layouts",
    "losses",
    "matrices",
    "narrow_types",
    "norms",
    "order_statistics",
    "paddings",
    "pixels",
    "pooling",
    "random_numbers",
    "recurrent",
    "reductions",
    "region_pooling",
    "scale",
    "scans",
    "scattering",
    "searching",
    "segments",
    "selecting",
    "special_functions",
    "suppression",
    "yolo",
)


@dataclass(frozen=True)
class Lowering:
    """How one operator is expressed in ONNX without paddle2onnx.

    ``when`` says for an operator and opset whether to use it although paddle2onnx knows the
    operator (because it gets this form wrong, or asks for a higher opset); ``why`` tells users.
    """

    operator: str
    function: LowerFunction
    why: str
    when: Callable[[Operation, int], bool] | None


_REGISTRY: dict[str, list[Lowering]] = {}


def lowering(
    *operators: str,
    when: Callable[[Operation, int], bool] | None = None,
    why: str = "paddle2onnx 2.1.0 does not know this operator",
) -> Callable[[LowerFunction], LowerFunction]:
    """Register a function as the lowering of ``operators`` (names without ``pd_op.``)."""

    def register(function: LowerFunction) -> LowerFunction:
        for operator in operators:
            entry = Lowering(f"pd_op.{operator}", function, why, when)
            _REGISTRY.setdefault(entry.operator, []).append(entry)
        return function

    return register


@cache
def all_lowerings() -> dict[str, tuple[Lowering, ...]]:
    """Every lowering, by the operator's full name, in the order they are tried."""
    for family in FAMILIES:
        importlib.import_module(f"converter.bridge.lowering.rules.{family}")
    return {name: tuple(entries) for name, entries in sorted(_REGISTRY.items())}
