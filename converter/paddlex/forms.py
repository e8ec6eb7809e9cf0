"""The settings that make PaddleX run a module as it is placed, for one version and wrapper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from converter.errors import InputError
from converter.paddlex import tables
from converter.paddlex.inheritance import ENGINES, Effective, effective
from converter.paddlex.pipeline import Module
from converter.paddlex.placement import Placement
from converter.paddlex.targets import Target
from converter.paddlex.template import render_template


def settings_for(
    form: str,
    module: Module,
    placement: Placement,
    target: Target,
    *,
    input_shape: Sequence[int] | None = None,
) -> dict[str, Any]:
    """Every key that has to change for this form, with its whole new value.

    Raises ``InputError`` where settings of the user's would be mixed into ours and PaddleX would
    refuse the mixture.
    """
    wanted = _fragment(form, placement, input_shape)
    before = effective(module, target)
    if form == "paddle-argument":
        return wanted if before.use_hpip else {}
    if "hpi_config" in wanted:
        return wanted | _hpi_changes(module, wanted["hpi_config"], before, target)
    return wanted | _engine_changes(module, wanted, before)


def form_of(model_name: str, placement: Placement, target: Target, *, with_npu: bool) -> str:
    """The template in ``templates/paddlex/modules`` that this placement needs.

    ``with_npu``: modules of the pipeline run on an NPU from OM files.
    """
    if placement.route == "paddle":
        return "paddle-engine" if target.has_engine else "paddle-argument"
    if placement.route != "onnx":
        return placement.route
    # Beside OM files, the runtime that is there anyway: a second one may not start in that process.
    engine = target.has_engine and tables.has_onnxruntime_engine(model_name)
    return "onnx-engine" if engine and not with_npu else "onnx-hpi"


def _fragment(form: str, placement: Placement, input_shape: Sequence[int] | None) -> dict[str, Any]:
    import yaml

    text = render_template(
        f"modules/{form}.yaml.j2",
        {
            "device_type": placement.device.kind,
            "device_id": placement.device.id,
            "input_shape": list(input_shape) if input_shape else None,
        },
    )
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def _hpi_changes(
    module: Module, hpi: Mapping[str, Any], before: Effective, target: Target
) -> dict[str, Any]:
    own = module.settings.get("hpi_config")
    merged = {**(own if isinstance(own, dict) else {}), **hpi}
    if before.hpi_config.get("backend_config") is not None and not _options_are_for(
        hpi["backend"], module
    ):
        merged["backend_config"] = None
    changes: dict[str, Any] = {"hpi_config": merged}
    if target.has_engine:
        # Both would win over use_hpip and hpi_config.
        changes |= {
            key: None for key in ("engine", "engine_config") if module.settings.get(key) is not None
        }
    return changes


def _options_are_for(backend: str, module: Module) -> bool:
    """Whether the ``backend_config`` that reaches the module stands beside this backend."""
    levels = [level.get("hpi_config") for level in (*module.above, module.settings)]
    given = [level for level in levels if isinstance(level, dict) and "backend_config" in level]
    return bool(given) and given[-1].get("backend") == backend


def _engine_changes(module: Module, wanted: Mapping[str, Any], before: Effective) -> dict[str, Any]:
    flat = {key for key in before.engine_config or {} if key not in ENGINES}
    own = module.settings.get("engine_config")
    own = own if isinstance(own, dict) else {}
    same = module.settings.get("engine") == wanted["engine"]
    if flat and not (same and flat <= set(own) and "engine_config" not in wanted):
        keys = ", ".join(sorted(flat))
        raise InputError(
            f"{module.name} gets engine_config keys without an engine's name ({keys}), which "
            f"PaddleX would mix into those of {wanted['engine']}",
            hint="write them below the engine that they are for: engine_config: "
            "{paddle_static: {...}}",
        )
    if "engine_config" not in wanted:
        return {}
    buckets = {**own}
    for engine, options in wanted["engine_config"].items():
        there = own.get(engine)
        buckets[engine] = {**(there if isinstance(there, dict) else {}), **options}
    return {"engine_config": buckets}
