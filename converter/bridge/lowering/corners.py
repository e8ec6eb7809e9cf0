"""Boxes [..., 4] as their coordinates x1, y1, x2, y2."""

from __future__ import annotations

from converter.bridge.lowering.graph import Graph, Tensor


def corner(graph: Graph, boxes: Tensor, index: int) -> Tensor:
    """Coordinate ``index`` of boxes [..., 4]: x1, y1, x2 or y2, without the last axis."""
    assert boxes.rank is not None
    return graph.gather(boxes, graph.constant(index, "int64"), boxes.rank - 1)


def joined(graph: Graph, *coordinates: Tensor) -> Tensor:
    """Boxes [..., 4] of their coordinates."""
    rank = max(coordinate.rank or 0 for coordinate in coordinates)
    return graph.concat([graph.unsqueeze(part, [rank]) for part in coordinates], rank)
