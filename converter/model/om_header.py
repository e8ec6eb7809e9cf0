"""The 256 bytes that an OM file begins with, and what a file without them is instead.

Little-endian; offsets and their history are in docs/reference/om-files.md. Files of before 2022
have no ``model_num`` (version below 0x20000000), files of before 2023 no ``model_length``.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct

from converter.model.files import LFS_POINTER
from converter.model.om_bytes import OmProblem, as_lenient_text
from converter.model.record import Record
from converter.model.wire import WireError
from converter.model.wording import shorten

#: The first bytes of every OM file (0x444F4D49, little endian).
OM_MAGIC = b"IMOD"
HEADER_BYTES = 256

#: magic, header bytes, version, checksum, length, encrypted, checked, model type, offline or
#: online, name, operators, user's text, IR version, models, platform's version and type, padding,
#: model length, whether the loader compares os and cpu, whether shapes are unknown, reserved.
_LAYOUT = Struct("<4sII64sIBBBB32sI32sII20sB3xQBB62s")
assert _LAYOUT.size == HEADER_BYTES

MODEL_TYPES: Mapping[int, str] = {
    0: "IR",
    1: "standard",
    2: "tiny",
    3: "flow",
    4: "lite",
    5: "bundle",
}

#: From this version on, the header says how many models follow it.
_HAS_MODEL_NUM = 0x2000_0000
_MAX_MODELS = 4096

#: How a simulator or a test marks a file that no device can run.
EMULATED = "EMULATED"

#: Keys of ONNX's ModelProto: producer_name and version, domain, model_version, doc_string, graph,
#: opset_import, metadata_props.
_ONNX_KEYS = frozenset({0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72})

_COPY_AGAIN = "copy or download the OM file again"


class OmHeader(Record):
    """The header's fields. ``declared_bytes`` is the size the file says it has (0: not said)."""

    version: int
    model_type: str
    online: bool
    checksummed: bool
    name: str
    user_info: str
    operators: int
    om_ir_version: int
    model_num: int
    platform_version: str
    platform_type: int
    declared_bytes: int
    wide_table: bool
    need_check_os_cpu_info: bool
    unknown_shapes: bool

    @property
    def is_emulated(self) -> bool:
        """Whether the file says that a simulator wrote it."""
        return self.user_info.startswith(EMULATED)


def read_header(data: memoryview) -> OmHeader:
    """Read the header of a file's bytes (256 are enough).

    Raises ``OmProblem`` when they are no OM file's, cut short or encrypted, and ``WireError``
    when the header is damaged.
    """
    if bytes(data[:4]) != OM_MAGIC:
        raise _not_om(bytes(data[:HEADER_BYTES]), len(data))
    if len(data) < HEADER_BYTES:
        raise cut_short(HEADER_BYTES - len(data))
    (
        _,
        header_bytes,
        version,
        _,
        length,
        encrypted,
        checksummed,
        model_type,
        online,
        name,
        operators,
        user_info,
        ir_version,
        models,
        platform_version,
        platform_type,
        model_length,
        check_os_cpu,
        unknown_shapes,
        _,
    ) = _LAYOUT.unpack(data[:HEADER_BYTES])
    if header_bytes != HEADER_BYTES:
        raise WireError(f"its header has {header_bytes} bytes, only {HEADER_BYTES} are known")
    if encrypted:
        raise OmProblem(
            "is encrypted: nothing behind its header can be read",
            "inspect the OM file from before it was encrypted",
        )
    model_num = (models or 1) if version >= _HAS_MODEL_NUM else 1
    if model_num > _MAX_MODELS:
        raise WireError(f"its header speaks of {model_num} models")
    said = model_length or length
    return OmHeader(
        version=version,
        model_type=MODEL_TYPES.get(model_type, f"unknown ({model_type})"),
        online=bool(online),
        checksummed=bool(checksummed),
        name=as_lenient_text(name),
        user_info=as_lenient_text(user_info),
        operators=operators,
        om_ir_version=ir_version,
        model_num=model_num,
        platform_version=as_lenient_text(platform_version),
        platform_type=platform_type,
        declared_bytes=HEADER_BYTES + said if said else 0,
        wide_table=bool(model_length) or MODEL_TYPES.get(model_type) == "flow",
        need_check_os_cpu_info=bool(check_os_cpu),
        unknown_shapes=bool(unknown_shapes),
    )


def cut_short(missing: int) -> OmProblem:
    """The file ends ``missing`` bytes too early."""
    count = "1 byte is" if missing == 1 else f"{missing} bytes are"
    return OmProblem(f"is cut short: {count} missing", _COPY_AGAIN)


def _not_om(head: bytes, size: int) -> OmProblem:
    """Say what a file is that does not begin as OM files do."""
    if not head:
        return OmProblem("is empty", _COPY_AGAIN)
    if head.startswith(LFS_POINTER):
        return OmProblem(
            "is a Git LFS pointer, not the file itself",
            "run `git lfs install && git lfs pull` in the repository that it was cloned from",
        )
    if head.startswith(b"PK\x03\x04"):
        return OmProblem(
            "is not an OM file but a ZIP archive, as atc writes with mode 7 (.om2)",
            "compile the model again with atc's default mode",
        )
    if head.startswith(b"PICO"):
        return OmProblem(
            "is not an OM file for Ascend but one for SVP cameras (PICO)",
            "compile the model with the CANN toolkit of an Ascend chip",
        )
    if is_onnx(head):
        return OmProblem(
            "is not an OM file but an ONNX model",
            "name it .onnx and inspect that, or compile it with atc",
        )
    if _is_text(head):
        return _text(head, size)
    return OmProblem(
        f"is not an OM file: it begins with {head[:4].hex(' ')}, not with IMOD",
        "name the .om file that atc wrote",
    )


def _text(head: bytes, size: int) -> OmProblem:
    lines = as_lenient_text(head).strip().splitlines()
    words = shorten(lines[0], 80) if lines else ""
    if size < HEADER_BYTES and len(lines) == 1 and ("/" in words or words.endswith(".om")):
        return OmProblem(
            f"is not an OM file: it holds only the path {words!r}, in place of a symbolic link",
            "copy the file that it points to, or clone with git's core.symlinks set",
        )
    return OmProblem(
        f"is not an OM file but text: {words!r}", "download the file itself, not a page about it"
    )


def _is_text(head: bytes) -> bool:
    if any(byte < 9 for byte in head):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"  # a letter cut in two
    return True


def is_onnx(head: bytes) -> bool:
    """Whether a file's first bytes are an ONNX model's: ``ir_version``, then another field."""
    return len(head) > 2 and head[0] == 0x08 and 1 <= head[1] <= 32 and head[2] in _ONNX_KEYS
