"""What a config is rendered for: the PaddleX version, who loads it, and the device."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from converter.errors import InputError

Wrapper = Literal["paddlex", "paddleocr"]

OLDEST = (3, 0)
NEWEST = (3, 7)

#: The first PaddleX that knows ``engine`` and ``engine_config``.
_ENGINE_SINCE = (3, 5)

_VERSION = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})(?:[.\w+-]*)?")
_DEVICE = re.compile(r"(cpu|gpu|npu|xpu)(?::([0-9]{1,4}))?")


@dataclass(frozen=True)
class Target:
    """A PaddleX version, as (major, minor), and the library that the user calls.

    PaddleOCR 3.N needs PaddleX 3.N, so that one number says both.
    """

    paddlex: tuple[int, int] = NEWEST
    wrapper: Wrapper = "paddlex"

    @property
    def has_engine(self) -> bool:
        """Whether this PaddleX reads ``engine``; older ones ignore the key."""
        return self.paddlex >= _ENGINE_SINCE

    def __str__(self) -> str:
        return f"{'PaddleOCR' if self.wrapper == 'paddleocr' else 'PaddleX'} {self.version}"

    @property
    def version(self) -> str:
        """``3.7``."""
        return ".".join(map(str, self.paddlex))


@dataclass(frozen=True)
class Device:
    """``npu:0``: the kind of device, and which one of several; None for the CPU."""

    kind: Literal["cpu", "gpu", "npu", "xpu"]
    id: int | None = None

    def __str__(self) -> str:
        return self.kind if self.id is None else f"{self.kind}:{self.id}"


def parse_version(text: str) -> tuple[int, int]:
    """``3.7.2`` -> (3, 7). Raises ``InputError`` for versions that are not known."""
    match = _VERSION.fullmatch(text.strip())
    version = (int(match[1]), int(match[2])) if match else None
    if version is None or not OLDEST <= version <= NEWEST:
        known = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
        raise InputError(
            f"PaddleX {text} is not known", hint=f"give a version from {known}, like --paddlex 3.7"
        )
    return version


def parse_device(text: str) -> Device:
    """``npu:1`` -> that device; without a number it is the first. Raises ``InputError``."""
    match = _DEVICE.fullmatch(text)
    if match is None or (match[1] == "cpu" and match[2]):
        raise InputError(
            f"{text!r} is not a device", hint="give cpu, gpu:N, npu:N or xpu:N; npu is npu:0"
        )
    kind = match[1]
    assert kind in ("cpu", "gpu", "npu", "xpu")
    return Device(kind, None if kind == "cpu" else int(match[2] or 0))  # type: ignore[arg-type]
