"""Paddle's outputs of one model as bytes, so that they are computed once and read again.

An ``.npz`` file without pickled objects: the cases as JSON, and what Paddle computed in each. The
inputs are not in it; they are drawn again from the case, which gives the same values.
"""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from converter.accuracy.reference import Arrays

_TEXT = "about"


class Keep(Protocol):
    """Where the bytes of one model's reference are kept."""

    def load(self) -> bytes | None:
        """The bytes, if there are any."""

    def save(self, data: bytes) -> None:
        """Keep the bytes; nothing is said if that cannot be done."""

    def once(self) -> AbstractContextManager[object]:
        """Held while they are computed, so that other processes wait for them."""


def pack(about: dict[str, Any], outputs: Sequence[Arrays]) -> bytes:
    """``about`` (plain data) and the outputs of each case as bytes."""
    named: Arrays = {
        f"{i}:{name}": array for i, case in enumerate(outputs) for name, array in case.items()
    }
    text = json.dumps(about).encode()
    buffer = io.BytesIO()
    named[_TEXT] = np.frombuffer(text, np.uint8)
    np.savez(buffer, **named)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack(data: bytes) -> tuple[dict[str, Any], list[Arrays]]:
    """What ``pack`` was given. Raises ``ValueError`` when the bytes are something else."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as content:
            about = json.loads(content[_TEXT].tobytes())
            outputs: list[Arrays] = [{} for _ in about["cases"]]
            for name in content.files:
                if name != _TEXT:
                    index, _, output = name.partition(":")
                    outputs[int(index)][output] = content[name]
    except (ValueError, KeyError, IndexError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"not a kept reference: {error}") from error
    return about, outputs
