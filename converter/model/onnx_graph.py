"""What the nodes of an ONNX graph read, those inside the bodies of If, Loop and Scan too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def names_read(node: onnx.NodeProto) -> set[str]:
    """What a node reads, and what the bodies of its If or Loop read from outside."""
    read = {name for name in node.input if name}
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            inside: set[str] = set()
            made = {value.name for value in (*body.input, *body.initializer)}
            for inner in body.node:
                inside |= names_read(inner)
                made.update(inner.output)
            inside.update(value.name for value in body.output)
            read |= inside - made
    return read
