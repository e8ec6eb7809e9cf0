"""Read what an Ascend OM file says of itself, without a toolkit and without its weights.

The file is mapped, not loaded: the header, the tables and two partitions are looked at, and no
length in it is believed before it is compared with the bytes that are there.
"""

from __future__ import annotations

import mmap
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from converter.errors import InputError
from converter.model.files import unreadable
from converter.model.om_bytes import OmProblem
from converter.model.om_cmdline import profiles_in, redact, redact_path
from converter.model.om_header import OM_MAGIC, OmHeader, read_header
from converter.model.om_inout import OmProfiles, OmSignature, read_inout
from converter.model.om_model_def import AttrValue, ModelDef, read_model_def
from converter.model.om_partitions import (
    MODEL_DEF,
    MODEL_INOUT_INFO,
    OmPartition,
    read_partitions,
)
from converter.model.om_types import CONTROL_INPUTS, OmTensor
from converter.model.record import Record
from converter.model.wire import WireError

#: atc's ``framework`` numbers.
_FRAMEWORKS: Mapping[str, str] = {"0": "Caffe", "1": "MindSpore", "3": "TensorFlow", "5": "ONNX"}


class OmBuild(Record):
    """How the file was made. ``atc_cmdline`` has no directories unless they were asked for."""

    soc_version: str | None = None
    arch_type: str | None = None
    atc_version: str | None = None
    opp_version: str | None = None
    framework: str | None = None
    host_os: str | None = None
    host_cpu: str | None = None
    atc_cmdline: str | None = None


class OmResources(Record):
    """What the model takes on the device: bytes, and numbers of streams, events and labels."""

    memory_bytes: int | None = None
    weight_bytes: int | None = None
    zero_copy_bytes: int | None = None
    streams: int | None = None
    events: int | None = None
    labels: int | None = None


class OmFile(Record):
    """Everything read from an OM file. Inputs and outputs are those of its first model."""

    kind: Literal["om"] = "om"
    file: str
    file_bytes: int
    header: OmHeader
    partitions: tuple[OmPartition, ...]
    model_name: str
    inputs: tuple[OmTensor, ...]
    outputs: tuple[OmTensor, ...]
    signature_from: Literal["MODEL_INOUT_INFO", "MODEL_DEF"] | None
    profiles: OmProfiles | None
    dynamic_output_shapes: tuple[str, ...]
    build: OmBuild
    resources: OmResources

    @property
    def fed_inputs(self) -> tuple[OmTensor, ...]:
        """The inputs that are the model's own, without those that atc added."""
        return tuple(tensor for tensor in self.inputs if tensor.name not in CONTROL_INPUTS)


def read_om(path: Path, *, paths: bool = False) -> OmFile:
    """Read an OM file. ``paths`` keeps the directories in its command line.

    Raises ``InputError`` when the file cannot be read, is no OM file, is cut short, encrypted or
    damaged.
    """
    try:
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):  # to open a pipe would be to wait
            raise InputError(f"{path} is not a regular file", hint="name the .om file itself")
        with path.open("rb") as stream:
            # The map lives as long as something looks at it; nothing that is returned does.
            data = memoryview(
                mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if stream.seek(0, 2) else b""
            )
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:  # a NUL byte in the path
        raise InputError(f"not a path: {str(path)!r}", hint="check the path") from error
    return parse_om(data, path, paths=paths)


def looks_like_om(path: Path) -> bool:
    """Whether a file is to be read as an OM file: by its name or by its first bytes."""
    try:
        if not path.is_file():
            return False
        if path.suffix in (".om", ".om2", ".exeom"):
            return True
        with path.open("rb") as stream:
            return stream.read(len(OM_MAGIC)) == OM_MAGIC
    except (OSError, ValueError):
        return False


def parse_om(data: memoryview, path: Path, *, paths: bool = False) -> OmFile:
    """Read an OM file's bytes; ``path`` is for messages. Raises ``InputError`` as ``read_om``."""
    where = "header"
    try:
        header = read_header(data)
        where = "table of partitions"
        partitions = read_partitions(data, header)
        where = "MODEL_INOUT_INFO"
        signature = read_inout(_partition(data, partitions, MODEL_INOUT_INFO))
        where = "MODEL_DEF"
        model = read_model_def(_partition(data, partitions, MODEL_DEF))
    except OmProblem as problem:
        raise InputError(f"{path} {problem.message}", hint=problem.hint) from problem
    except WireError as problem:
        raise InputError(
            f"{path} is damaged: {where}: {problem}",
            hint="copy the OM file again, or compile it again",
        ) from problem
    return _describe(path, len(data), header, partitions, signature, model, paths)


def _partition(data: memoryview, partitions: tuple[OmPartition, ...], kind: int) -> memoryview:
    """The bytes of the first partition of a type in the first model; none when it has none."""
    for partition in partitions:
        if partition.type == kind and partition.model == 0:
            return data[partition.offset : partition.offset + partition.bytes]
    return memoryview(b"")


def _describe(
    path: Path,
    size: int,
    header: OmHeader,
    partitions: tuple[OmPartition, ...],
    signature: OmSignature,
    model: ModelDef,
    paths: bool,
) -> OmFile:
    told = bool(signature.inputs or signature.outputs)
    derived = bool(model.inputs or model.outputs)
    cmdline = _text(model.attrs, "atc_cmdline")
    profiles = signature.profiles
    if profiles is None and not told and cmdline:
        profiles = profiles_in(cmdline)
    return OmFile(
        file=path.name,
        file_bytes=size,
        header=header,
        partitions=partitions,
        model_name=model.name if paths else redact_path(model.name),
        inputs=signature.inputs if told else model.inputs,
        outputs=signature.outputs if told else model.outputs,
        signature_from="MODEL_INOUT_INFO" if told else "MODEL_DEF" if derived else None,
        profiles=profiles,
        dynamic_output_shapes=signature.dynamic_output_shapes,
        build=_build(model.attrs, cmdline if paths or not cmdline else redact(cmdline)),
        resources=_resources(model.attrs),
    )


def _build(attrs: Mapping[str, AttrValue], cmdline: str | None) -> OmBuild:
    framework = _text(attrs, "framework_type")
    return OmBuild(
        soc_version=_text(attrs, "soc_version"),
        arch_type=_text(attrs, "arch_type"),
        atc_version=_text(attrs, "atc_version"),
        opp_version=_text(attrs, "opp_version"),
        framework=_FRAMEWORKS.get(framework, framework) if framework else None,
        host_os=_text(attrs, "host_env_os"),
        host_cpu=_text(attrs, "host_env_cpu"),
        atc_cmdline=cmdline,
    )


def _resources(attrs: Mapping[str, AttrValue]) -> OmResources:
    return OmResources(
        memory_bytes=_number(attrs, "memory_size"),
        weight_bytes=_number(attrs, "weight_size"),
        zero_copy_bytes=_number(attrs, "zero_copy_memory_size"),
        streams=_number(attrs, "stream_num"),
        events=_number(attrs, "event_num"),
        labels=_number(attrs, "label_num"),
    )


def _text(attrs: Mapping[str, AttrValue], name: str) -> str | None:
    value = attrs.get(name)
    return str(value) if isinstance(value, (int, str)) and value != "" else None


def _number(attrs: Mapping[str, AttrValue], name: str) -> int | None:
    """An attribute that is a number, or digits."""
    value = attrs.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) else None
