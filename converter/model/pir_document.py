"""The JSON of a PIR program: parse it, walk its operators, read and write their attributes.

The schema is Paddle's paddle/fluid/pir/serialize_deserialize (``schema.h``)::

    {"base_code": {"magic": "pir", "version": 1, ...},
     "program": {"regions": [{"blocks": [{"args": [...], "ops": [...]}]}]}}

An operator is ``{"#": name, "A": attributes, "I": operands, "O": results, "regions": ...}``;
its name begins with the number of its dialect. A parameter is the operator ``p``, whose ``A`` is
``[is_distributed, is_parameter, need_clip, name]`` and whose ``O`` is one result, not a list.
Every function here raises ``InputError`` for JSON that does not follow this schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from converter.errors import InputError
from converter.model import collector
from converter.model.files import read_all, reject_lfs_pointer
from converter.model.pir_types import (
    TensorType,
    as_integer,
    as_list,
    as_name,
    as_object,
    malformed,
    read_type,
    shown,
)

#: A JSON object of the program; repairs change these in place.
JsonObject: TypeAlias = dict[str, Any]

#: Dialects by the number that stands for them in operator names (Paddle's ``DialectIdMap``).
DIALECTS = {"0": "builtin", "1": "pd_op", "2": "cf", "3": "custom_op", "4": "dist"}

_COPY_AGAIN = "the file is damaged or cut short: copy or download it again"


def load_pir(path: Path) -> JsonObject:
    """Load the PIR document of the file ``path``; see ``parse_pir`` for what is checked."""
    data = read_all(path)
    reject_lfs_pointer(path, data)
    return parse_pir(data, source=str(path))


def parse_pir(data: bytes, *, source: str) -> JsonObject:
    """Parse a PIR document and check that it is one; ``source`` names it in messages.

    Raises ``InputError`` when the bytes are not UTF-8, not (whole) JSON, or not a PIR program.
    """
    try:
        text = data.decode("utf-8")
        with collector.paused():
            document = json.loads(text)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{source} is not UTF-8 text (byte {error.start})", hint=_COPY_AGAIN
        ) from error
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        raise InputError(
            f"{source} {'ends too early' if cut else 'is not JSON'}: "
            f"{error.msg} (line {error.lineno}, column {error.colno})",
            hint=_COPY_AGAIN,
        ) from error
    except (ValueError, RecursionError) as error:  # a number of 5000 digits, 1000 brackets
        raise InputError(f"{source} is not usable JSON: {error}", hint=_COPY_AGAIN) from error
    if not isinstance(document, dict) or not isinstance(document.get("base_code"), dict):
        raise InputError(
            f"{source} is JSON, but not a PIR program: it has no base_code",
            hint="name the inference.json that Paddle 3 saved, not a config or tokenizer file",
        )
    magic = document["base_code"].get("magic")
    if magic != "pir":
        raise InputError(
            f"{source} is not a PIR program: base_code.magic is {shown(magic)}, not 'pir'",
            hint=_COPY_AGAIN,
        )
    return document


def walk_operations(document: JsonObject) -> Iterator[JsonObject]:
    """Yield every operator in program order, an ``if`` or ``while`` before its body.

    ``document`` is what ``parse_pir`` returned, or its ``program``. The objects yielded are the
    document's own, so that attributes can be rewritten; do not add or remove operators meanwhile.
    """
    # A stack of iterators, not recursion: how deep a file nests is not ours to choose.
    pending = [_operations_of(document.get("program", document), "the program")]
    while pending:
        operation = next(pending[-1], None)
        if operation is None:
            pending.pop()
            continue
        yield operation
        if "regions" in operation:
            pending.append(_operations_of(operation, "an operator"))


def _operations_of(owner: object, what: str) -> Iterator[JsonObject]:
    """Yield the operators of all blocks of ``owner``'s regions, without their bodies."""
    for region in as_list(as_object(owner, what).get("regions"), f"regions of {what}"):
        for block in as_list(as_object(region, "a region").get("blocks"), "blocks of a region"):
            for operation in as_list(as_object(block, "a block").get("ops"), "ops of a block"):
                yield as_object(operation, "an operator")


