"""What the author of a config means a module to run on, whichever PaddleX reads it.

``inheritance`` says what PaddleX makes of the same keys; where the two differ is a trap.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converter.model.files import read_all
from converter.paddlex.inheritance import effective
from converter.paddlex.pipeline import Module, Pipeline, read_pipeline
from converter.paddlex.targets import Target
from converter.paddlex.yaml_source import read_source

_HPI_ENGINES = {"om": "ultra_infer/om", "onnxruntime": "ultra_infer/ort", "paddle": "paddle"}


def read_config(path: Path) -> Pipeline:
    """Read a pipeline config file; raises ``InputError`` when it is none."""
    return read_pipeline(read_source(read_all(path), str(path)))


def loads_model(module: Module) -> bool:
    """Whether PaddleX will load a model from a directory for this module."""
    return not module.off and not module.skipped and bool(module.settings.get("model_dir"))


def hpi_meant(module: Module) -> dict[str, Any]:
    """``hpi_config`` of all levels, the nearest winning."""
    merged: dict[str, Any] = {}
    for level in (*module.above, module.settings):
        config = level.get("hpi_config")
        merged |= config if isinstance(config, dict) else {}
    return merged


def engine_meant(module: Module) -> str | None:
    """The engine for this module, None where the config says nothing.

    ``onnxruntime``, ``ultra_infer/om``, ``ultra_infer/ort``, ``ultra_infer`` (whichever it
    chooses), ``paddle``, or another of PaddleX's engines.
    """
    if module.settings.get("use_hpip") is False and "engine" not in module.settings:
        return "paddle"
    for level in (module.settings, *reversed(module.above)):
        engine = level.get("engine")
        if engine is not None:
            return _hpi_engine(module) if engine == "hpi" else _family(str(engine))
        if level.get("use_hpip"):
            return _hpi_engine(module)
    # The form of PaddleX's NPU tutorial: the backend at the top, use_hpip as an argument.
    return _hpi_engine(module) if hpi_meant(module).get("backend") else None


def device_meant(module: Module) -> str | None:
    """The device that the config itself gives the module, as PaddleX's argument would say it.

    None where it is the argument's. ONNX Runtime with explicit providers bears no other than cpu.
    """
    if (engine_meant(module) or "").startswith("ultra_infer"):
        options: Mapping[str, Any] = _hpi_options(module)
        kind = options.get("device_type") or "cpu"
    else:
        _, options = effective(module, Target()).runtime()
        kind = "cpu" if options.get("providers") else options.get("device_type")
    if kind is None or kind == "cpu":
        return kind
    return f"{kind}:{options.get('device_id') or 0}"


def uses_cann(module: Module) -> bool:
    """Whether the module runs on an Ascend NPU through CANN, from OM or from ONNX."""
    if engine_meant(module) == "ultra_infer/om":
        return True
    providers = effective(module, Target()).runtime()[1].get("providers")
    return isinstance(providers, list) and "CANNExecutionProvider" in providers


def _hpi_engine(module: Module) -> str:
    return _HPI_ENGINES.get(str(_hpi_options(module).get("backend")), "ultra_infer")


def _hpi_options(module: Module) -> dict[str, Any]:
    """``hpi_config``, or what ``engine_config`` has for the engine hpi, which is the same."""
    config = module.settings.get("engine_config")
    nested = config.get("hpi") if isinstance(config, dict) else None
    return {**hpi_meant(module), **(nested if isinstance(nested, dict) else {})}


def _family(engine: str) -> str:
    return "paddle" if engine.startswith("paddle") else engine
