"""What earlier runs tell of a model: its times, its memory, and what its keys were made of."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, ValidationError

from converter.model.artefacts import write_quickly
from converter.model.result import Record


class Seen(Record):
    """The last time that a model was converted, by what it is called and where it lies.

    ``seconds`` (wall) and ``peak_memory`` (bytes) are those of the last time each stage was run,
    not of one that was cached. ``parts`` holds what each stage's key was made of.
    """

    seconds: dict[str, float] = Field(default_factory=dict)
    peak_memory: dict[str, int] = Field(default_factory=dict)
    parts: dict[str, dict[str, str]] = Field(default_factory=dict)


class History:
    """One file per model and variant below a directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, source: str, name: str) -> Seen | None:
        """What is known of ``name``, made from ``source``."""
        try:
            return Seen.model_validate_json(self._path(source, name).read_bytes())
        except (OSError, ValidationError):
            return None

    def add(
        self,
        source: str,
        name: str,
        *,
        seconds: Mapping[str, float],
        peak_memory: Mapping[str, int],
        parts: Mapping[str, Mapping[str, str]],
    ) -> None:
        """Note a run. What cannot be written is not known next time, and nothing else."""
        before = self.of(source, name) or Seen()
        seen = Seen(
            seconds={**before.seconds, **seconds},
            peak_memory={**before.peak_memory, **peak_memory},
            parts={**before.parts, **{stage: dict(made) for stage, made in parts.items()}},
        )
        if seen != before:
            with contextlib.suppress(OSError):
                write_quickly(self._path(source, name), seen.model_dump_json().encode())

    def _path(self, source: str, name: str) -> Path:
        digest = hashlib.sha256(f"{source}\0{name}".encode()).hexdigest()
        return self._root / digest[:2] / digest[2:]
