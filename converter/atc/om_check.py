"""Checks that an OM file is the one that was asked for: what atc says of its success is not enough.

The file's own description is compared with the ONNX model and the command. What atc may change, as
far as the sources tell: an output's name becomes ``node:index:tensor`` or ``output_0_node``; its
dtype what ``--output_type`` says; an image behind static AIPP becomes uint8 in NHWC; inputs of
``--input_fp16_nodes`` become float16; a scalar may be a vector of one element.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from converter.atc.shape_text import PROFILE_FLAGS, Axis, parse_input_shape
from converter.atc.soc import same_chip
from converter.errors import StageError
from converter.model.om_file import OmFile
from converter.model.om_inout import OmProfiles
from converter.model.om_types import OmTensor
from converter.model.tensor import TensorSpec

#: ``--output_type`` to numpy's names; the OM file's dtypes.
_OUTPUT_TYPES = {"FP32": "float32", "FP16": "float16", "UINT8": "uint8", "INT8": "int8"}

_KINDS = {
    "dynamic_batch_size": "batch",
    "dynamic_image_size": "image",
    "dynamic_dims": "dims",
}


@dataclass(frozen=True)
class Asked:
    """What the OM file was to be: the ONNX model's signature, and the flags that atc was given.

    ``aipp_input`` is the input behind static AIPP of our own. ``opaque`` are inputs that a user's
    AIPP file may be for: what they are then is that file's matter.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    flags: Mapping[str, str] = field(default_factory=dict)
    aipp_input: str | None = None
    opaque: frozenset[str] = frozenset()


def check_om(om: OmFile, asked: Asked) -> None:
    """Raise ``StageError`` naming the first thing that is not as asked."""
    if om.signature_from is None:
        _refuse("does not describe its inputs and outputs")
    _check_soc(om, asked)
    _check_inputs(om, asked)
    _check_profiles(om, asked)
    _check_outputs(om, asked)


def _refuse(what: str) -> NoReturn:
    raise StageError(
        f"the OM file {what}",
        hint="do not use it: report the model, the atc command and its log; the file was put aside",
    )


def _check_soc(om: OmFile, asked: Asked) -> None:
    wanted, made = asked.flags["soc_version"], om.build.soc_version
    if made is not None and not same_chip(made, wanted):
        _refuse(f"is for {made}, not for {wanted}")


def _check_inputs(om: OmFile, asked: Asked) -> None:
    wanted = [spec.name for spec in asked.inputs]
    made = [tensor.name for tensor in om.fed_inputs]
    _check_names("inputs", wanted, made)
    text = asked.flags.get("input_shape", "")
    shapes: Mapping[str, tuple[Axis, ...]] = parse_input_shape(text) if text else {}
    halved = asked.flags.get("input_fp16_nodes", "").split(";")
    for spec, tensor in zip(asked.inputs, om.fed_inputs, strict=True):
        if spec.name in asked.opaque:
            continue
        shape = shapes.get(spec.name, tuple(d if isinstance(d, int) else -1 for d in spec.shape))
        extents = tuple(axis if isinstance(axis, int) else -1 for axis in shape)
        dtype = "float16" if spec.name in halved else spec.dtype
        if spec.name == asked.aipp_input:
            dtype, extents = "uint8", _nhwc(extents)
        _check_tensor("input", spec.name, tensor, dtype, extents)


def _nhwc(shape: tuple[int, ...]) -> tuple[int, ...]:
    batch, channels, height, width = shape
    return batch, height, width, channels


def _check_names(what: str, wanted: Sequence[str], made: Sequence[str]) -> None:
    if list(wanted) == list(made):
        return
    problem = "in another order" if sorted(wanted) == sorted(made) else "with other names"
    _refuse(f"has its {what} {problem}: {', '.join(made)}; the model has {', '.join(wanted)}")


def _check_tensor(
    what: str, name: str, tensor: OmTensor, dtype: str, shape: tuple[int, ...]
) -> None:
    if tensor.dtype != dtype:
        _refuse(f"has {what} {name} as {tensor.dtype}, not as {dtype}")
    made = () if shape == () and tensor.shape == (1,) else tensor.shape
    if len(made) != len(shape) or any(
        wanted not in (-1, extent) for wanted, extent in zip(shape, made, strict=True)
    ):
        _refuse(f"has {what} {name} with shape {list(tensor.shape)}, not {list(shape)}")


def _check_profiles(om: OmFile, asked: Asked) -> None:
    flag = next((name for name in PROFILE_FLAGS if name in asked.flags), None)
    if flag is None:
        if om.profiles is not None:
            _refuse(f"has profiles {_told(om.profiles)}, and none were asked for")
        return
    text = asked.flags[flag].rstrip(";,")
    rows = text.split(",") if flag == "dynamic_batch_size" else text.split(";")
    wanted = [tuple(int(number) for number in row.split(",")) for row in rows]
    if om.profiles is None:
        _refuse(f"has no profiles, not those of --{flag}={text}")
    if om.profiles.kind != _KINDS[flag] or sorted(om.profiles.values) != sorted(wanted):
        _refuse(f"has profiles {_told(om.profiles)}, not --{flag}={text}")


def _told(profiles: OmProfiles) -> str:
    return f"of {profiles.kind} {';'.join(','.join(map(str, row)) for row in profiles.values)}"


def _check_outputs(om: OmFile, asked: Asked) -> None:
    cut = [entry for entry in asked.flags.get("out_nodes", "").split(";") if entry.strip()]
    count = len(cut) or len(asked.outputs)
    if len(om.outputs) != count:
        told = ", ".join(tensor.name for tensor in om.outputs) or "none"
        _refuse(f"has {len(om.outputs)} outputs ({told}), not {count}")
    if cut:
        return  # other tensors than the graph's outputs: their dtypes and shapes are not known here
    names = [spec.name for spec in asked.outputs]
    made = [_plain(tensor.name, index, names) for index, tensor in enumerate(om.outputs)]
    _check_names("outputs", names, made)
    # With several shapes the outputs have several, too, and each CANN tells another of them.
    several = any(flag in asked.flags for flag in (*PROFILE_FLAGS, "input_shape_range"))
    several = several or bool(re.search(r"~|-1", asked.flags.get("input_shape", "")))
    for spec, tensor in zip(asked.outputs, om.outputs, strict=True):
        open_shape = tuple(d if isinstance(d, int) and not several else -1 for d in spec.shape)
        dtype = _OUTPUT_TYPES.get(asked.flags.get("output_type", ""), spec.dtype)
        _check_tensor("output", spec.name, tensor, dtype, open_shape)


def _plain(name: str, index: int, wanted: Sequence[str]) -> str:
    """The ONNX name in an OM output's name; where it has none, the one at its place."""
    if name in wanted:
        return name
    last = name.rpartition(":")[2]
    if last in wanted or ":" in name:
        return last
    by_position = name.startswith(f"output_{index}_") and index < len(wanted)
    return wanted[index] if by_position else name
