"""Which value of the reference stands for which tensor of the ONNX file, and what lies between."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from converter.accuracy.onnx_values import OnnxValues

if TYPE_CHECKING:
    import onnx

from converter.model.onnx_graph import names_read


@dataclass(frozen=True)
class Pair:
    """A value of the reference (``key``) and the ``tensor`` that should equal it.

    ``operator`` makes the value in the reference, ``label`` is what the value is called there,
    ``location`` the layer it comes from, ``index`` the operator's place in the program.
    ``parameters`` are those that the operator reads.
    """

    key: Hashable
    tensor: str
    operator: str
    label: str
    location: str = ""
    index: int = 0
    parameters: tuple[str, ...] = ()


@dataclass
class Region:
    """The nodes that make one pair's tensor out of the tensors of pairs before it.

    ``before`` are the pairs (indices) and ``inputs`` the graph inputs that they read.
    """

    before: list[int]
    inputs: list[str]
    nodes: list[onnx.NodeProto] = field(default_factory=list)


class Pairs:
    """All pairs in the order of the ONNX graph, and how they follow from each other."""

    def __init__(self, pairs: Sequence[Pair], candidate: OnnxValues) -> None:
        order = {name: i for i, name in enumerate(candidate.names)}
        self.all = sorted(
            (pair for pair in pairs if pair.tensor in order), key=lambda pair: order[pair.tensor]
        )
        self.candidate = candidate
        self.index_of = {pair.tensor: i for i, pair in enumerate(self.all)}
        self.withheld: set[int] = set()
        self._given = {*self.index_of, *candidate.inputs}
        self._regions: dict[int, Region] = {}
        self._after: dict[int, list[int]] | None = None

    def withhold(self, indices: Collection[int]) -> None:
        """Take pairs whose value the reference does not give out for no values at all.

        What is made of them is then made of what they are made of.
        """
        self.withheld |= set(indices)
        self._given -= {self.all[index].tensor for index in indices}
        self._regions.clear()
        self._after = None

    def __len__(self) -> int:
        return len(self.all)

    def region(self, index: int) -> Region:
        """What makes the tensor of pair ``index``."""
        if index not in self._regions:
            tensor = self.all[index].tensor
            given = self._given - {tensor}
            nodes = self.candidate.nodes_between(given, [tensor])
            read = {name for node in nodes for name in names_read(node)} & given
            self._regions[index] = Region(
                before=sorted(self.index_of[name] for name in read if name in self.index_of),
                inputs=sorted(name for name in read if name not in self.index_of),
                nodes=nodes,
            )
        return self._regions[index]

    def after(self, index: int) -> list[int]:
        """The pairs that are made of this one directly."""
        if self._after is None:
            self._after = {}
            for later in range(len(self.all)):
                for before in self.region(later).before:
                    self._after.setdefault(before, []).append(later)
        return self._after.get(index, [])
