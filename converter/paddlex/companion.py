"""Scripts beside a config that run it, and that fine-tune its models on an NPU or XPU."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.errors import InputError
from converter.paddlex.config_file import write_config
from converter.paddlex.creation import WRAPPER_COMMANDS, creation
from converter.paddlex.intent import (
    device_meant,
    engine_meant,
    loads_model,
    read_config,
    uses_cann,
)
from converter.paddlex.pipeline import Module
from converter.resources import template_dir

#: What native Paddle needs on a device, from PaddleOCR's guide for several kinds of hardware
#: (docs/version3.x/other_devices_support) and PaddleX 3.7's set_env_for_device_type.
_ENVIRONMENT: Mapping[str, tuple[tuple[str, str], ...]] = {
    "npu": (
        ("FLAGS_npu_storage_format", "0"),
        ("FLAGS_npu_jit_compile", "0"),
        ("FLAGS_use_stride_kernel", "0"),
        ("FLAGS_allocator_strategy", "auto_growth"),
        ("FLAGS_npu_split_aclnn", "True"),
        ("FLAGS_npu_scale_aclnn", "True"),
        ("CUSTOM_DEVICE_BLACK_LIST", "pad3d,pad3d_grad,set_value,set_value_with_tensor"),
    ),
    "xpu": (
        ("FLAGS_use_stride_kernel", "0"),
        ("BKCL_FORCE_SYNC", "1"),
        ("BKCL_TIMEOUT", "1800"),
        ("XPU_BLACK_LIST", "pad3d,pad3d_grad"),
        ("XPU_PADDLE_CONV_FLOAT", "1"),
    ),
}
_NAMES = {"npu": "an Ascend NPU", "xpu": "a Kunlun XPU"}


@dataclass(frozen=True)
class CompanionOptions:
    """``wrapper``: run the config through PaddleOCR. ``device``: for models that run on Paddle.

    ``cann_env_files`` are where CANN's set_env.sh may lie; the scripts for an NPU look there.
    """

    wrapper: bool = False
    device: str | None = None
    cann_env_files: Sequence[Path] = ()


def write_companions(
    config: Path, options: CompanionOptions, *, force: bool = False
) -> tuple[Path, ...]:
    """Write the scripts beside ``config`` and return their paths.

    Files of these names that paddle2om did not make, or that were edited, are an ``InputError``
    without ``force``, and so is a config that the scripts could not run.
    """
    scripts = render_companions(config, options)
    paths = [config.with_name(name) for name in scripts]
    for path, text in zip(paths, scripts.values(), strict=True):
        write_config(path, text, force=force)
    return tuple(paths)


def require_suffix(config: Path) -> None:
    """Raise ``InputError`` unless PaddleX takes ``config`` for a file."""
    if config.suffix not in (".yaml", ".yml"):
        raise InputError(
            f"PaddleX takes {config.name} for the name of a pipeline, not for a file",
            hint="give the config a name that ends in .yaml",
        )


def render_companions(config: Path, options: CompanionOptions) -> dict[str, str]:
    """File name -> text of the scripts for ``config``, which is read for what it runs on."""
    require_suffix(config)
    pipeline = read_config(config)
    modules = [module for module in pipeline.modules if loads_model(module)]
    created = creation(pipeline, wrapper=options.wrapper, device=options.device)
    kinds = {device.partition(":")[0] for device in map(device_meant, modules) if device}
    kinds |= {"npu"} if any(map(uses_cann, modules)) else set()
    kinds |= {created.device.partition(":")[0]} if created.device else set()
    # At most one of them is of Ascend's or Kunlun's making.
    kind = next((kind for kind in _NAMES if kind in kinds), "cpu")
    engines = {engine_meant(module) or "paddle" for module in modules}
    wrapper = created.wrapper
    library = "PaddleOCR" if wrapper else "PaddleX"
    values: dict[str, Any] = {
        "config_name": config.name,
        "library": library,
        "wrapper": wrapper,
        "wrapper_command": WRAPPER_COMMANDS.get(wrapper or ""),
        "wrapper_arguments": tuple(created.names.items()),
        "device": created.device,
        "environment": _ENVIRONMENT.get(kind, ()) if "paddle" in engines else (),
        "environment_reason": f"Paddle on {_NAMES.get(kind, kind)} needs these.",
        "cann": kind == "npu",
        "cann_env_files": [str(path) for path in options.cann_env_files],
        "ultra_infer": any(engine.startswith("ultra_infer") for engine in engines),
    }
    scripts = {
        f"{config.stem}.run.py": _render("run.py.j2", values),
        f"{config.stem}.run.sh": _render("run.sh.j2", values),
    }
    if kind in _NAMES and engines & {"paddle", "ultra_infer/om"}:
        scripts[f"{config.stem}.finetune.sh"] = _finetune(kind, library, modules, values)
    return scripts


def _finetune(kind: str, library: str, modules: Sequence[Module], values: Mapping[str, Any]) -> str:
    names = list(dict.fromkeys(module.model_name for module in modules))
    checkout = f"{library.upper()}_DIR"
    takes = "MODEL" if library == "PaddleOCR" else "MODEL DATASET"
    usage = [
        f"usage: {checkout}=CHECKOUT finetune.sh {takes} [NAME=VALUE of the training config ...]",
        f"DEVICES chooses the devices (0,1,2,3), PYTHON the interpreter; {checkout} is a checkout",
        f"of {library}'s repository: its package has no training code. The models are:",
        *(f"    {' '.join(name.split())}" for name in names),
    ]
    return _render(
        "finetune.sh.j2",
        {
            **values,
            "device_type": kind,
            "device_name": _NAMES[kind],
            "models": names,
            "usage": "\n".join(usage),
            "checkout": checkout,
            # Training is native Paddle, whatever the config runs.
            "environment": _ENVIRONMENT[kind],
            "environment_reason": f"Paddle on {_NAMES[kind]} needs these.",
            "ultra_infer": False,
        },
    )


def _render(name: str, values: Mapping[str, Any]) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template_dir() / "scripts"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # not HTML: values go through the quoting filters below
    )
    environment.filters |= {"quote": shlex.quote, "python": repr}
    return environment.get_template(name).render(**values)
