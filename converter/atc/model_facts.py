"""What checking a command and explaining an error need to know of the ONNX model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from converter.model.tensor import TensorSpec


@dataclass(frozen=True)
class ModelFacts:
    """Names and shapes of one ONNX model.

    ``operators`` maps the names of the main graph's nodes to their types; ``opset`` is 0 and
    ``domains`` empty when unknown.
    """

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[str, ...] = ()
    operators: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    opset: int = 0
    domains: tuple[str, ...] = ()

    def input(self, name: str) -> TensorSpec | None:
        """The input of that name, if there is one."""
        return next((spec for spec in self.inputs if spec.name == name), None)


def read_model_facts(path: Path) -> ModelFacts:
    """The facts of an ONNX file; empty ones when it cannot be read. Weights are not loaded."""
    import onnx

    from converter.model.onnx_file import inputs_of, opset_of

    try:
        model = onnx.load(str(path), load_external_data=False)
        inputs = inputs_of(model)
    except Exception:  # noqa: BLE001 -- protobuf raises its own; facts only enrich a message
        return ModelFacts()
    return ModelFacts(
        inputs=inputs,
        outputs=tuple(value.name for value in model.graph.output),
        operators={node.name: node.op_type for node in model.graph.node if node.name},
        opset=opset_of(model),
        domains=tuple(entry.domain or "ai.onnx" for entry in model.opset_import),
    )
