"""Attributes that Paddle >=3.3 stores as double and paddle2onnx 2.1.0 reads as float.

paddle2onnx's parser only knows float attributes. For an interpolation's ``scale`` it refuses; for
the others it reads whatever lies on its stack, so that ``leaky_relu`` silently gets a random slope.
The table lists every attribute whose C++ type went from float to double between Paddle 3.2 and
3.3.1 in Paddle's own operator definitions (``pd_op.h`` of both wheels compared). ``full.value`` and
the like are doubles in every version, which paddle2onnx knows: they stay.
"""

from __future__ import annotations

from typing import Any

from converter.bridge.repair import ProgramRepair
from converter.model.pir_document import attribute_entry, operation_name, walk_operations

_DOUBLE, _FLOAT = "0.a_f64", "0.a_f32"

#: PIR operator -> its attributes that became double in Paddle 3.3.
DOUBLE_SINCE_3_3: dict[str, frozenset[str]] = {
    "pd_op.add_group_norm_silu": frozenset({"epsilon"}),
    "pd_op.bicubic_interp": frozenset({"scale"}),
    "pd_op.bilinear_interp": frozenset({"scale"}),
    "pd_op.group_norm": frozenset({"epsilon"}),
    "pd_op.group_norm_silu_xpu": frozenset({"epsilon"}),
    "pd_op.leaky_relu": frozenset({"negative_slope"}),
    "pd_op.leaky_relu_": frozenset({"negative_slope"}),
    "pd_op.linear_interp": frozenset({"scale"}),
    "pd_op.logit": frozenset({"eps"}),
    "pd_op.logit_": frozenset({"eps"}),
    "pd_op.nearest_interp": frozenset({"scale"}),
    "pd_op.pad3d": frozenset({"pad_value"}),
    "pd_op.rms_norm": frozenset({"epsilon"}),
    "pd_op.softplus": frozenset({"beta", "threshold"}),
    "pd_op.trilinear_interp": frozenset({"scale"}),
}


class DoubleAttributes(ProgramRepair):
    """Give those attributes back the float type that paddle2onnx reads."""

    name = "double-attributes"
    reason = (
        "Paddle 3.3 stores this attribute as double; paddle2onnx 2.1.0 reads only float "
        "and would refuse it or take a random value"
    )

    def apply(self, program: dict[str, Any]) -> int:
        """Retype the listed attributes, alone or in arrays; the values stay as they are."""
        changed = 0
        for operation in walk_operations(program):
            for name in DOUBLE_SINCE_3_3.get(operation_name(operation), ()):
                value = attribute_entry(operation, name)
                if value is not None:
                    changed += _retype(value)
        return changed


def _retype(value: dict[str, Any]) -> int:
    """Retype one attribute value; 1 when it was a double or held some."""
    if value.get("#") == _DOUBLE:
        value["#"] = _FLOAT
        return 1
    if isinstance(value.get("D"), list):
        # An array counts as one attribute however many elements it has.
        return int(sum(_retype(item) for item in value["D"] if isinstance(item, dict)) > 0)
    return 0
