"""How paddle2onnx names the tensors that stand for a program's values.

A result of an operator is ``p2o.<operator>.<how many of its name came before>.<which result>``
(``PaddlePirParser``: it numbers the operators of the program's own block in order). Inputs and
parameters keep their names, and what is fetched gets the name of the output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from converter.bridge.lowering.program_json import block_operations
from converter.model.pir_document import (
    JsonObject,
    attribute,
    operand_ids,
    operation_name,
    parameter_name,
    result_ids,
)

if TYPE_CHECKING:
    import onnx


def tensor_names(document: JsonObject) -> dict[int, str]:
    """The name that paddle2onnx gives to each value of the program's own block, by number."""
    names: dict[int, str] = {}
    count: Counter[str] = Counter()
    fetched: dict[int, str] = {}
    for operation in block_operations(document):
        name = operation_name(operation)
        results = result_ids(operation)
        if name in ("pd_op.data", "pd_op.feed"):
            names[results[0]] = str(attribute(operation, "name"))
        elif name == "builtin.parameter":
            names[results[0]] = parameter_name(operation)
        elif name == "pd_op.fetch":
            fetched.setdefault(operand_ids(operation)[0], str(attribute(operation, "name")))
        else:
            for index, value in enumerate(results):
                names[value] = f"p2o.{name}.{count[name]}.{index}"
            count[name] += 1
    # An input that is given out keeps its name.
    made = {
        value: name for value, name in fetched.items() if names.get(value, "p2o.")[:4] == "p2o."
    }
    return names | made


def with_copies(names: Mapping[int, str], model: onnx.ModelProto) -> dict[int, tuple[str, ...]]:
    """Each value's tensor in ``model``, then those that it is an ``Identity`` of.

    paddle2onnx copies most results (``Add.1`` to ``p2o.pd_op.add.0.0``). What takes the copies out
    of the graph leaves the first name.
    """
    sources = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Identity"}
    found = {}
    for number, name in names.items():
        chain = [name]
        while (source := sources.get(chain[-1])) is not None and source not in chain:
            chain.append(source)
        found[number] = tuple(chain)
    return found
