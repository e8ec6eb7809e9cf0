"""Which tensors of two ONNX files stand for the same value: by name, then by structure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
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
    same values and constants of the same shapes are taken for each other. Where several would do,
    those of equal constants and attributes are, and the rest in the graphs' order.
    """
    known = set(reference.names)
    places = {name: place for place, name in enumerate(reference.names)}
    stands_for = dict(inputs)
    stands_for |= {name: name for name in candidate.names if name in known}
    stands_for |= {ours: theirs for ours, theirs in outputs.items() if theirs in known}
    taken = set(stands_for.values())
    free: dict[str, list[onnx.NodeProto]] = {}
    for node in reference.model.graph.node:
        if not taken.intersection(node.output):
            free.setdefault(_told(node, reference, {}), []).append(node)
    ours, theirs = _Digests(candidate), _Digests(reference)
    waiting: dict[str, list[onnx.NodeProto]] = {}
    for node in candidate.model.graph.node:
        if not any(name in stands_for for name in node.output):
            waiting.setdefault(_form(node, candidate), []).append(node)
    for node in candidate.model.graph.node:
        if any(name in stands_for for name in node.output):
            continue
        rivals = waiting[_form(node, candidate)]
        rivals.remove(node)
        alike = free.get(_told(node, candidate, stands_for))
        if alike:
            other = alike.pop(_best(node, rivals, ours, alike, theirs))
            stands_for.update(
                (name, source)
                for name, source in zip(node.output, other.output, strict=False)
                if name  # "" is an output that is left out
            )
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


class _Digests:
    """Of nodes' attributes and constants, each computed once and only when it is asked for."""

    def __init__(self, values: OnnxValues) -> None:
        self._values = values
        self._known: dict[str, bytes] = {}

    def of(self, node: onnx.NodeProto) -> bytes:
        """The digest of ``node``."""
        if (name := node.output[0]) not in self._known:
            self._known[name] = self._computed(node)
        return self._known[name]

    def _computed(self, node: onnx.NodeProto) -> bytes:
        digest = hashlib.sha256()
        for attribute in sorted(node.attribute, key=lambda attribute: attribute.name):
            digest.update(attribute.SerializeToString(deterministic=True))
        for place, name in enumerate(node.input):
            if name in self._values.initializers:
                digest.update(f"{place}".encode() + self._values.digest(name))
        return digest.digest()


def _best(
    node: onnx.NodeProto,
    rivals: Sequence[onnx.NodeProto],
    ours: _Digests,
    alike: Sequence[onnx.NodeProto],
    theirs: _Digests,
) -> int:
    """The place of the node in ``alike`` that ``node`` is most likely to stand for.

    That is an equal one, else the first that none of the ``rivals``, which come later, is equal to.
    """
    if len(alike) == 1:
        return 0
    equal = [theirs.of(other) for other in alike]
    if ours.of(node) in equal:
        return equal.index(ours.of(node))
    claimed = {ours.of(rival) for rival in rivals}
    return next((place for place, digest in enumerate(equal) if digest not in claimed), 0)


def _form(node: onnx.NodeProto, values: OnnxValues) -> str:
    """What a node is, and the dtypes and shapes of its constants."""
    return _told(node, values, dict.fromkeys(node.input, ""))


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
