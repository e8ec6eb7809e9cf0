"""What a runner is given and what it gives back, wherever atc is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

#: Takes atc's words as they come, one whole line (without its end) at a time.
LogSink = Callable[[str], None]

#: What atc's names of its output end with.
OM_SUFFIXES = (".om", ".om2", ".exeom")


@dataclass(frozen=True)
class AtcJob:
    """One call of atc.

    ``argv`` names files relative to the directory that atc runs in. ``files`` maps each of those
    names (no directories in them) to the local file to be there; ``inference.onnx`` is one.
    ``directory`` is where the results arrive: it must not exist, and belongs to this call alone.
    ``timeout`` is in seconds, from the beginning: connecting and copying count.
    ``environment`` is added to that of atc's host.
    """

    argv: tuple[str, ...]
    files: Mapping[str, Path]
    directory: Path
    timeout: float
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class AtcRun:
    """How a call of atc ended. None of it is success: ``converter.atc.run`` judges that.

    ``returncode`` is negative for a signal and None when the time was up. ``words`` is what atc
    printed, of very much the end. ``files`` are what it left, in ``directory``, inputs not among
    them. ``free_bytes`` is what its disk had left. ``program`` and ``toolkit`` are paths on its
    host.
    """

    directory: Path
    returncode: int | None
    words: str
    files: tuple[Path, ...]
    where: str
    program: str
    toolkit: str | None = None
    free_bytes: int | None = None

    @property
    def om_files(self) -> tuple[Path, ...]:
        """The files named like OM files; nobody has looked inside yet."""
        return tuple(path for path in self.files if path.suffix in OM_SUFFIXES)

    @property
    def side_files(self) -> tuple[Path, ...]:
        """What else it left: ``fusion_result.json``, ``kernel_meta``, logs, external weights."""
        return tuple(path for path in self.files if path.suffix not in OM_SUFFIXES)


class Runner(Protocol):
    """A place where atc runs."""

    @property
    def where(self) -> str:
        """The place in words for messages: ``this host``, ``ssh host npu1``."""

    def run(self, job: AtcJob, log: LogSink) -> AtcRun:
        """Run atc and wait for it; whatever happens, nothing of it runs on afterwards.

        Raises ``InputError`` when the place cannot be reached or has no atc, ``StageError`` when
        the connection or a copy fails on the way, and ``OSError`` when files cannot be written
        here. ``KeyboardInterrupt`` ends atc and passes.
        """