def operation_name(operation: JsonObject) -> str:
    """Return the operator's full name: ``pd_op.conv2d`` for ``1.conv2d``.

    A parameter is ``builtin.parameter``. A dialect that is not in ``DIALECTS`` stays as it is.
    """
    stored = as_name(operation.get("#"), "the name of an operator")
    if stored == "p":
        return "builtin.parameter"
    dialect, dot, name = stored.partition(".")
    return f"{DIALECTS.get(dialect, dialect)}{dot}{name}"


def attribute_entry(operation: JsonObject, name: str) -> JsonObject | None:
    """Return the stored attribute, {"#": kind, "D": data}, to be read or changed in place.

    Returns None when the operator has no such attribute.
    """
    if operation.get("#") == "p":  # its "A" is a plain list, without names
        return None
    for attribute in as_list(operation.get("A", []), "attributes"):
        if as_object(attribute, "an attribute").get("N") == name:
            return as_object(attribute.get("AT"), f"attribute {name}")
    return None


def attribute(operation: JsonObject, name: str) -> Any:
    """Return an attribute's value: a number, text, or a list of them; None when it has none."""
    entry = attribute_entry(operation, name)
    if entry is None:
        return None
    if entry.get("#") != "0.a_array":
        return _data(entry)
    items = as_list(entry.get("D"), f"attribute {name}")
    return [_data(as_object(item, f"an item of {name}")) for item in items]


def _data(entry: JsonObject) -> Any:
    """The value of a stored attribute. Infinities and NaN, which JSON lacks, are words in "VD"."""
    special = entry.get("VD")
    if isinstance(special, str):
        try:
            return float(special)
        except ValueError:
            raise malformed(f"an attribute is {shown(special)} instead of a number") from None
    return entry.get("D")


def operand_ids(operation: JsonObject) -> list[int]:
    """Return the value numbers of the operands; 0 stands for a missing optional operand."""
    return [_value_id(operand) for operand in as_list(operation.get("I", []), "operands")]


def result_ids(operation: JsonObject) -> list[int]:
    """Return the value numbers of the results."""
    return [_value_id(result) for result in _results(operation)]


def result_types(operation: JsonObject) -> dict[int, TensorType | None]:
    """Return the results' types by value number; None for what is not a dense tensor."""
    return {_value_id(result): read_type(result.get("TT")) for result in _results(operation)}


def _results(operation: JsonObject) -> list[Any]:
    results = operation.get("O", [])
    if isinstance(results, dict):  # a parameter
        results = [results]
    return as_list(results, "results")


def value_types(document: JsonObject) -> dict[int, TensorType | None]:
    """Return the types of all results of all operators, by value number."""
    types: dict[int, TensorType | None] = {}
    for operation in walk_operations(document):
        types.update(result_types(operation))
    return types


def parameter_name(operation: JsonObject) -> str:
    """Return the name of the parameter that a ``builtin.parameter`` operator declares."""
    if operation.get("#") != "p":
        return as_name(attribute(operation, "parameter_name"), "the name of a parameter")
    attributes = as_list(operation.get("A"), "attributes of a parameter")
    if len(attributes) < 4:
        raise malformed("a parameter has no name")
    return as_name(attributes[3], "the name of a parameter")


def is_stored_parameter(operation: JsonObject) -> bool:
    """Whether an operator declares a parameter whose values are in the parameter file.

    Recurrent layers declare a dropout state that Paddle does not save: the first of the output
    attributes (persistable, stop_gradient, trainable) is 0.
    """
    if operation_name(operation) != "builtin.parameter":
        return False
    flags = operation.get("OA")
    return not (isinstance(flags, list) and flags and flags[0] == 0)


def _value_id(value: object) -> int:
    # Betas of Paddle 3 numbered values with "#", like operators, before there was a "%".
    stored = as_object(value, "a value")
    return as_integer(stored.get("%", stored.get("#")), "the number of a value")
