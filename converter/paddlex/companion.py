"""Scripts beside a config that run it, and that fine-tune its models on an NPU or XPU."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.errors import InputError
from converter.paddlex.config_file import write_config
from converter.paddlex.module_settings import ModuleSettings, read_config, walk
from converter.paddlex.wrappers import WRAPPER_COMMANDS, WRAPPERS, wrapper_arguments
from converter.resources import template_dir

_DEVICE = re.compile(r"(cpu|gpu|npu|xpu)(?::(\d+))?")

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


def render_companions(config: Path, options: CompanionOptions) -> dict[str, str]:
    """File name -> text of the scripts for ``config``, which is read for what it runs on."""
    content = read_config(config)
    if config.suffix not in (".yaml", ".yml"):
        raise InputError(
            f"PaddleX takes {config.name} for the name of a pipeline, not for a file",
            hint="give the config a name that ends in .yaml",
        )
    modules = [module for module in walk(content) if module.own.get("model_dir")]
    kind, device = _device(modules, options)
    wrapper = _wrapper(content) if options.wrapper else None
    native = any(module.wanted in (None, "paddle") for module in modules)
    library = "PaddleOCR" if wrapper else "PaddleX"
    om = any(module.wanted == "ultra_infer/om" for module in modules)
    values: dict[str, Any] = {
        "config_name": config.name,
        "library": library,
        "wrapper": wrapper,
        "wrapper_command": WRAPPER_COMMANDS.get(wrapper or ""),
        "wrapper_arguments": tuple(wrapper_arguments(content).items()) if wrapper else (),
        "device": device,
        "environment": _ENVIRONMENT.get(kind, ()) if native else (),
        "environment_reason": f"Paddle on {_NAMES.get(kind, kind)} needs these.",
        "cann": kind == "npu",
        "cann_env_files": [str(path) for path in options.cann_env_files],
        "ultra_infer": any((module.wanted or "").startswith("ultra_infer") for module in modules),
    }
    scripts = {
        f"{config.stem}.run.py": _render("run.py.j2", values),
        f"{config.stem}.run.sh": _render("run.sh.j2", values),
    }
    if kind in _NAMES and (native or om):
        scripts[f"{config.stem}.finetune.sh"] = _finetune(kind, library, modules, values)
    return scripts


def _device(modules: Sequence[ModuleSettings], options: CompanionOptions) -> tuple[str, str | None]:
    """The kind of device the config is for, and the device argument to create it with."""
    match = _DEVICE.fullmatch(options.device) if options.device is not None else None
    if options.device is not None and match is None:
        raise InputError(
            f"{options.device!r} is not a device", hint="give cpu, gpu:N, npu:N or xpu:N"
        )
    own = {_own_device(module) for module in modules}
    if own <= {None}:
        kind = match[1] if match else "cpu"
        onnx = next((module for module in modules if module.wanted == "onnxruntime"), None)
        if onnx is not None and kind not in ("cpu", "gpu"):
            raise InputError(
                f"{onnx.path} runs on ONNX Runtime, which PaddleX refuses on {options.device}",
                hint="leave out the device; ONNX models run on the CPU of an NPU's host",
            )
        return kind, options.device or ("cpu" if options.wrapper else None)
    if options.device is not None and own != {options.device}:
        raise InputError(
            f"the device {options.device} would override those that the config gives its modules",
            hint="leave out the device",
        )
    kinds = sorted({(device or "cpu").partition(":")[0] for device in own})
    kind = "npu" if "npu" in kinds else kinds[0]
    if not options.wrapper:
        # PaddleX takes each module's own, as long as nobody passes another.
        return kind, None
    if len(own) > 1:
        raise InputError(
            "the config has modules on several devices, and PaddleOCR gives all of them one",
            hint="run it with PaddleX, or render all modules for one device",
        )
    return kind, next(iter(own))


def _own_device(module: ModuleSettings) -> str | None:
    """The device that the config itself gives the module, as PaddleX writes devices."""
    if not (module.wanted or "").startswith("ultra_infer"):
        return None
    kind, number = module.hpi.get("device_type"), module.hpi.get("device_id")
    return f"{kind}:{number or 0}" if kind in ("npu", "gpu") else "cpu"


def _wrapper(content: Mapping[str, Any]) -> str:
    name = content["pipeline_name"]
    if name not in WRAPPERS:
        raise InputError(
            f"PaddleOCR has no class for the pipeline {name}",
            hint=f"run it with PaddleX; PaddleOCR has {', '.join(WRAPPERS)}",
        )
    return WRAPPERS[name]


def _finetune(
    kind: str, library: str, modules: Sequence[ModuleSettings], values: Mapping[str, Any]
) -> str:
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
