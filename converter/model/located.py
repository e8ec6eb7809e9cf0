"""What ``locate`` found: records that travel with the report."""

from __future__ import annotations

from typing import Literal

from converter.model.record import Record

#: Directory of the repro bundle in the output directory.
BUNDLE = "repro"


class TensorStatistics(Record):
    """A tensor in numbers; minimum to standard deviation are of its finite elements."""

    dtype: str
    shape: tuple[int, ...]
    minimum: float
    maximum: float
    mean: float
    std: float
    nan: int
    inf: int


class GrowthPoint(Record):
    """The error of one pair of values, in the order of the ONNX graph.

    ``error`` is the accumulated one; ``own`` what the operator adds when it is given the
    reference's own inputs, None where that was not looked at.
    """

    index: int
    operator: str
    value: str
    tensor: str
    error: float
    own: float | None = None


class OutputError(Record):
    """One output of the two models: its error, and whether the gate lets it pass."""

    name: str
    error: float
    passed: bool
    reason: str = ""


class LocatedNode(Record):
    """A node of the ONNX file, with its attributes as text."""

    name: str
    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, str]


class Culprit(Record):
    """Where the ONNX file first computes something else.

    ``operator``, ``place`` (its index in the program), ``location`` (its layer) and ``value`` are
    the reference's; ``tensor`` and ``node`` the ONNX file's; ``region`` are all nodes between the
    last values that agree and this one. ``error_before`` is the largest accumulated error of what
    they read, ``error`` that of what they give, ``own_error`` what they give for the reference's
    own inputs. ``why`` is said where it is not the numbers that differ. ``causes`` are sentences,
    the likeliest first; empty when the cause could not be told.
    """

    operator: str
    place: int
    location: str
    value: str
    parameters: tuple[str, ...]
    tensor: str
    node: LocatedNode
    region: tuple[LocatedNode, ...]
    reference: TensorStatistics
    candidate: TensorStatistics | None
    error_before: float
    error: float
    own_error: float
    why: str = ""
    causes: tuple[str, ...] = ()


class LocateFacts(Record):
    """The search for the first value that differs.

    ``pairs`` is how many values correspond, ``measured`` how many were compared; ``unjudged`` how
    many may hold the place although none was found. ``method`` is how the place was found: all
    values were compared (``scan``), few (``bisection``), or operators by themselves (``local
    scan``). ``quiet`` is a place that differs although no output shows it. ``bundle`` is the
    directory of the repro bundle, relative to the report.
    """

    kind: Literal["locate"] = "locate"
    reference: str
    candidate: str
    opset: int
    input_shapes: dict[str, tuple[int, ...]]
    case: str
    outputs: tuple[OutputError, ...]
    pairs: int
    measured: int
    unjudged: int = 0
    tensors: int
    method: Literal["scan", "bisection", "local scan"]
    growth: tuple[GrowthPoint, ...]
    culprit: Culprit | None = None
    quiet: str = ""
    bundle: str | None = None

    @property
    def diverges(self) -> bool:
        """Whether an output differs."""
        return not all(output.passed for output in self.outputs)
