"""Which artefact of a model runs a module, and on which device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from converter.errors import InputError
from converter.model.artefacts import read_placement
from converter.paddlex import tables
from converter.paddlex.modules import Backend, ConvertedModel
from converter.paddlex.targets import Device, Target

#: ``cann`` is ONNX Runtime with its CANN execution provider: the ONNX file, on an NPU.
Route = Literal["onnx", "om", "cann", "paddle"]

_ARTEFACT: Mapping[Route, Backend] = {
    "onnx": "onnx",
    "om": "om",
    "cann": "onnx",
    "paddle": "paddle",
}

#: Devices that each route can use; the first is the default.
_DEVICES: Mapping[Route, tuple[str, ...]] = {
    "onnx": ("cpu", "gpu"),
    "om": ("npu",),
    "cann": ("npu",),
    "paddle": ("cpu", "gpu", "npu", "xpu"),
}


@dataclass(frozen=True)
class Placement:
    """The route, where it runs, and why it is not the one that was asked for, if it is not."""

    route: Route
    device: Device
    reason: str = ""


class CannotPlaceError(Exception):
    """A model does not go where it should: the reason, and what to do about it."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fix = fix


#: Chooses the route of a model for ``auto`` among those for which it has files.
Chooser = Callable[[ConvertedModel, Device | None], tuple[Route, str]]


def choose_by_files(model: ConvertedModel, device: Device | None) -> tuple[Route, str]:
    """OM where it can be and ``convert`` did not decide against it, else ONNX, else Paddle.

    What ``convert`` and ``compile`` decided, and why, is in the manifest beside the files: they
    know what the pre-flight and atc said of this model.
    """
    npu = device is None or device.kind == "npu"
    why_not = tables.why_no_om(model.model_name)
    decided = read_placement(model.directory)
    if decided is not None and decided.backend == "onnx" and "om" in model.backends:
        why_not = why_not or decided.reason
    if "om" in model.backends and npu and not why_not:
        return "om", ""
    if "onnx" in model.backends:
        return "onnx", why_not or ("" if "om" in model.backends else "it has no inference.om")
    return "paddle", "it has no inference.onnx"


@dataclass(frozen=True)
class Placer:
    """Places models as asked: one ``backend`` for all (a route or ``auto``)."""

    backend: str
    target: Target
    device: Device | None = None
    choose: Chooser = field(default=choose_by_files)

    def __post_init__(self) -> None:
        """Raise ``InputError`` for a device on which the backend cannot run."""
        if self.backend == "auto" or self.device is None:
            return
        route: Route = self.backend  # type: ignore[assignment]
        if self.device.kind not in _DEVICES[route]:
            on_npu = "ONNX on an NPU is --backend cann, which is experimental; or "
            raise InputError(
                f"--backend {route} does not run on {self.device}",
                hint=(on_npu if route == "onnx" and self.device.kind == "npu" else "")
                + f"give --device {_DEVICES[route][0]}",
            )

    def place(self, model: ConvertedModel, asked: Route | None = None) -> Placement:
        """Where the model runs; ``asked`` is for it alone. Raises ``CannotPlaceError``."""
        route, reason = self._route(model, asked)
        if _ARTEFACT[route] not in model.backends:
            because = f" (it is to run as {route}, because {reason})" if reason else ""
            raise CannotPlaceError(
                f"{model.name} has no {_file_of(route)}{because}", _how_to_make(route)
            )
        return Placement(route, self._device(route), reason)

    def _route(self, model: ConvertedModel, asked: Route | None) -> tuple[Route, str]:
        why_no_om = tables.why_no_om(model.model_name)
        if asked == "om" and why_no_om:
            raise CannotPlaceError(
                f"{model.name} cannot be an OM file: {why_no_om}",
                f"--place {model.model_name}=onnx",
            )
        if asked is None and self.backend == "auto":
            return self.choose(model, self.device)
        route: Route = asked or self.backend  # type: ignore[assignment]
        if route == "om" and why_no_om:
            return "onnx", why_no_om
        if route == "cann":
            if not self.target.has_engine:
                raise CannotPlaceError(
                    f"{self.target} cannot run ONNX with CANN", "give --paddlex 3.5 or later"
                )
            if not tables.has_onnxruntime_engine(model.model_name):
                why = "PaddleX does not run it with ONNX Runtime's own providers"
                if asked:
                    raise CannotPlaceError(f"{model.name}: {why}", f"--place {model.name}=onnx")
                return "onnx", why
        return route, ""

    def _device(self, route: Route) -> Device:
        if self.device and self.device.kind in _DEVICES[route]:
            return self.device
        kind = _DEVICES[route][0]
        return Device(kind, None if kind == "cpu" else 0)  # type: ignore[arg-type]


def _file_of(route: Route) -> str:
    return {
        "onnx": "inference.onnx",
        "cann": "inference.onnx",
        "om": "inference.om",
        "paddle": "inference.json + inference.pdiparams",
    }[route]


def _how_to_make(route: Route) -> str:
    return {
        "onnx": "make it with paddle2om convert",
        "cann": "make it with paddle2om convert",
        "om": "make it with paddle2om convert --soc on a machine that has atc, or render with "
        "--backend auto, which takes ONNX instead",
        "paddle": "give the directory of the original Paddle model",
    }[route]
