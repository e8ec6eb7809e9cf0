"""Which parts of two ONNX files differ, for a user who has only been told that bytes do."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def differing_parts(one: Path, other: Path) -> str:
    """In words, what differs between two ONNX files; "" when they cannot be read.

    Weights in files of external data are not looked at: their places are.
    """
    import onnx

    try:
        first, second = (onnx.load(str(path), load_external_data=False) for path in (one, other))
    except Exception:  # noqa: BLE001 - protobuf's error has no stable place, and this is a courtesy
        return ""
    told = []
    if keys := _changed(_metadata(first), _metadata(second)):
        told.append(f"metadata ({_some(keys, 6)})")
    for name in ("ir_version", "producer_name", "producer_version"):
        if getattr(first, name) != getattr(second, name):
            told.append(f"{name} {getattr(first, name)} → {getattr(second, name)}")
    if _texts(first.opset_import) != _texts(second.opset_import):
        told.append("opset")
    if nodes := _nodes(first.graph, second.graph):
        told.append(nodes)
    weights = _changed(_weights(first.graph), _weights(second.graph))
    if weights:
        total = len({*_weights(first.graph), *_weights(second.graph)})
        told.append(f"{len(weights)} of {total} initializers ({_some(weights, 1)})")
    for name in ("input", "output"):
        if _texts(getattr(first.graph, name)) != _texts(getattr(second.graph, name)):
            told.append(f"graph {name}s")
    if not told:
        return "the same nodes and weights, written otherwise"
    alike = "" if weights or nodes else "; nodes and weights are equal"
    return f"differs in {', '.join(told)}{alike}"


def _metadata(model: Any) -> dict[str, str]:
    return {each.key: each.value for each in model.metadata_props}


def _weights(graph: Any) -> dict[str, bytes]:
    return {each.name: each.SerializeToString(deterministic=True) for each in graph.initializer}


def _texts(records: Any) -> list[bytes]:
    return [each.SerializeToString(deterministic=True) for each in records]


def _nodes(first: Any, second: Any) -> str:
    if len(first.node) != len(second.node):
        return f"the number of nodes, {len(first.node)} → {len(second.node)}"
    pairs = zip(first.node, second.node, strict=True)
    changed = [a.name or a.op_type for a, b in pairs if a != b]
    return f"{len(changed)} of {len(first.node)} nodes ({_some(changed, 1)})" if changed else ""


def _changed(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return sorted(k for k in {*first, *second} if first.get(k) != second.get(k))


def _some(names: list[str], count: int) -> str:
    return ", ".join([*names[:count], *(["..."] if names[count:] else [])])
