"""What the check's child process took down of a module, and a mistake found in it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from converter.model.record import Record

_PROVIDER_DEVICES = {"CUDA": "gpu", "Tensorrt": "gpu", "ROCM": "gpu", "CANN": "npu", "CPU": "cpu"}


class Problem(Record):
    """A mistake: a short name for it, what is wrong, what to do. A warning may be meant so."""

    name: str
    severity: Literal["error", "warning"]
    message: str
    hint: str


class Opened(Record):
    """One file handed to a library, as the library was told to run it.

    ``inputs`` are graph inputs, name -> dims, as far as the library says them.
    """

    library: str
    files: tuple[str, ...]
    loaded: bool
    device: str | None = None
    backend: str | None = None
    providers: tuple[str, ...] = ()
    inputs: dict[str, tuple[int | str | None, ...]] = Field(default_factory=dict)

    @property
    def engine(self) -> str:
        """``onnxruntime``, ``paddle``, ``ultra_infer/om``, ``ultra_infer/ort`` and so on."""
        return f"{self.library}/{self.backend}" if self.backend else self.library

    @property
    def runs_on(self) -> str | None:
        """The device, as PaddleX writes devices."""
        if self.device is not None or not self.providers:
            return self.device
        name = self.providers[0].removesuffix("ExecutionProvider")
        return _PROVIDER_DEVICES.get(name, name)


class ModuleSeen(Record):
    """What PaddleX was asked for by a module, and what it opened for it."""

    model_name: str | None
    model_dir: str | None
    asked: dict[str, Any]
    opened: tuple[Opened, ...]
    loaded: bool
    problem: dict[str, str] | None
