"""What tests of rendering share: models that are on no disk, and a short way to render."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from converter.model.roles import role_of
from converter.paddlex.base import Base, own_base
from converter.paddlex.modules import ConvertedModel
from converter.paddlex.render import Rendered, RenderOptions, render_pipeline
from converter.paddlex.targets import Target, parse_device


def model(
    name: str, directory: str = "", om: str | None = None, *, files: str = "onnx om paddle"
) -> ConvertedModel:
    """A model that nobody looks for on the disk."""
    return ConvertedModel(
        name,
        Path(directory or f"/zoo/{name}"),
        name,
        role_of(name, {}),
        frozenset(files.split()),  # type: ignore[arg-type]
        om_input_shape=om,
    )


def render(
    models: Iterable[ConvertedModel],
    base: str | bytes | None = None,
    *,
    backend: str = "onnx",
    version: tuple[int, int] = (3, 7),
    wrapper: str = "paddlex",
    device: str | None = None,
    **options: Any,
) -> Rendered:
    """Render ``base`` (our own OCR config without one)."""
    data = base.encode() if isinstance(base, str) else base
    return render_pipeline(
        Base("config.yaml", data) if data is not None else own_base(),
        models,
        RenderOptions(
            backend=backend,
            target=Target(version, wrapper),  # type: ignore[arg-type]
            device=parse_device(device) if device else None,
            **options,
        ),
    )


def parsed(rendered: Rendered) -> dict[str, Any]:
    """The rendered config as data."""
    content: dict[str, Any] = yaml.safe_load(rendered.text)
    return content


def read_yaml(text: str | bytes) -> dict[str, Any]:
    """``yaml.safe_load``, with libyaml where it is."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    content: dict[str, Any] = yaml.load(text, Loader=loader)
    return content


def modules_of(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Every module of a config by its path, found without the code under test."""
    found = {}
    for group, parts in config.items():
        if group not in ("SubModules", "SubPipelines") or not isinstance(parts, dict):
            continue
        for key, part in parts.items():
            if group == "SubModules":
                found[key] = part
            else:
                found |= {f"{key}.{name}": module for name, module in modules_of(part).items()}
    return found
