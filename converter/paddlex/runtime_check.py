"""Whether PaddleX would run every module of a rendered config as it was placed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from converter.errors import InternalError
from converter.paddlex.inheritance import effective
from converter.paddlex.pipeline import Module
from converter.paddlex.placement import Placement
from converter.paddlex.targets import Target


def check_runtimes(
    modules: Iterable[Module], placements: Mapping[tuple[str, ...], Placement], target: Target
) -> None:
    """Raise ``InternalError`` unless PaddleX would run every module as it was placed."""
    for module in modules:
        placement = placements.get(module.path)
        if placement is None:
            continue
        got = effective(module, target).runtime()
        if not _is_runtime(got, placement, target):
            raise InternalError(
                f"{module.name} would run with {got}, not as {placement}",
                hint="report this, with the config",
            )


def _is_runtime(got: tuple[str, Mapping[str, Any]], placement: Placement, target: Target) -> bool:
    engine, options = got
    kind, number = placement.device.kind, placement.device.id
    if engine == "hpi":
        backend = {"om": "om", "onnx": "onnxruntime"}.get(placement.route)
        return (
            options.get("backend") == backend
            and options.get("auto_config") is False
            and not (backend == "om" and options.get("backend_config"))
            and options.get("device_type") == kind
            and (number is None or options.get("device_id") == number)
        )
    if engine == "onnxruntime":
        if placement.route == "cann":
            providers: list[str] = options.get("providers") or []
            return providers[:1] == ["CANNExecutionProvider"]
        on = (options.get("device_type", "cpu"), options.get("device_id"))
        return placement.route == "onnx" and on == (kind, number)
    if placement.route != "paddle":
        return False
    return not target.has_engine or options.get("device_type") == kind
