"""Read the parts of PaddleX's ``inference.yml`` that say how the model is fed.

PaddleX wrote three layouts: OCR and classification (``PreProcess.transform_ops`` and
``PostProcess``), detection (a ``Preprocess`` list of ``{type: ...}``) and segmentation
(``Deploy.transforms``). All may have ``Global.model_name`` and ``Hpi.backend_configs``. A key that
is missing, or has a form that we do not know, leaves its fact unknown; it is no error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from converter.errors import InputError
from converter.model.files import read_all, reject_lfs_pointer
from converter.model.roles import Role, role_of
from converter.model.tensor import ShapeHint

_Options: TypeAlias = Mapping[str, Any]

#: What yaml.safe_load raises beside YAMLError: for dates like 2020-99-99, for bad ``!!int`` tags,
#: for a mapping as a key, for 1000 nested brackets.
_YAML_ERRORS = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError)

# libyaml is 20 times faster, and a character dictionary has up to 18 000 lines.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: An inference.yml has about 8 levels.
_MAX_DEPTH = 64

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_FRACTION = re.compile(rf"\s*({_NUMBER})\s*(?:/\s*({_NUMBER})\s*)?")


@dataclass(frozen=True)
class InferenceYml:
    """What an ``inference.yml`` says; None and ``{}`` where it says nothing.

    ``shape_hints`` has min, opt and max extents by input name. ``value_range`` is the lowest and
    highest value that any channel of the normalised input takes for pixels of 0 to 255.
    ``input_size`` is (height, width) in pixels where the preprocessing fixes it.
    """

    model_name: str | None = None
    role: Role | None = None
    shape_hints: Mapping[str, ShapeHint] = field(default_factory=dict)
    value_range: tuple[float, float] | None = None
    input_size: tuple[int, int] | None = None


def read_inference_yml(path: Path) -> InferenceYml:
    """Read ``path``.

    Raises ``InputError`` when it cannot be read, is not YAML (which line), is not a mapping, or
    has shape hints that are not three lists of positive integers.
    """
    data = read_all(path)
    reject_lfs_pointer(path, data)
    content = _load(data, path)
    if not isinstance(content, dict):
        raise InputError(
            f"{path} is not an inference.yml: it holds no keys at the top",
            hint="use the inference.yml that came with the model, or remove the file",
        )
    name = _mapping(content, "Global").get("model_name")
    model_name = name if isinstance(name, str) and name else None
    steps = list(_steps(content))
    return InferenceYml(
        model_name=model_name,
        role=role_of(model_name, _mapping(content, "PostProcess")),
        shape_hints=_shape_hints(content, path),
        value_range=_value_range(steps),
        input_size=_input_size(steps),
    )


def _load(data: bytes, path: Path) -> object:
    try:
        _limit_depth(data)
        return yaml.load(data, Loader=_Loader)  # a safe loader in either case
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
    except _YAML_ERRORS as error:
        where, what = "", str(error) or type(error).__name__
    raise InputError(
        f"{path} is not YAML: {what}{where}", hint="correct that line, or copy the file again"
    )


def _limit_depth(data: bytes) -> None:
    """Raise ``ValueError`` for deep nesting: libyaml's loader recurses in C and would segfault."""
    depth = 0
    for event in yaml.parse(data, Loader=_Loader):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ValueError(f"it nests deeper than {_MAX_DEPTH} levels")


def _mapping(owner: object, key: str) -> _Options:
    value = owner.get(key) if isinstance(owner, dict) else None
    return value if isinstance(value, dict) else {}


def _shape_hints(content: _Options, path: Path) -> dict[str, ShapeHint]:
    """Read both lists of dynamic shapes; TensorRT's own counts where they differ."""
    configs = _mapping(_mapping(content, "Hpi"), "backend_configs")
    shapes = {
        **_mapping(_mapping(configs, "paddle_infer"), "trt_dynamic_shapes"),
        **_mapping(_mapping(configs, "tensorrt"), "dynamic_shapes"),
    }
    return {str(name): _shape_hint(str(name), shape, path) for name, shape in shapes.items()}


def _shape_hint(name: str, shapes: object, path: Path) -> ShapeHint:
    good = isinstance(shapes, list) and len(shapes) == 3
    rows = [row for row in shapes if isinstance(row, list)] if isinstance(shapes, list) else []
    extents = [extent for row in rows for extent in row]
    good = good and len(rows) == 3 and len({len(row) for row in rows}) == 1
    if not good or not all(type(extent) is int and extent > 0 for extent in extents):
        raise InputError(
            f"{path}: the dynamic shapes of input {name} are not three lists of positive integers",
            hint=f"write them as {name}: [[min...], [opt...], [max...]] under Hpi",
        )
    low, usual, high = rows
    return ShapeHint(min=tuple(low), opt=tuple(usual), max=tuple(high))


