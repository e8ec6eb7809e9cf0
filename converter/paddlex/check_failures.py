"""PaddleX's errors about a config, each with a name and with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Callable

from converter.model.wording import shorten
from converter.paddlex.check_seen import Problem
from converter.paddlex.intent import engine_meant
from converter.paddlex.pipeline import Module

#: (a pattern in PaddleX's words, our name for it, what to do). The first that matches counts.
_KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r"use a pipeline name or a config file",
        "config-suffix",
        "give the config a name that ends in .yaml: PaddleX takes others for pipelines' names",
    ),
    (
        r"[Mm]odel name mismatch",
        "model-name",
        "write the model_name that Global.model_name of its inference.yml has",
    ),
    (
        r"does not exist!|is not exists!",
        "model-dir",
        "check model_dir; a relative one is looked up in the working directory",
    ),
    (
        r"FileNotFoundError.*inference\.yml|No such file.*inference\.yml|Config file.*not",
        "no-inference-yml",
        "copy the Paddle model's inference.yml beside the converted file",
    ),
    (
        r"would convert the Paddle model",
        "no-onnx",
        "put inference.onnx into model_dir: paddle2om convert makes it",
    ),
    (
        r"No valid ONNX model|ONNX model required|for engine 'onnxruntime'",
        "no-onnx",
        "put inference.onnx into model_dir: paddle2om convert makes it",
    ),
    (
        r"OM model required|for engine 'hpi'",
        "no-om",
        "put inference.om into model_dir: paddle2om convert --soc makes it",
    ),
    (
        r"could be suggested|backend must be specified manually",
        "auto-config",
        "set auto_config: False and a backend in hpi_config; the automatic choice knows no NPU",
    ),
    (
        r"only supports `?cpu`? and `?gpu`?",
        "onnx-on-npu",
        "create the pipeline without a device argument: ONNX models run on the host's CPU",
    ),
    (
        r"cannot mix per-engine bucket keys",
        "engine-config-form",
        "write engine_config with the engine's name as its only key: {onnxruntime: {...}}",
    ),
    (
        r"Invalid \w+ engine_config|ValidationError",
        "engine-config-key",
        "PaddleX knows no such key, or no such value",
    ),
    (
        r"additional dependencies|DependencyError",
        "missing-extra",
        "install PaddleX with the extra for this pipeline, for example paddlex[ocr]",
    ),
    (
        r"does not yet support",
        "unsupported-on-device",
        "PaddleX excludes this model from that device: run it from ONNX on the CPU, or as OM",
    ),
    (
        r"[Uu]nsupported engine|Supported engines",
        "engine-unsupported",
        "this model cannot run on that engine: leave it on Paddle, or switch the module off",
    ),
)

_PADDLE = re.compile(r"No Paddle model files|No module named 'paddle'|paddlepaddle|pdmodel")


def explain_failure(detail: str, module: Module | None, version: str) -> Problem:
    """Name what PaddleX ``version`` raised for a module, or for the pipeline (no ``module``)."""
    where = module.name if module else "the pipeline"
    meant = engine_meant(module) if module else None
    if module is not None and meant not in (None, "paddle") and _PADDLE.search(detail):
        return _fallback(module, version)
    for pattern, name, hint in _KNOWN:
        if re.search(pattern, detail):
            return Problem(
                name=name, severity="error", message=f"{where}: {shorten(detail)}", hint=hint
            )
    return Problem(
        name="failed",
        severity="error",
        message=f"{where}: {shorten(detail)}",
        hint="that is what PaddleX says; compare the module with the ones that load",
    )


def _fallback(module: Module, version: str) -> Problem:
    """PaddleX went for Paddle where the config means another engine."""
    reason: Callable[[], tuple[str, str]] = (
        _engine_is_not_read if _too_old(version) and _has_engine(module) else _dropped
    )
    message, hint = reason()
    return Problem(
        name="fell-back-to-paddle",
        severity="error",
        message=f"{module.name}: PaddleX {version} looks for a Paddle model, although the config "
        f"says {engine_meant(module)}: {message}",
        hint=hint,
    )


def _engine_is_not_read() -> tuple[str, str]:
    return (
        "it does not read engine, which came with 3.5",
        "render for that version: it takes use_hpip and hpi_config in each module",
    )


def _dropped() -> tuple[str, str]:
    return (
        "a setting nearer to the module, or an argument, takes it away",
        "write use_hpip and hpi_config, or engine, into the module itself",
    )


def _too_old(version: str) -> bool:
    numbers = re.findall(r"\d+", version)[:2]
    return [int(number) for number in numbers] < [3, 5]


def _has_engine(module: Module) -> bool:
    return any("engine" in level for level in (module.settings, *module.above))
