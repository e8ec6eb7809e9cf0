"""Which tensors of two ONNX files stand for the same value: by name, then by structure."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from converter.accuracy.locate.pairs import Pair
from converter.accuracy.onnx_values import OnnxValues

if TYPE_CHECKING:
    import onnx


def onnx_pairs(
    reference: OnnxValues,
    candidate: OnnxValues,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> list[Pair]:
    """Pair the tensors; ``inputs`` and ``outputs`` map the candidate's names to the reference's.

    Tensors of one name are a pair. Of the others, two nodes of the same operator that read the
    same values and constants of the same shapes are taken for each other: those whose constants
    and attributes are the same too, wherever they are, the others in the graphs' order.
    """
    known = set(reference.names)
    places = {name: place for place, name in enumerate(reference.names)}
    stands_for = dict(inputs)
    stands_for |= {name: name for name in candidate.names if name in known}
    stands_for |= {ours: theirs for ours, theirs in outputs.items() if theirs in known}
    taken = set(stands_for.values())
    free: dict[str, list[tuple[bytes, onnx.NodeProto]]] = {}
    for node in reference.model.graph.node:
        if not taken.intersection(node.output):
            own = _digest(node, reference)
            free.setdefault(_told(node, reference, {}), []).append((own, node))
    unnamed = [
        (_digest(node, candidate), node)
        for node in candidate.model.graph.node
        if stands_for.keys().isdisjoint(node.output)
    ]
    waiting = Counter(own for own, _ in unnamed)  # a node that differs must not take another's
    for own, node in unnamed:
        waiting[own] -= 1
        alike = free.get(_told(node, candidate, stands_for))
        if alike:
            other = min(alike, key=lambda each: (each[0] != own, waiting[each[0]] > 0))
            alike.remove(other)
            stands_for.update(zip(node.output, other[1].output, strict=False))
    pairs = []
    for name in candidate.names:
        source = stands_for.get(name)
        if source is None or source not in known:
            continue
        maker = reference.maker(source)
        assert maker is not None
        pairs.append(
            Pair(
                key=source,
                tensor=name,
                operator=maker.op_type,
                label=source,
                location=maker.name,
                index=places[source],
                parameters=tuple(n for n in maker.input if n in reference.initializers),
            )
        )
    return pairs


def _digest(node: onnx.NodeProto, values: OnnxValues) -> bytes:
    """Stands for a node's operator, attributes and the elements of its constants."""
    attributes = sorted(each.SerializeToString(deterministic=True) for each in node.attribute)
    constants = [
        (place, values.digest(name))
        for place, name in enumerate(node.input)
        if name in values.initializers
    ]
    told = repr((node.domain, node.op_type, attributes, constants))
    return hashlib.sha256(told.encode()).digest()


def _told(node: onnx.NodeProto, values: OnnxValues, stands_for: Mapping[str, str]) -> str:
    """What a node is and reads, the same in both files."""
    told = [node.domain, node.op_type, str(len(node.output))]
    for name in node.input:
        constant = values.initializers.get(name)
        told.append(
            f"{constant.data_type}{list(constant.dims)}"
            if constant is not None
            else stands_for.get(name, name)
        )
    return "|".join(told)