def _steps(content: _Options) -> Iterator[tuple[str, _Options]]:
    """Yield the preprocessing steps of whichever layout as (name, options)."""
    for step in _list(_mapping(content, "PreProcess").get("transform_ops")):
        for name, options in step.items():
            yield str(name), options if isinstance(options, dict) else {}
    # "Deploy" is the layout of PaddleSeg, whose sizes are [width, height] as OpenCV's are.
    for prefix, steps in (
        ("Detection", content.get("Preprocess")),
        ("Deploy", _mapping(content, "Deploy").get("transforms")),
    ):
        for step in _list(steps):
            kind = step.get("type")
            if isinstance(kind, str):
                yield f"{prefix}{kind}", step


def _list(value: object) -> list[dict[Any, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _value_range(steps: list[tuple[str, _Options]]) -> tuple[float, float] | None:
    """Find what the normalisation makes of pixels of 0 and 255; None when nobody says."""
    for name, options in steps:
        if name in ("RecResizeImg", "ClsResizeImg"):
            return -1.0, 1.0  # they normalise as well: x / 127.5 - 1
        if name == "NormalizeImage":
            scale = parse_fraction(options.get("scale", "1/255"))
            return _normalised(scale, options.get("mean"), options.get("std"))
        if name == "DetectionNormalizeImage":
            scale = 1 / 255 if options.get("is_scale", True) else 1.0
            # PaddleX takes "none" for mean_std, and any other type for no mean and std at all.
            if options.get("norm_type") not in (None, "", "none", "mean_std"):
                return _normalised(scale, 0.0, 1.0)
            return _normalised(scale, options.get("mean"), options.get("std"))
        if name == "DeployNormalize":
            return _normalised(1 / 255, options.get("mean", 0.5), options.get("std", 0.5))
    return None


def _normalised(scale: float | None, mean: object, std: object) -> tuple[float, float] | None:
    """Return the range of (pixel * scale - mean) / std over the channels; ImageNet's by default."""
    means = _numbers([0.485, 0.456, 0.406] if mean is None else mean)
    stds = _numbers([0.229, 0.224, 0.225] if std is None else std)
    if scale is None or not means or not stds or not all(value > 0 for value in stds):
        return None
    if len(means) != len(stds):
        return None
    ends = [
        (pixel * scale - channel_mean) / channel_std
        for channel_mean, channel_std in zip(means, stds, strict=True)
        for pixel in (0, 255)
    ]
    return min(ends), max(ends)


def _numbers(value: object) -> list[float]:
    values = value if isinstance(value, list) else [value]
    numbers = [parse_fraction(item) for item in values]
    return [number for number in numbers if number is not None] if None not in numbers else []


def parse_fraction(value: object) -> float | None:
    """Return a number written as such or as a fraction, like ``1./255.``; None for all else."""
    if isinstance(value, str):
        match = _FRACTION.fullmatch(value)
        if not match:
            return None
        divisor = float(match[2]) if match[2] else 1.0
        number = float(match[1]) / divisor if divisor else math.nan
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value) if abs(value) < 1e300 else math.nan
    else:
        return None
    return number if math.isfinite(number) else None


#: Steps that fix the size: the option that holds it, and whether it is [width, height].
_SIZE_OPTIONS: Mapping[str, tuple[str, bool]] = {
    "RecResizeImg": ("image_shape", False),
    "ClsResizeImg": ("image_shape", False),
    "DetResizeForTest": ("image_shape", False),
    "ResizeImage": ("size", True),
    "CropImage": ("size", True),
    "PaddingTableImage": ("size", True),
    "DetectionResize": ("target_size", False),
    "DeployResize": ("target_size", True),
}


def _input_size(steps: list[tuple[str, _Options]]) -> tuple[int, int] | None:
    """Return (height, width) after the last step that fixes them: a crop follows a resize."""
    found = None
    for name, options in steps:
        if name not in _SIZE_OPTIONS:
            continue
        option, width_first = _SIZE_OPTIONS[name]
        size = options.get(option)
        pair = [size, size] if isinstance(size, int) else size
        if not isinstance(pair, list) or len(pair) < 2:
            continue
        first, second = pair[-2:]  # image_shape has the channels in front
        if type(first) is int and type(second) is int and first > 0 and second > 0:
            found = (second, first) if width_first else (first, second)
    return found
